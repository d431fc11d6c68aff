//! A real Postgres: its own data folder and port, gone with the test.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};
use tempfile::TempDir;

pub const USER: &str = "fleet";
pub const PASSWORD: &str = "word-of-the-database";

pub struct Postgres {
    server: Child,
    port: u16,
    _folder: TempDir,
}

impl Postgres {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("regatta-postgres-").tempdir().unwrap();
        // Its server runs as another user than root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        if geteuid().is_root() {
            let (user, group) = ids("postgres");
            chown(&data, Some(user), Some(group)).unwrap();
        }
        let made = program("initdb")
            .args(["--no-sync", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "-U", USER, "-D"])
            .arg(&data)
            .arg(format!("--pwfile={}", password.display()))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let log = folder.path().join("log");
        // Another process may take the free port in between, and the server ends: another port then.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut server = program("postgres")
                .arg("-D")
                .arg(&data)
                .args([
                    "-c",
                    "listen_addresses=127.0.0.1",
                    "-c",
                    "fsync=off",
                    "-c",
                    "unix_socket_directories=",
                ])
                .args(["-c", &format!("port={port}")])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(File::create(&log).unwrap())
                .spawn()
                .unwrap();
            let deadline = Instant::now() + Duration::from_secs(60);
            while server.try_wait().unwrap().is_none() && Instant::now() < deadline {
                if blocking(connect(port)).is_ok() {
                    return Self { server, port, _folder: folder };
                }
                // Another process: there is nothing to wait on.
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        panic!("no Postgres: {}", fs::read_to_string(&log).unwrap_or_default());
    }

    /// Without the password.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    pub fn execute(&self, sql: &str) {
        blocking(async {
            let mut connection = connect(self.port).await?;
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await
        })
        .unwrap();
    }

    /// One text a row.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let rows = blocking(async {
            let mut connection = connect(self.port).await?;
            sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await
        });
        rows.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once; its children end with it.
        let _ = kill_process(Pid::from_child(&self.server), Signal::QUIT);
        let _ = self.server.wait();
    }
}

async fn connect(port: u16) -> Result<PgConnection, sqlx::Error> {
    let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).database("postgres");
    options.username(USER).password(PASSWORD).connect().await
}

pub fn blocking<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// As the user of Debian's package where we are root, which Postgres refuses. It ends with us.
fn program(name: &str) -> Command {
    let path = folder_of_programs().join(name);
    if !geteuid().is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL"]).arg(path);
    command.current_dir("/");
    command
}

fn folder_of_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let has = |folder: &PathBuf| folder.join("initdb").is_file();
    folders.into_iter().find(has).expect("no Postgres: scripts/need postgres")
}

fn ids(user: &str) -> (u32, u32) {
    let passwd = fs::read_to_string(Path::new("/etc/passwd")).unwrap();
    let line = passwd
        .lines()
        .find(|line| line.starts_with(&format!("{user}:")))
        .expect("Debian's package makes the user");
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    (fields.next().unwrap(), fields.next().unwrap())
}
