//! The practice site as a process of its own, gone with the test. Its ledger is the judge of "never twice".

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

pub const SUBMISSIONS: [&str; 5] =
    ["mailbox_created", "store_signup", "dev_registration", "2fa_enabled", "password_rotated"];

pub struct Sandbox {
    process: Child,
    /// `127.0.0.1:PORT`
    address: String,
    adspower: Option<String>,
}

impl Sandbox {
    /// The site, and the AdsPower emulator without a limit on calls, with something wrong from the start.
    pub fn with_adspower(data: &Path, faults: &[Value]) -> Self {
        let mut more: Vec<String> =
            ["--adspower", "127.0.0.1:0", "--calls-per-second", "0"].map(str::to_owned).to_vec();
        for fault in faults {
            more.extend(["--fault".to_owned(), fault.to_string()]);
        }
        Self::launch(data, &more.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The emulator with the profiles of a file, and no limit on calls.
    pub fn with_adspower_profiles(data: &Path, profiles: &Path) -> Self {
        let profiles = profiles.to_str().unwrap();
        let more = ["--adspower", "127.0.0.1:0", "--calls-per-second", "0", "--profiles", profiles];
        Self::launch(data, &more)
    }

    /// The emulator refuses calls without this key.
    pub fn with_adspower_key(data: &Path, key: &str) -> Self {
        Self::launch(data, &["--adspower", "127.0.0.1:0", "--calls-per-second", "0", "--api-key", key])
    }

    /// The emulator with so many profiles, and as many calls as AdsPower allows.
    pub fn with_adspower_of(data: &Path, profiles: usize) -> Self {
        Self::launch(data, &["--adspower", "127.0.0.1:0", "--profile-count", &profiles.to_string()])
    }

    /// On a free port. It ends with its standard input, so with this process however that dies.
    pub fn start(data: &Path) -> Self {
        Self::launch(data, &[])
    }

    fn launch(data: &Path, more: &[&str]) -> Self {
        std::fs::create_dir_all(data).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_regatta")).with_file_name("examples").join("sandbox");
        let mut process = Command::new(&program)
            .args(["--site", "127.0.0.1:0", "--exit-with-stdin", "--mail-delay-ms", "300", "--data"])
            .arg(data)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(data.join("stderr")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the sandbox says where it listens");
        let address = |of: &str| Some(ready[of].as_str()?.trim_start_matches("http://").to_owned());
        Self { process, address: address("site").unwrap(), adspower: address("adspower") }
    }

    pub fn adspower(&self) -> String {
        format!("http://{}", self.adspower.as_deref().unwrap())
    }

    pub fn fault(&self, fault: &Value) {
        ask(self.adspower.as_deref().unwrap(), "POST", "/emulator/faults", &fault.to_string());
    }

    pub fn start_browser(&self, profile: &str) {
        let body = json!({ "profile_id": profile, "headless": "1" }).to_string();
        ask(self.adspower.as_deref().unwrap(), "POST", "/api/v2/browser-profile/start", &body);
    }

    /// Calls that the emulator refused because there were too many.
    pub fn throttled(&self) -> u64 {
        ask(self.adspower.as_deref().unwrap(), "GET", "/emulator/stats", "")["throttled"].as_u64().unwrap()
    }

    /// Profiles that AdsPower says are open.
    pub fn open(&self) -> Value {
        self.adspower_stats()["open"].clone()
    }

    /// How often AdsPower was asked this.
    pub fn calls(&self, path: &str) -> u64 {
        self.adspower_stats()["by_path"][path].as_u64().unwrap_or(0)
    }

    /// The last request to AdsPower to open the profile.
    pub fn last_start(&self, profile: &str) -> Value {
        self.adspower_stats()["starts"][profile].clone()
    }

    /// As a person does in AdsPower's window. The address of the browser.
    pub fn open_by_hand(&self, profile: &str) -> String {
        let body = serde_json::json!({ "profile_id": profile }).to_string();
        let answer = ask(self.adspower.as_deref().unwrap(), "POST", "/api/v2/browser-profile/start", &body);
        answer["data"]["ws"]["puppeteer"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub fn close_by_hand(&self, profile: &str) {
        let body = serde_json::json!({ "profile_id": profile }).to_string();
        ask(self.adspower.as_deref().unwrap(), "POST", "/api/v2/browser-profile/stop", &body);
    }

    /// Where the open browser of a profile is driven.
    pub fn browser_of(&self, profile: &str) -> Option<String> {
        let path = format!("/api/v1/browser/active?user_id={profile}");
        let answer = ask(self.adspower.as_deref().unwrap(), "GET", &path, "");
        answer["data"]["ws"]["puppeteer"].as_str().map(str::to_owned)
    }

    fn adspower_stats(&self) -> Value {
        ask(self.adspower.as_deref().unwrap(), "GET", "/emulator/stats", "")
    }

    pub fn site(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The accepted submissions of a profile, in the workflow's order.
    pub fn counts(&self, profile: &str) -> [u64; SUBMISSIONS.len()] {
        let ledger = self.ledger();
        SUBMISSIONS.map(|name| ledger["profiles"][profile][name].as_u64().unwrap_or(0))
    }

    /// What the site holds of each profile: its password, and its two-factor key once that is on.
    pub fn holdings(&self) -> Value {
        self.ask("GET", "/holdings", "")
    }

    pub fn ledger(&self) -> Value {
        self.ask("GET", "/ledger", "")
    }

    pub fn switch(&self, switches: &Value) {
        self.ask("POST", "/switches", &switches.to_string());
    }

    /// The hazards of the obstacle course: names, steps and what is expected of them.
    pub fn course(&self) -> Value {
        self.ask("GET", "/course.json", "")
    }

    #[track_caller]
    pub fn assert_once_each(&self, profiles: &[&str]) {
        let ledger = self.ledger();
        for profile in profiles {
            assert_eq!(self.counts(profile), [1; SUBMISSIONS.len()], "{profile}: {ledger}");
        }
        assert_eq!(ledger["total"], profiles.len() * SUBMISSIONS.len(), "{ledger}");
        assert_eq!(ledger["twice"].as_array().map(Vec::len), Some(0), "{ledger}");
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        ask(&self.address, method, path, body)
    }
}

fn ask(address: &str, method: &str, path: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(address).expect("the sandbox listens");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
    let (_, json) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(json).unwrap_or(Value::Null)
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
