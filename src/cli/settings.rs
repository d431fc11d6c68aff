//! Arguments, `regatta.toml` and environment, resolved once. Nothing below this file sees clap or
//! the environment.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use schemars::{JsonSchema, Schema, schema_for};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;
use url::Url;

use super::command_error::CommandError;
use super::global_args::{ColorChoice, GlobalArgs, ProviderName};
use super::quantity::{Bytes, MaxRuns, parse_age};
use crate::defaults;
use crate::providers::adspower::ApiVersion;
use crate::providers::chromium::executable::BrowserChoice;
use crate::report::notify::Webhook;
use crate::store::Layout;
use crate::store::retention::Retention;
use regatta_core::diagnostic::FileDiagnostic;
use regatta_core::evidence::TraceMode;
use regatta_core::session::Platform;
use regatta_core::site_busy::BUSY_RETRIES;
use regatta_core::text_file::TextFile;
use regatta_core::workflow::launch::{DeviceScale, LaunchSettings};
use regatta_core::workflow::{parse_duration, toml_error};

pub const SETTINGS_FILE: &str = "regatta.toml";

#[derive(Debug)]
pub struct Settings {
    pub layout: Layout,
    pub workflow: PathBuf,
    pub provider: ProviderName,
    /// The platform of sessions that do not exist yet.
    pub platform: Platform,
    /// When the trace of an attempt is kept.
    pub trace: TraceMode,
    /// The files that `clean`, and a fleet at its end, remove.
    pub retention: Retention,
    pub fleet: FleetSettings,
    pub source: SourceSettings,
    pub outcomes: OutcomeSettings,
    pub chromium: ChromiumFile,
    pub adspower: AdsPowerFile,
    /// The value of the variable that `adspower.key_env` names.
    pub adspower_key: Option<String>,
    /// `CHROME`, `CHROME_HEADLESS_SHELL` and `PATH`.
    pub chrome_variable: Option<OsString>,
    pub headless_shell_variable: Option<OsString>,
    pub path: Option<OsString>,
    /// Receives the fleet's end, and each profile that needs a person.
    pub webhook: Option<Webhook>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, or that of traces alone, is set: traces are sent.
    pub otlp: bool,
    /// `REGATTA_DASHBOARD_TOKEN`: who knows it may act on the page.
    pub dashboard_token: Option<String>,
    pub color: bool,
    pub terminal: bool,
}

#[derive(Debug, Clone)]
pub struct FleetSettings {
    pub max: MaxRuns,
    pub stagger: Duration,
    pub retries: u32,
    /// How often a profile goes back into the queue because its site is busy.
    pub busy_retries: u32,
    pub run_timeout: Option<Duration>,
    /// `None`: by the longest step.
    pub stall: Option<Duration>,
    pub min_free_memory: Option<u64>,
    pub max_load: Option<f64>,
}

/// Where profiles come from, as the file says it.
#[derive(Debug, Clone, Default)]
pub struct SourceSettings {
    pub from: Option<String>,
    pub query: Option<String>,
    /// A channel of Postgres on which something new is announced.
    pub listen: Option<String>,
    pub follow: Option<Duration>,
    pub credentials: Credentials,
}

/// Where outcomes go, as the file says it.
#[derive(Debug, Clone, Default)]
pub struct OutcomeSettings {
    pub to: Option<String>,
    pub statement: Option<String>,
    pub credentials: Credentials,
}

/// Read from the variables that the file names. A missing variable is an error only where its value is used.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    password: Credential,
    token: Credential,
}

#[derive(Debug, Clone, Default)]
struct Credential {
    variable: Option<String>,
    value: Option<SecretString>,
}

impl Credentials {
    fn read(password_env: Option<String>, token_env: Option<String>) -> Self {
        let read = |variable: Option<String>| {
            let value = variable.as_ref().and_then(|name| std::env::var(name).ok());
            let value = value.filter(|value| !value.is_empty()).map(SecretString::from);
            Credential { variable, value }
        };
        Self { password: read(password_env), token: read(token_env) }
    }

    pub fn password(&self) -> Result<Option<&SecretString>, CommandError> {
        self.password.get()
    }

    pub fn token(&self) -> Result<Option<&SecretString>, CommandError> {
        self.token.get()
    }
}

impl Credential {
    fn get(&self) -> Result<Option<&SecretString>, CommandError> {
        match (&self.variable, &self.value) {
            (Some(name), None) => Err(CommandError::usage(format!(
                "{SETTINGS_FILE} names the variable `{name}`, and it is not set"
            ))
            .hint(format!("set it where regatta is started: export {name}=…"))),
            (_, value) => Ok(value.as_ref()),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChromiumFile {
    pub browser: BrowserChoice,
    pub executable: Option<PathBuf>,
    pub headless_shell: Option<PathBuf>,
    pub arguments: Vec<String>,
    #[schemars(with = "Option<String>")]
    start_timeout: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdsPowerFile {
    pub base_url: Option<String>,
    pub api: ApiVersion,
    pub key_env: Option<String>,
    pub calls_per_second: Option<f64>,
    pub launch_arguments: Vec<String>,
    headless: Option<bool>,
    last_opened_tabs: Option<bool>,
    proxy_detection: Option<bool>,
    cdp_mask: Option<bool>,
    delete_cache: Option<bool>,
    #[schemars(with = "Option<f64>", range(min = 0.1, max = 10.0))]
    device_scale: Option<DeviceScale>,
    #[schemars(with = "Option<String>")]
    start_timeout: Option<Spanned<String>>,
    #[schemars(with = "Option<String>")]
    stop_timeout: Option<Spanned<String>>,
    #[schemars(with = "Option<String>")]
    kernel_timeout: Option<Spanned<String>>,
}

impl ChromiumFile {
    pub fn start_timeout(&self) -> Duration {
        bound(self.start_timeout.as_ref(), defaults::CHROMIUM_START)
    }
}

impl AdsPowerFile {
    pub fn start_timeout(&self) -> Duration {
        bound(self.start_timeout.as_ref(), defaults::ADSPOWER_START)
    }

    pub fn stop_timeout(&self) -> Duration {
        bound(self.stop_timeout.as_ref(), defaults::ADSPOWER_STOP)
    }

    pub fn kernel_timeout(&self) -> Duration {
        bound(self.kernel_timeout.as_ref(), defaults::ADSPOWER_KERNEL)
    }

    /// For every profile that says nothing else.
    pub const fn launch(&self) -> LaunchSettings {
        LaunchSettings {
            headless: self.headless,
            last_opened_tabs: self.last_opened_tabs,
            proxy_detection: self.proxy_detection,
            cdp_mask: self.cdp_mask,
            delete_cache: self.delete_cache,
            device_scale: self.device_scale,
        }
    }
}

impl Settings {
    pub fn resolve(args: &GlobalArgs) -> Result<Self, CommandError> {
        let root = &args.folder;
        if !root.is_dir() {
            return Err(no_folder(root));
        }
        let (file, text) = read_settings(root)?;
        let error = |at, problem: String| Box::new(FileDiagnostic::new(SETTINGS_FILE, &text, at, problem));
        let time = |written: Option<&Spanned<String>>| match written {
            None => Ok(None),
            Some(written) => {
                let parsed = parse_duration(written.get_ref());
                parsed.map(Some).map_err(|problem| error(written.span(), problem.to_string()))
            }
        };
        time(file.chromium.start_timeout.as_ref())?;
        let adspower = &file.adspower;
        for written in [&adspower.start_timeout, &adspower.stop_timeout, &adspower.kernel_timeout] {
            time(written.as_ref())?;
        }
        let stagger = time(file.fleet.stagger.as_ref())?.unwrap_or(defaults::STAGGER);
        let follow = time(file.source.follow.as_ref())?;
        let run_timeout = time(file.fleet.run_timeout.as_ref())?;
        let stall = time(file.fleet.stall.as_ref())?;
        if let Some(load) =
            file.fleet.max_load.as_ref().filter(|load| load.get_ref().is_nan() || *load.get_ref() <= 0.0)
        {
            return Err(error(load.span(), "`max_load` must be above 0".to_owned()).into());
        }
        let webhook = match &file.notify.webhook {
            None => None,
            Some(written) => {
                let secret = file.notify.secret_env.as_deref().map(|name| {
                    std::env::var(name).map_err(|_| {
                        CommandError::usage(format!(
                            "{SETTINGS_FILE}: notify.secret_env names `{name}`, which is not set"
                        ))
                        .hint("messages would not be signed: set it, or take `secret_env` away".to_owned())
                    })
                });
                let secret = secret.transpose()?;
                let url = written.get_ref().parse::<Url>().map_err(|problem| problem.to_string());
                let webhook = url.and_then(|url| Webhook::new(url, secret.as_deref()));
                // The place in the file would quote the address, which may hold a secret.
                Some(webhook.map_err(|problem| {
                    CommandError::usage(format!("{SETTINGS_FILE}: notify.webhook: {problem}"))
                })?)
            }
        };
        let age = |written: Option<&Spanned<String>>| match written {
            None => Ok(None),
            Some(written) => {
                let parsed = parse_age(written.get_ref());
                parsed.map(Some).map_err(|problem| error(written.span(), problem))
            }
        };
        let retention = Retention {
            browsers: file.folders.clean_browsers.is_some(),
            artifacts: age(file.folders.clean_artifacts.as_ref())?,
            logs: age(file.folders.clean_logs.as_ref())?,
            most_artifacts: file.folders.max_artifacts.map(|Bytes(bytes)| bytes),
        };
        let mut adspower = file.adspower;
        if let Some(rate) = adspower.calls_per_second.filter(|rate| !(0.01..=100.0).contains(rate)) {
            return Err(CommandError::usage(format!("{SETTINGS_FILE}: adspower.calls_per_second is {rate}"))
                .hint("expected 0.01 to 100; AdsPower allows 1 or 2, see its documentation".to_owned()));
        }
        if let Some(url) = &args.adspower_url {
            adspower.base_url = Some(url.clone());
        }
        let adspower_key = adspower.key_env.as_deref().and_then(|name| std::env::var(name).ok());
        let adspower_key = adspower_key.filter(|key| !key.is_empty());
        let terminal = std::io::stdout().is_terminal();
        Ok(Self {
            layout: file.folders.layout(root),
            workflow: root.join(file.workflow.as_deref().unwrap_or(Path::new("workflow.toml"))),
            provider: args.provider.unwrap_or(file.provider),
            platform: file.platform,
            trace: file.trace,
            retention,
            fleet: FleetSettings {
                max: file.fleet.max.unwrap_or(MaxRuns::Of(defaults::MAX_RUNS)),
                stagger,
                retries: file.fleet.retries.unwrap_or(defaults::RETRIES),
                busy_retries: file.fleet.busy_retries.unwrap_or(BUSY_RETRIES),
                run_timeout,
                stall,
                min_free_memory: file.fleet.min_free_memory.map(|Bytes(bytes)| bytes),
                max_load: file.fleet.max_load.map(Spanned::into_inner),
            },
            source: SourceSettings {
                credentials: Credentials::read(file.source.password_env, file.source.token_env),
                from: file.source.from,
                query: file.source.query,
                listen: file.source.listen,
                follow,
            },
            outcomes: OutcomeSettings {
                credentials: Credentials::read(file.outcomes.password_env, file.outcomes.token_env),
                to: file.outcomes.to,
                statement: file.outcomes.statement,
            },
            chromium: file.chromium,
            adspower,
            adspower_key,
            chrome_variable: variable("CHROME"),
            headless_shell_variable: variable("CHROME_HEADLESS_SHELL"),
            path: std::env::var_os("PATH"),
            webhook,
            otlp: ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
                .iter()
                .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())),
            dashboard_token: std::env::var("REGATTA_DASHBOARD_TOKEN").ok().filter(|token| !token.is_empty()),
            color: wants_color(args.color, terminal),
            terminal,
        })
    }
}

fn no_folder(root: &Path) -> CommandError {
    if root.exists() {
        let folder = root.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return CommandError::usage(format!(
            "`{}` is a file, and -C takes the operator's folder",
            root.display()
        ))
        .hint(format!("name the folder it lies in: -C {}", folder.display()));
    }
    CommandError::usage(format!("there is no folder `{}`", root.display()))
        .hint(format!("make one that runs: regatta init {}", root.display()))
}

/// A variable of the environment; one that is empty is not set.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// `auto` asks the terminal, <https://no-color.org> and `TERM=dumb`.
pub fn wants_color(choice: ColorChoice, terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            terminal && !refused && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// `--set` as variables. Every value is text.
pub fn variables(assignments: &[(String, String)]) -> Map<String, Value> {
    assignments.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect()
}

fn read_settings(root: &Path) -> Result<(SettingsFile, String), CommandError> {
    let path = root.join(SETTINGS_FILE);
    let text = match std::fs::read(&path) {
        Ok(bytes) => TextFile::decode(SETTINGS_FILE, bytes)?.text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(CommandError::usage(format!("cannot read `{}`: {error}", path.display())));
        }
    };
    let file = toml::from_str(&text).map_err(|error| toml_error(SETTINGS_FILE, &text, &error))?;
    Ok((file, text))
}

/// Returns the JSON Schema of `regatta.toml`, for editors.
pub fn schema() -> Schema {
    schema_for!(SettingsFile)
}

fn bound(written: Option<&Spanned<String>>, default: Duration) -> Duration {
    written.and_then(|written| parse_duration(written.get_ref()).ok()).unwrap_or(default)
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct SettingsFile {
    workflow: Option<PathBuf>,
    provider: ProviderName,
    platform: Platform,
    trace: TraceMode,
    folders: FoldersFile,
    fleet: FleetFile,
    source: SourceFile,
    outcomes: OutcomesFile,
    chromium: ChromiumFile,
    adspower: AdsPowerFile,
    notify: NotifyFile,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct NotifyFile {
    #[schemars(with = "Option<String>")]
    webhook: Option<Spanned<String>>,
    secret_env: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemovableBrowsers {
    Completed,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct FoldersFile {
    state: Option<PathBuf>,
    logs: Option<PathBuf>,
    artifacts: Option<PathBuf>,
    clean_browsers: Option<RemovableBrowsers>,
    #[schemars(with = "Option<String>")]
    clean_artifacts: Option<Spanned<String>>,
    #[schemars(with = "Option<String>")]
    clean_logs: Option<Spanned<String>>,
    max_artifacts: Option<Bytes>,
}

impl FoldersFile {
    fn layout(&self, root: &Path) -> Layout {
        let usual = |folder: &Option<PathBuf>, name: &str| folder.clone().unwrap_or_else(|| name.into());
        Layout::new(root)
            .with_state(usual(&self.state, "state"))
            .with_logs(usual(&self.logs, "logs"))
            .with_artifacts(usual(&self.artifacts, "artifacts"))
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct FleetFile {
    max: Option<MaxRuns>,
    #[schemars(with = "Option<String>")]
    stagger: Option<Spanned<String>>,
    retries: Option<u32>,
    busy_retries: Option<u32>,
    #[schemars(with = "Option<String>")]
    run_timeout: Option<Spanned<String>>,
    #[schemars(with = "Option<String>")]
    stall: Option<Spanned<String>>,
    min_free_memory: Option<Bytes>,
    #[schemars(with = "Option<f64>")]
    max_load: Option<Spanned<f64>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct SourceFile {
    from: Option<String>,
    query: Option<String>,
    listen: Option<String>,
    #[schemars(with = "Option<String>")]
    follow: Option<Spanned<String>>,
    password_env: Option<String>,
    token_env: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct OutcomesFile {
    to: Option<String>,
    statement: Option<String>,
    password_env: Option<String>,
    token_env: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::command_line::Cli;

    #[test]
    fn the_help_of_orchestrate_shows_the_defaults() {
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("orchestrate").unwrap().render_help().to_string();
        for (option, default) in [
            ("--max", defaults::MAX_RUNS.to_string()),
            ("--retries", defaults::RETRIES.to_string()),
            ("--stagger", format!("{:?}", defaults::STAGGER)),
        ] {
            let line = help.lines().find(|line| line.trim_start().starts_with(option)).unwrap();
            assert!(line.contains(&format!("[default: {default}]")), "{line}");
        }
    }
}
