//! Reads what a run follows, and builds the provider the settings name.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::command_error::CommandError;
use super::global_args::ProviderName;
use super::settings::{SETTINGS_FILE, Settings, variables};
use crate::defaults;
use crate::providers::adspower::{AdsPower, AdsPowerSettings};
use crate::providers::chromium::executable::ChromiumPrograms;
use crate::providers::chromium::{Chromium, ChromiumSettings};
use crate::providers::{OnProviderNews, Provider, ProviderNews};
use crate::store::{Layout, filesystem};
use regatta_core::diagnostic::FileDiagnostic;
use regatta_core::event::play as play_event;
use regatta_core::flow::{self, Action, Flow};
use regatta_core::id::ProfileId;
use regatta_core::session::{Platform, Session};
use regatta_core::suggestion::did_you_mean;
use regatta_core::text_file::TextFile;
use regatta_core::workflow;
use regatta_core::workflow::launch::LaunchSettings;
use regatta_core::workflow::plan::{Plan, ProfileSettings};
use regatta_core::workflow::template::is_template;

/// Assembles the plan. `--set` replaces variables that the workflow declares; paths of flows are relative
/// to the workflow.
pub fn plan(settings: &Settings, assignments: &[(String, String)]) -> Result<Plan, CommandError> {
    let path = &settings.workflow;
    let (name, text) = read_workflow(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let workflow = workflow::parse(&name, &text)?;
    refuse_undeclared(assignments, "the workflow", workflow.variables.keys().map(String::as_str))?;
    let plan = Plan::assemble(&name, &text, workflow, &variables(assignments), |flow_name| {
        let path = folder.join(&flow_name.value);
        let bytes = std::fs::read(&path).map_err(|error| {
            let problem = format!("cannot read the flow `{}`: {error}", path.display());
            Box::new(
                FileDiagnostic::new(&name, &text, flow_name.at.clone(), problem)
                    .help("flows stand relative to the workflow file"),
            )
        })?;
        let file = TextFile::decode(&flow_name.value, bytes)?;
        parse_flow(&flow_name.value, &path, &file.text)
    })?;
    Ok(plan)
}

/// A variable that is set and that nothing declares is most often a misspelt one: the run would go on
/// with the default, say to another site.
fn refuse_undeclared<'a>(
    assignments: &[(String, String)],
    owner: &str,
    declared: impl Iterator<Item = &'a str>,
) -> Result<(), CommandError> {
    let mut names = Vec::new();
    for name in declared {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let undeclared = assignments.iter().find(|(name, _)| !names.contains(&name.as_str()));
    undeclared.map_or(Ok(()), |(name, _)| {
        Err(CommandError::usage(format!("--set {name}=…: {owner} has no variable `{name}`"))
            .hint(did_you_mean(name, "its variables", &names)))
    })
}

/// For a command whose runs come later, and which works without a workflow that can be read.
pub fn check_assignments(settings: &Settings, assignments: &[(String, String)]) -> Result<(), CommandError> {
    let workflow = read_workflow(&settings.workflow);
    let workflow = workflow.and_then(|(name, text)| Ok(workflow::parse(&name, &text)?));
    workflow.map_or(Ok(()), |workflow| {
        refuse_undeclared(assignments, "the workflow", workflow.variables.keys().map(String::as_str))
    })
}

/// The workflow's variables and origins, without its steps; `None` where the folder has no workflow.
/// Variables that `flow` uses may be set too: it is being written, and the workflow follows.
pub fn workflow_setting(
    settings: &Settings,
    assignments: &[(String, String)],
    flow: &Flow,
    profile: &ProfileId,
    platform: Platform,
) -> Result<Option<ProfileSettings>, CommandError> {
    let path = &settings.workflow;
    let used = play_event::variables(flow);
    let used = used.iter().map(String::as_str);
    if !path.exists() {
        refuse_undeclared(assignments, "the flow", used)?;
        return Ok(None);
    }
    let (name, text) = read_workflow(path)?;
    let mut workflow = workflow::parse(&name, &text)?;
    refuse_undeclared(
        assignments,
        "the workflow",
        workflow.variables.keys().map(String::as_str).chain(used),
    )?;
    workflow.steps.clear();
    let none = |_: &_| unreachable!("a workflow without steps names no flow");
    let plan = Plan::assemble(&name, &text, workflow, &variables(assignments), none)?;
    Ok(Some(plan.settings_for(profile, platform)?))
}

/// A flow by its path, which stands as the shell gave it, or else in the folder.
pub fn flow(settings: &Settings, path: &Path) -> Result<Flow, CommandError> {
    let in_folder = settings.layout.root().join(path);
    let found = if path.exists() { path } else { &in_folder };
    let bytes = std::fs::read(found).map_err(|error| {
        CommandError::usage(format!("cannot read the flow `{}`: {error}", path.display()))
            .hint("record one in the Recorder panel of Chrome's DevTools and export it as JSON".to_owned())
    })?;
    // As a workflow names it, so that both remember its selectors together.
    let name = found.strip_prefix(settings.layout.root()).unwrap_or(path).display().to_string();
    let file = TextFile::decode(&name, bytes)?;
    Ok(parse_flow(&name, found, &file.text)?)
}

fn read_workflow(path: &Path) -> Result<(String, String), CommandError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let bytes = std::fs::read(path).map_err(|error| {
        CommandError::usage(format!("cannot read the workflow `{}`: {error}", path.display()))
            .hint("`regatta init DIR` makes a folder that runs; -C DIR works in another folder".to_owned())
    })?;
    let file = TextFile::decode(&name, bytes)?;
    Ok((name, file.text))
}

/// With the files it uploads looked for, where their names are known already.
fn parse_flow(name: &str, path: &Path, text: &str) -> Result<Flow, Box<FileDiagnostic>> {
    let mut flow = flow::parse(name, text)?;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    flow.folder = path.parent().unwrap_or(Path::new("")).to_owned();
    for step in flow.all_steps() {
        let Action::Upload { files, .. } = &step.action else { continue };
        let missing = |file: &&String| !is_template(file) && !flow.folder.join(file).is_file();
        if let Some(file) = files.iter().find(missing) {
            let problem = format!("step {} (regatta.upload): there is no file `{file}`", step.number);
            let help =
                format!("files stand relative to the flow: looked for {}", flow.folder.join(file).display());
            return Err(Box::new(flow.error_at(step, problem).help(help)));
        }
    }
    Ok(flow)
}

/// The folders a run needs. Says so where they lie on another machine: it may well work, and may not.
pub fn create_folders(settings: &Settings) -> Result<(), CommandError> {
    settings.layout.create_folders()?;
    if let Some(kind) = filesystem::network(settings.layout.state()) {
        tracing::warn!(
            "{} lies on {kind}: if its locks do not hold, a profile may be run twice; put the folder on a local disk",
            settings.layout.state().display()
        );
    }
    Ok(())
}

pub fn provider(
    settings: &Settings,
    observer: Option<OnProviderNews>,
) -> Result<Arc<dyn Provider>, CommandError> {
    provider_of(settings, LaunchSettings::default(), observer)
}

/// For a profile with launch settings of its own.
pub fn provider_of(
    settings: &Settings,
    launch: LaunchSettings,
    observer: Option<OnProviderNews>,
) -> Result<Arc<dyn Provider>, CommandError> {
    match settings.provider {
        ProviderName::Chromium => Ok(Arc::new(chromium(settings, settings.layout.clone()))),
        ProviderName::Adspower => Ok(Arc::new(adspower_of(settings, launch, observer)?)),
    }
}

/// Returns the session's settings for AdsPower's start of the profile.
pub fn launch(session: &Session) -> Result<LaunchSettings, CommandError> {
    LaunchSettings::from_fields(&session.adspower).map_err(|error| {
        CommandError::usage(format!("`adspower` of the session of {}: {error}", session.profile_id))
            .hint("correct it in the session's file while no run holds the profile".to_owned())
    })
}

/// Whether a browser is opened without a window: what the command line says, then the profile, then the
/// folder.
pub fn headless(settings: &Settings, headed: bool, launch: LaunchSettings) -> bool {
    let asked_for = match settings.provider {
        ProviderName::Chromium => None,
        ProviderName::Adspower => launch.or(settings.adspower.launch()).headless,
    };
    !headed && asked_for.unwrap_or(true)
}

/// Returns a channel of provider events, and the observer that feeds it.
pub fn provider_news() -> (UnboundedReceiver<ProviderNews>, OnProviderNews) {
    let (sender, receiver) = unbounded_channel();
    // A closed channel drops the event.
    let observer = move |news| drop(sender.send(news));
    (receiver, Arc::new(observer))
}

/// Where the programs of a local Chromium are looked for.
pub fn programs(settings: &Settings) -> ChromiumPrograms {
    let file = &settings.chromium;
    ChromiumPrograms {
        choice: file.browser,
        headless_shell: file.headless_shell.clone(),
        executable: file.executable.clone(),
        headless_shell_variable: settings.headless_shell_variable.clone().map(Into::into),
        chrome_variable: settings.chrome_variable.clone().map(Into::into),
        search_path: settings.path.clone(),
    }
}

/// A local Chromium with its user data in `layout`.
pub fn chromium(settings: &Settings, layout: Layout) -> Chromium {
    Chromium::new(layout, chromium_settings(settings))
}

pub fn chromium_settings(settings: &Settings) -> ChromiumSettings {
    ChromiumSettings {
        programs: programs(settings),
        args: settings.chromium.arguments.clone(),
        start_timeout: settings.chromium.start_timeout(),
    }
}

pub fn adspower(settings: &Settings, observer: Option<OnProviderNews>) -> Result<AdsPower, CommandError> {
    adspower_of(settings, LaunchSettings::default(), observer)
}

fn adspower_of(
    settings: &Settings,
    launch: LaunchSettings,
    observer: Option<OnProviderNews>,
) -> Result<AdsPower, CommandError> {
    let file = &settings.adspower;
    if let (Some(name), None) = (&file.key_env, &settings.adspower_key) {
        return Err(CommandError::usage(format!(
            "{SETTINGS_FILE}: `key_env` of [adspower] names the variable `{name}`, and it is not set"
        ))
        .hint(format!("set it to AdsPower's API key where regatta is started: export {name}=…")));
    }
    let api = AdsPowerSettings {
        base_url: file.base_url.clone().unwrap_or_else(|| defaults::ADSPOWER_URL.to_owned()),
        api: file.api,
        key: settings.adspower_key.clone().map(Into::into),
        key_env: file.key_env.clone(),
        calls_per_second: file.calls_per_second.unwrap_or(defaults::ADSPOWER_CALLS_PER_SECOND),
        start_timeout: file.start_timeout(),
        restart_timeout: defaults::ADSPOWER_RESTART,
        stop_timeout: file.stop_timeout(),
        kernel_timeout: file.kernel_timeout(),
        launch: launch.or(file.launch()),
        launch_args: file.launch_arguments.clone(),
    };
    Ok(AdsPower::new(settings.layout.clone(), api, observer))
}
