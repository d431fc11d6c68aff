//! `regatta dashboard`, and the same page beside a fleet: follows the folder on a thread of its own, and
//! reads for the page what it asks for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::browser_args::{BrowserArgs, run_arguments};
use super::command_error::CommandError;
use super::global_args::{GlobalArgs, OUTPUT};
use super::profile_actions::perform;
use super::quantity::parse_listen;
use super::runtime::block_on;
use super::settings::Settings;
use super::{load, report, signals};
use crate::orchestrate::profile_actions::RunCommand;
use crate::orchestrate::resident_memory;
use crate::report::dashboard::{
    ActionRefusal, Backend, DashboardFeed, OrchestratorStatus, ProfileAction, RequestGuard, serve,
};
use crate::run::StopSeverity;
use crate::store::folder_watcher::FolderWatcher;
use crate::store::profile_files::ProfileFiles;
use regatta_core::event::Event;
use regatta_core::id::{Flag, ProfileId};
use regatta_core::view::overview::ProfileView;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta dashboard
  regatta dashboard --listen 127.0.0.1:0
  ssh -L 7700:127.0.0.1:7700 HOST      then open the address here

Shows fleets and single runs alike, and what was done where nothing runs. /metrics is for Prometheus, \
/healthz for health checks. The printed address holds a token, which allows to start, stop and reset \
profiles; REGATTA_DASHBOARD_TOKEN sets the token, which is then not printed. Ctrl-C ends the page and \
nothing else.")]
pub struct DashboardArgs {
    /// Where to listen; port 0 takes a free port
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN, allow_negative_numbers = true, value_parser = parse_listen, help_heading = OUTPUT)]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub page: PageArgs,
    #[command(flatten)]
    pub browser: BrowserArgs,
}

/// Where the dashboard listens by default.
pub const LISTEN: &str = "127.0.0.1:7700";

#[derive(Debug, Clone, Args)]
pub struct PageArgs {
    /// Host name by which other machines reach the page; may be repeated [default: this machine only]
    #[arg(long, value_name = "HOST", help_heading = OUTPUT)]
    pub allow_host: Vec<String>,
}

/// A page that is served until this is dropped.
pub struct Dashboard {
    address: String,
    board: Arc<DashboardFeed>,
    stop: Arc<Notify>,
    stopping: Arc<AtomicBool>,
    /// Named since the last look.
    expected: Arc<Mutex<Vec<ProfileId>>>,
    threads: Vec<JoinHandle<()>>,
}

pub fn dashboard(settings: &Settings, global: &GlobalArgs, args: DashboardArgs) -> Result<u8, CommandError> {
    super::log::to_stderr();
    load::check_assignments(settings, &args.browser.set)?;
    let program = std::env::current_exe()
        .map_err(|error| CommandError::usage(format!("cannot find this program's own file: {error}")))?;
    let runs = RunCommand::new(&program, &run_arguments(global, &args.browser));
    let workflow = report::workflow(settings);
    let page = Dashboard::start(settings, args.listen, &args.page, runs, &workflow)?;
    crate::report::say!("{}", page.address());
    let (stop, mut stopped) = tokio::sync::watch::channel(StopSeverity::default());
    block_on(async {
        let signals = signals::listen()?;
        tokio::select! {
            () = signals::ask_to_stop(signals, stop, |_| {}) => {}
            _ = stopped.changed() => {}
        }
        Ok(0)
    })
}

impl Dashboard {
    /// `workflow`: its name and steps.
    pub fn start(
        settings: &Settings,
        listen: SocketAddr,
        args: &PageArgs,
        runs: RunCommand,
        workflow: &(String, Vec<Flag>),
    ) -> Result<Self, CommandError> {
        if !listen.ip().is_loopback() && args.allow_host.is_empty() {
            return Err(CommandError::usage(format!("{listen} can be reached from other machines"))
                .hint("listen on 127.0.0.1 and use `ssh -L`, or say by which name others come: --allow-host NAME; they may read everything".to_owned()));
        }
        let listener = std::net::TcpListener::bind(listen)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| {
                CommandError::usage(format!("cannot listen on {listen}: {error}"))
                    .hint("another page may be served there; port 0 takes a free one".to_owned())
            })?;
        let listen = listener.local_addr().unwrap_or(listen);
        let generated = settings.dashboard_token.is_none();
        let token =
            settings.dashboard_token.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        // A token of the operator's own is known to the operator, and is not written anywhere.
        let behind = if generated { format!("#token={token}") } else { String::new() };
        let address = format!("http://{listen}/{behind}");
        let guard = RequestGuard::new(listen, &args.allow_host, Some(&token));
        let (name, flags) = workflow.clone();
        let board = Arc::new(DashboardFeed::new(&name, flags));
        let pids = Arc::new(Mutex::new(Vec::new()));
        let backend: Arc<dyn Backend> = Arc::new(FolderBackend {
            files: ProfileFiles::new(settings.layout.clone(), workflow.1.clone()),
            runs,
            pids: Arc::clone(&pids),
        });
        let mut page = Self {
            address,
            board: Arc::clone(&board),
            stop: Arc::new(Notify::new()),
            stopping: Arc::default(),
            expected: Arc::default(),
            threads: Vec::new(),
        };
        let watch = FolderWatcher::new(settings.layout.clone(), &workflow.1);
        let (stopping, following) = (Arc::clone(&page.stopping), Arc::clone(&board));
        let expected = Arc::clone(&page.expected);
        page.thread("dashboard-files", move || follow(watch, &expected, &following, &pids, &stopping))?;
        let stop = Arc::clone(&page.stop);
        page.thread("dashboard", move || {
            let served = block_on(async {
                let listener = TcpListener::from_std(listener)
                    .map_err(|error| CommandError::usage(format!("cannot serve the dashboard: {error}")))?;
                tokio::select! {
                    served = serve(listener, board, backend, guard) => {
                        served.map_err(|error| CommandError::usage(format!("the dashboard ended: {error}")))
                    }
                    () = stop.notified() => Ok(()),
                }
            });
            if let Err(failure) = served {
                tracing::warn!("{}", failure.into_parts().0);
            }
        })?;
        Ok(page)
    }

    /// To be opened, with the token where it was made here.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Without the token, for what may be kept in a log.
    pub fn address_to_read(&self) -> &str {
        self.address.split('#').next().unwrap_or_default()
    }

    /// Shows a profile though it has no file yet.
    pub fn expect(&self, profile: ProfileId) {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).push(profile);
    }

    pub fn note(&self, note: &OrchestratorStatus) {
        self.board.note(note.clone(), jiff::Timestamp::now());
    }

    fn thread(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), CommandError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
        let thread =
            thread.map_err(|error| CommandError::usage(format!("cannot start a thread: {error}")))?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_one();
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn follow(
    mut watch: FolderWatcher,
    expected: &Mutex<Vec<ProfileId>>,
    board: &DashboardFeed,
    pids: &Mutex<Vec<u32>>,
    stopping: &AtomicBool,
) {
    let mut first = true;
    while !stopping.load(Ordering::Acquire) {
        watch.expect(std::mem::take(&mut *expected.lock().unwrap_or_else(PoisonError::into_inner)));
        match watch.poll() {
            Ok(changed) if first || !changed.is_empty() => {
                first = false;
                let living = watch.views().filter_map(|view| view.pid).collect();
                *pids.lock().unwrap_or_else(PoisonError::into_inner) = living;
                board.publish(watch.views(), &changed, jiff::Timestamp::now());
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot follow the folder"),
        }
        // Woken only to stop.
        std::thread::park_timeout(watch.rest().max(Duration::from_millis(1)));
    }
}

struct FolderBackend {
    files: ProfileFiles,
    runs: RunCommand,
    /// The process ids of living runs.
    pids: Arc<Mutex<Vec<u32>>>,
}

impl Backend for FolderBackend {
    fn view(&self, profile: &ProfileId) -> Option<ProfileView> {
        self.files.view(profile)
    }

    fn events(&self, profile: &ProfileId, most: usize) -> Vec<Event> {
        self.files.events(profile, most)
    }

    fn log(&self, profile: &ProfileId, lines: usize) -> String {
        self.files.log(profile, lines)
    }

    fn artifact(&self, profile: &ProfileId, path: &str) -> Option<Vec<u8>> {
        self.files.artifact(profile, path)
    }

    fn memory(&self) -> u64 {
        resident_memory(&self.pids.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn act(&self, action: ProfileAction, profile: &ProfileId) -> Result<String, ActionRefusal> {
        perform(action, self.files.layout(), &self.runs, profile).map_err(|failure| {
            let (error, hint) = failure.into_parts();
            ActionRefusal { error, hint }
        })
    }
}
