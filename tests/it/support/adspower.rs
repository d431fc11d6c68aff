//! A folder whose profiles AdsPower's emulator opens, and what a person does in AdsPower meanwhile.

use std::process::Command;

use serde_json::{Value, json};

use super::EndsBrowsers;
use super::program::{Folder, Program};
use super::sandbox::{SUBMISSIONS, Sandbox};

pub struct AdsPowerFixture {
    // First of all the runs are ended, then what they talk to.
    pub folder: Folder,
    pub sandbox: Sandbox,
    /// What a person has opened outlives the emulator, which is killed.
    _ends: Vec<EndsBrowsers>,
}

impl AdsPowerFixture {
    pub fn new() -> Self {
        Self::with_faults(&[])
    }

    pub fn with_faults(faults: &[Value]) -> Self {
        let folder = Folder::practice();
        let sandbox = Sandbox::with_adspower(&folder.beside("sandbox"), faults);
        Self::of(folder, sandbox)
    }

    /// AdsPower's security verification is on.
    pub fn with_key(key: &str) -> Self {
        let folder = Folder::practice();
        let sandbox = Sandbox::with_adspower_key(&folder.beside("sandbox"), key);
        Self::of(folder, sandbox)
    }

    fn of(folder: Folder, sandbox: Sandbox) -> Self {
        let browsers = folder.beside("sandbox").join("browsers");
        let ends = (1..=5).map(|number| EndsBrowsers(browsers.join(format!("p{number}")))).collect();
        let place = Self { folder, sandbox, _ends: ends };
        place.settings("");
        place
    }

    /// More lines below `[adspower]`.
    pub fn settings(&self, more: &str) {
        let text = format!("provider = \"adspower\"\n[adspower]\ncalls_per_second = 50.0\n{more}");
        self.folder.write("regatta.toml", &text);
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let (site, adspower) = (format!("site={}", self.sandbox.site()), self.sandbox.adspower());
        let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
        command.arg("-C").arg(self.folder.root()).args(arguments);
        command.args(["--set", &site, "--adspower-url", &adspower]);
        command
    }

    pub fn start(&self, arguments: &[&str]) -> Program {
        self.folder.start_command(self.command(arguments))
    }

    /// Steps of the profile are done, and its run has only that to say.
    pub fn is_done(&self, profile: &str) {
        let flags: serde_json::Map<_, _> =
            SUBMISSIONS.map(|flag| (flag.to_owned(), json!(true))).into_iter().collect();
        let session = json!({ "profile_id": profile, "status": "PENDING", "platform": "desktop",
            "completion_flags": flags, "identity": {} });
        self.folder.write(&format!("state/{profile}.json"), &session.to_string());
    }
}
