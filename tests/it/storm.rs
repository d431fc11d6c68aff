//! Kills real processes at random until every profile is done: runs, browsers, the orchestrator and the
//! AdsPower emulator, while the site is slow and loses answers. The verdict comes from the ledger, then the
//! sessions, then the process table.
//!
//! `KILLS`, `PROFILES` and `SEED` set the size; `make storm` is the long one. The seed chooses victims
//! and moments; what the machine makes of them is its own.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use crate::support::program::{Folder, Found, Program};
use crate::support::sandbox::{SUBMISSIONS, Sandbox};

/// Where nothing dies any more, a step is completed in this time, on a slow machine too: steps wait for the
/// next two-factor code, and profiles for a slot.
const STEP_WITHIN: Duration = Duration::from_secs(300);
/// Between two kills, at most; and how long AdsPower is away.
const PAUSE: Duration = Duration::from_millis(900);
/// Between two searches for a process to kill, while all wait for their turn.
const SEARCH_INTERVAL: Duration = Duration::from_millis(20);
/// A process that is still there this long after the end is left over.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(2);

fn setting<T: FromStr>(name: &str, usual: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// AdsPower, which may die and comes back at the same address.
struct RestartableEmulator {
    address: SocketAddr,
    process: Child,
}

impl RestartableEmulator {
    fn start(folder: &Folder, profiles: usize) -> Self {
        let address = lasting_address();
        Self { address, process: Self::launch(folder, address, profiles) }
    }

    fn launch(folder: &Folder, address: SocketAddr, profiles: usize) -> Child {
        let program = Path::new(env!("CARGO_BIN_EXE_regatta")).with_file_name("examples").join("sandbox");
        let stderr = File::options().append(true).create(true).open(folder.beside("adspower.err")).unwrap();
        let mut process = Command::new(program)
            .args(["--exit-with-stdin", "--calls-per-second", "0", "--profile-count", &profiles.to_string()])
            .args(["--adspower", &address.to_string(), "--data"])
            .arg(folder.path("adspower"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(
            line.contains("adspower"),
            "the emulator did not come up: {}",
            folder.beside("adspower.err").display()
        );
        process
    }

    fn kill_and_restart(&mut self, folder: &Folder, profiles: usize, after: Duration) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        // Not to synchronise: AdsPower is away for a while.
        std::thread::sleep(after);
        self.process = Self::launch(folder, self.address, profiles);
    }
}

impl Drop for RestartableEmulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address that is still free when the emulator comes back: its port is below those that the system
/// gives to connections and to listeners that take any.
fn lasting_address() -> SocketAddr {
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], rand::random_range(10_240..32_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Run,
    Browser,
    Orchestrator,
    Emulator,
}

struct Storm {
    // In this order: processes that talk to the site end first.
    folder: Folder,
    emulator: RestartableEmulator,
    site: Sandbox,
    profiles: Vec<String>,
    random: StdRng,
    started: Instant,
    killed: BTreeMap<Victim, u32>,
    orchestrators: u32,
    asked: u32,
}

impl Storm {
    fn new(profiles: usize, seed: u64) -> Self {
        let folder = Folder::practice();
        let site = Sandbox::start(&folder.beside("site"));
        let emulator = RestartableEmulator::start(&folder, profiles);
        folder.write(
            "regatta.toml",
            &format!(
                "provider = \"adspower\"\n[adspower]\nbase_url = \"http://{}\"\ncalls_per_second = 50\n",
                emulator.address
            ),
        );
        let profiles: Vec<_> = (1..=profiles).map(|number| format!("p{number}")).collect();
        folder.write("profiles.txt", &profiles.join("\n"));
        let once: BTreeMap<_, _> = SUBMISSIONS.iter().map(|name| (name, 1)).collect();
        site.switch(&json!({
            "latency_ms": 10, "latency_jitter_ms": 60, "fail_after_accept": once,
            "fail_first": { "/mail": 3, "/store": 3, "/developers": 3 },
            "limit": { "/": 150 },
        }));
        Self {
            folder,
            emulator,
            site,
            profiles,
            random: StdRng::seed_from_u64(seed),
            started: Instant::now(),
            killed: BTreeMap::new(),
            orchestrators: 0,
            asked: 0,
        }
    }

    fn orchestrate(&mut self, max: usize) -> Program {
        self.orchestrators += 1;
        let (max, site) = (max.to_string(), format!("site={}", self.site.site()));
        self.folder.start(&[
            "orchestrate",
            "--max",
            &max,
            "--stagger",
            "50ms",
            "--retries",
            "3",
            "--set",
            &site,
        ])
    }

    /// Kills until there were `kills`, or all is done; the rest is left in peace.
    fn rage(&mut self, kills: u32, max: usize) -> u32 {
        let mut killed = 0;
        let mut fleet = self.orchestrate(max);
        let mut done = 0;
        let mut progress_at = Instant::now();
        let mut victim = None;
        loop {
            // Not to synchronise: the kills are to fall anywhere.
            std::thread::sleep(match victim {
                Some(_) => SEARCH_INTERVAL,
                None => self.random.random_range(Duration::ZERO..PAUSE),
            });
            if let Some(code) = fleet.ended() {
                if code == Some(0) {
                    return killed;
                }
                self.answer_all();
                fleet = self.orchestrate(max);
            }
            if killed == kills {
                let now_done = self.steps_done();
                if now_done > done {
                    (done, progress_at) = (now_done, Instant::now());
                }
                assert!(
                    progress_at.elapsed() < STEP_WITHIN,
                    "no step is completed any more:\n{}",
                    self.standing()
                );
                continue;
            }
            progress_at = Instant::now();
            let chosen = *victim.get_or_insert_with(|| match self.random.random_range(0..20) {
                0..10 => Victim::Run,
                10..15 => Victim::Browser,
                15..18 => Victim::Orchestrator,
                _ => Victim::Emulator,
            });
            let found = self.folder.processes();
            let mut choose = |is: &dyn Fn(&Found) -> bool| {
                let of_kind: Vec<_> = found.iter().filter(|found| is(found)).collect();
                (!of_kind.is_empty()).then(|| of_kind[self.random.random_range(0..of_kind.len())].clone())
            };
            let found = match chosen {
                Victim::Run => choose(&Found::is_run),
                Victim::Browser => choose(&Found::is_browser),
                Victim::Orchestrator | Victim::Emulator => None,
            };
            match (chosen, found) {
                // A process lives again soon.
                (Victim::Run | Victim::Browser, None) => continue,
                (_, Some(found)) => found.kill(),
                (Victim::Orchestrator, None) => {
                    fleet.kill();
                    fleet = self.orchestrate(max);
                }
                (Victim::Emulator, None) => {
                    let away = self.random.random_range(Duration::ZERO..PAUSE);
                    self.emulator.kill_and_restart(&self.folder, self.profiles.len(), away);
                }
            }
            victim = None;
            killed += 1;
            *self.killed.entry(chosen).or_default() += 1;
        }
    }

    fn steps_done(&self) -> usize {
        let flags = |profile| self.folder.session(profile).unwrap_or_default()["completion_flags"].clone();
        let set = |flags: serde_json::Value| {
            flags.as_object().map_or(0, |flags| flags.values().filter(|done| **done == true).count())
        };
        self.profiles.iter().map(|profile| set(flags(profile))).sum()
    }

    /// The profiles that are not completed, and the processes that live.
    fn standing(&self) -> String {
        let sessions = self.profiles.iter().filter_map(|profile| self.folder.session(profile));
        let open: Vec<_> = sessions
            .filter(|session| session["status"] != "COMPLETED")
            .map(|session| format!("{session:#}"))
            .collect();
        format!("{}\n{:#?}", open.join("\n"), self.folder.processes())
    }

    /// A person who looks into the ledger and says what is there.
    fn answer_all(&mut self) {
        for profile in &self.profiles {
            let session = self.folder.session(profile).unwrap_or_default();
            if session["status"] != "NEEDS_ATTENTION" {
                continue;
            }
            let step = SUBMISSIONS.iter().position(|flag| session["in_flight"]["flag"] == *flag);
            let done = step.is_some_and(|step| self.site.counts(profile)[step] > 0);
            println!("{profile} needs a person: {}", session["last_error"]["message"]);
            let answer = if done { "--done" } else { "--again" };
            // Its run may be at its end still; then it is asked about again.
            self.folder.run(&["resolve", profile, answer]);
            self.asked += 1;
        }
    }

    /// What came of it; nothing that must not.
    fn verdict(&self) -> Total {
        // Not to synchronise: that nothing is left after this time is the promise.
        std::thread::sleep(LEFT_OVER_AFTER);
        let left: Vec<_> = self.folder.processes();
        let emulator = self.emulator.process.id();
        let left: Vec<_> = left.into_iter().filter(|found| found.pid != emulator).collect();
        let mut missing = 0;
        let mut twice = 0;
        for profile in &self.profiles {
            for (flag, count) in SUBMISSIONS.iter().zip(self.site.counts(profile)) {
                missing += u64::from(count == 0);
                twice += count.saturating_sub(1);
                if count != 1 {
                    println!("{profile}: {flag} {count} times\n{:#}", self.folder.session(profile).unwrap());
                }
            }
        }
        let holdings = self.site.holdings();
        let lacks = |profile: &&String| {
            let identity = &self.folder.session(profile).unwrap()["identity"];
            ["password", "two_fa_secret"]
                .iter()
                .any(|field| identity[field] != holdings[profile.as_str()][field])
        };
        let lacking: Vec<_> = self.profiles.iter().filter(lacks).collect();
        for profile in &lacking {
            println!("{profile} lacks what the site holds: {:#}", self.folder.session(profile).unwrap());
        }
        let total = Total {
            killed: self.killed.clone(),
            orchestrators: self.orchestrators,
            asked: self.asked,
            profiles: self.profiles.len(),
            submissions: self.site.ledger()["total"].as_u64().unwrap(),
            time: self.started.elapsed(),
            wrong: [missing, twice, left.len() as u64, lacking.len() as u64],
        };
        println!("{total}");
        assert_eq!((missing, twice), (0, 0));
        assert!(left.is_empty(), "left over: {left:#?}");
        assert!(lacking.is_empty(), "sessions that lack what the site holds: {lacking:?}");
        for profile in &self.profiles {
            let session = self.folder.session(profile).unwrap();
            assert_eq!(session["status"], "COMPLETED", "{session:#}");
            assert!(SUBMISSIONS.iter().all(|flag| session["completion_flags"][flag] == true), "{session:#}");
            assert_eq!(session.get("in_flight"), None, "{session:#}");
        }
        let profiles: Vec<_> = self.profiles.iter().map(String::as_str).collect();
        self.site.assert_once_each(&profiles);
        total
    }
}

/// Of one fleet, or of several.
#[derive(Default)]
struct Total {
    killed: BTreeMap<Victim, u32>,
    /// Processes that were started as one.
    orchestrators: u32,
    /// Questions that a person answered.
    asked: u32,
    profiles: usize,
    submissions: u64,
    time: Duration,
    /// Lost, twice, left over, sessions that lack what the site holds.
    wrong: [u64; 4],
}

impl Total {
    fn add(&mut self, other: &Self) {
        for (victim, count) in &other.killed {
            *self.killed.entry(*victim).or_default() += count;
        }
        self.orchestrators += other.orchestrators;
        self.asked += other.asked;
        self.profiles += other.profiles;
        self.submissions += other.submissions;
        self.time += other.time;
        self.wrong.iter_mut().zip(other.wrong).for_each(|(sum, more)| *sum += more);
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kills: u32 = self.killed.values().sum();
        let of = |victim| self.killed.get(&victim).copied().unwrap_or_default();
        let (runs, browsers) = (of(Victim::Run), of(Victim::Browser));
        let (fleets, emulators) = (of(Victim::Orchestrator), of(Victim::Emulator));
        let [lost, twice, left, lacking] = self.wrong;
        write!(
            f,
            "{kills} kills ({runs} runs, {browsers} browsers, {fleets} orchestrators, {emulators} of AdsPower), \
             {} profiles, {} submissions, {} orchestrators, {} questions: \
             {lost} lost, {twice} twice, {left} left over, {lacking} lacking; {} s",
            self.profiles,
            self.submissions,
            self.orchestrators,
            self.asked,
            self.time.as_secs(),
        )
    }
}

#[test]
fn whatever_is_killed_nothing_is_lost_or_done_twice_or_left_over() {
    let mut kills: u32 = setting("KILLS", 12);
    let profiles: usize = setting("PROFILES", 3);
    let mut seed: u64 = setting("SEED", rand::random());
    let mut total = Total::default();
    while kills > 0 {
        println!("SEED={seed} KILLS={kills} PROFILES={profiles}");
        let mut storm = Storm::new(profiles, seed);
        kills -= storm.rage(kills, profiles.min(4));
        total.add(&storm.verdict());
        // Profiles that are done are killed no more: the others die in another fleet.
        seed = seed.wrapping_add(1);
    }
    println!("in all: {total}");
}
