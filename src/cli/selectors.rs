//! `regatta selectors`: what runs have learnt of the selectors, for a person to judge.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::command_error::CommandError;
use super::complete;
use super::global_args::OUTPUT;
use super::settings::Settings;
use crate::report::say;
use crate::store::selector_cache::{SelectorEntry, SelectorRecord, SimilarSelector};
use crate::store::{SelectorCache, durable};
use regatta_core::fingerprint::Fingerprint;
use regatta_core::flow::{self, Flow, Locator, Step};
use regatta_core::text_file::TextFile;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors list
  regatta selectors explain flows/store.json 5
  regatta selectors accept flows/store.json 5      write the suggestion into the flow
  regatta selectors forget flows/store.json 5      the page is right: learn it again

Runs remember which selector of a step matched, and what the element was like. A selector that \
begins to match another element is not acted on. Where none matches, the element that is clearly \
most like the one of before is suggested, or acted on where the workflow says heal = \"auto\".")]
pub struct SelectorsArgs {
    #[command(subcommand)]
    pub command: SelectorsCommand,
}

#[derive(Debug, Subcommand)]
pub enum SelectorsCommand {
    /// List what is known, a line for each step and page
    List(SelectorsListArgs),
    /// Show all that is known of a step, and why an element would be another one
    Explain(SelectorsExplainArgs),
    /// Write the suggestion for a step into its flow, as its last alternative
    Accept(SelectorsAcceptArgs),
    /// Forget a step, a flow or everything, and learn it again
    Forget(SelectorsForgetArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors list
  regatta selectors list --json | jq '.[] | select(.suggestion)'")]
pub struct SelectorsListArgs {
    /// Print one JSON document
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors explain flows/store.json 5
  regatta selectors explain flows/store.json --json")]
pub struct SelectorsExplainArgs {
    /// The flow, as the workflow names it
    #[arg(value_name = "FLOW", add = complete::flows())]
    pub flow: String,
    /// The step's number, as errors name it: 4, or 4.2 inside a `regatta.when`
    pub step: Option<String>,
    /// Print one JSON document
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors accept flows/store.json 5

The flow file keeps its formatting: one alternative is added to the step's `selectors`.")]
pub struct SelectorsAcceptArgs {
    /// The flow, as the workflow names it
    #[arg(value_name = "FLOW", add = complete::flows())]
    pub flow: String,
    /// The step's number, as errors name it
    pub step: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta selectors forget flows/store.json 5
  regatta selectors forget flows/store.json
  regatta selectors forget --all")]
pub struct SelectorsForgetArgs {
    /// The flow, as the workflow names it
    #[arg(value_name = "FLOW", required_unless_present = "all", conflicts_with = "all", add = complete::flows())]
    pub flow: Option<String>,
    /// Forget only this step [default: every step of the flow]
    pub step: Option<String>,
    /// Forget everything
    #[arg(long)]
    pub all: bool,
}

pub fn selectors(settings: &Settings, args: SelectorsArgs) -> Result<u8, CommandError> {
    match args.command {
        SelectorsCommand::List(args) => list(settings, args.json),
        SelectorsCommand::Explain(args) => explain(settings, &args),
        SelectorsCommand::Accept(args) => accept(settings, &args),
        SelectorsCommand::Forget(args) => forget(settings, &args),
    }
}

/// The remembered selector of a step, beside the step as its flow has it now.
struct SelectorLine {
    known: SelectorRecord,
    /// `None` where the flow is gone, or has no such step.
    now: Option<Locator>,
}

impl SelectorLine {
    /// The step was edited since: what is known of it counts no more.
    fn is_stale(&self) -> bool {
        self.now.as_ref().is_none_or(|locator| locator.digest != self.known.entry.digest)
    }

    fn winner(&self) -> Option<String> {
        let locator = self.now.as_ref().filter(|_| !self.is_stale())?;
        Some(locator.alternatives.get(self.known.entry.alternative?)?.to_string())
    }

    fn json(&self) -> Value {
        let SelectorRecord { flow, step, origin, path, entry } = &self.known;
        let mut line = json!({ "flow": flow, "step": step, "origin": origin, "path": path });
        line["edited_since"] = json!(self.is_stale());
        line["selector"] = json!(self.winner());
        let entry = serde_json::to_value(entry).unwrap_or_default();
        line.as_object_mut()
            .into_iter()
            .for_each(|line| line.extend(entry.as_object().cloned().unwrap_or_default()));
        line
    }
}

fn list(settings: &Settings, json: bool) -> Result<u8, CommandError> {
    let lines = lines(settings, |_| true)?;
    if json {
        return print(&lines);
    }
    if lines.is_empty() {
        say!("nothing is known yet: runs learn as they go");
        return Ok(0);
    }
    for line in &lines {
        let SelectorRecord { flow, step, path, entry, .. } = &line.known;
        let element = entry.element.as_ref().map(|element| format!(" {element}")).unwrap_or_default();
        let by = match (line.is_stale(), line.winner()) {
            (true, _) => " (the step was edited since)".to_owned(),
            (false, Some(selector)) => format!(" by `{selector}`"),
            (false, None) => String::new(),
        };
        say!("{flow} {step}  {path}{element}{by}");
        if !line.is_stale() {
            say_found(flow, step, entry);
        }
    }
    Ok(0)
}

/// Selectors that were found by likeness, and what to do about them.
fn say_found(flow: &str, step: &str, entry: &SelectorEntry) {
    for (what, found) in [("suggested", &entry.suggestion), ("healed", &entry.healed)] {
        if let Some(found) = found {
            say!("  {what}: {} by `{}`", found.likeness.element, written(found));
            say!("  accept it: regatta selectors accept {flow} {step}");
        }
    }
}

fn explain(settings: &Settings, args: &SelectorsExplainArgs) -> Result<u8, CommandError> {
    let of = |known: &SelectorRecord| {
        known.flow == args.flow && args.step.as_ref().is_none_or(|step| *step == known.step)
    };
    let lines = lines(settings, of)?;
    if lines.is_empty() {
        return Err(nothing_known(settings, &args.flow, args.step.as_deref())?);
    }
    if args.json {
        return print(&lines);
    }
    for line in &lines {
        let SelectorRecord { flow, step, origin, path, entry } = &line.known;
        say!("{flow}, step {step}, on {origin}{path}");
        say!("  {} times, the last at {}", entry.hits, entry.at);
        if line.is_stale() {
            say!("  the step was edited since: it is learnt anew at its next run");
        } else {
            for (index, chain) in line.now.iter().flat_map(|now| &now.alternatives).enumerate() {
                let mark = if entry.alternative == Some(index) { "matched" } else { "" };
                say!("  {mark:<8} `{chain}`");
            }
        }
        if let Some(element) = &entry.element {
            say!("  the element was {element}");
            say_element(element);
        }
        if !line.is_stale() {
            say_found(flow, step, entry);
        }
    }
    say!("Another element is one of another kind, or one that differs in more than it has in common.");
    Ok(0)
}

fn say_element(element: &Fingerprint) {
    let fact = |name: &str, value: &str| {
        if !value.is_empty() {
            say!("    {name:<12} {value}");
        }
    };
    fact("tag", &element.tag);
    fact("role", &element.role);
    fact("name", &element.name);
    fact("text", &element.text);
    for (name, value) in &element.attributes {
        fact(name, value);
    }
    fact("classes", &element.classes.join(" "));
    fact("place", &element.path);
    fact("landmark", &element.landmark);
    if element.item {
        fact("list", "its label and keys may change: it is one of many");
    }
}

fn accept(settings: &Settings, args: &SelectorsAcceptArgs) -> Result<u8, CommandError> {
    let SelectorsAcceptArgs { flow: file, step } = args;
    let lines = lines(settings, |known| known.flow == *file && known.step == *step)?;
    if lines.is_empty() {
        return Err(nothing_known(settings, file, Some(step))?);
    }
    let found = lines
        .iter()
        .filter(|line| !line.is_stale())
        .flat_map(|line| [&line.known.entry.suggestion, &line.known.entry.healed])
        .flatten()
        .max_by_key(|found| found.at);
    let Some(found) = found.cloned() else {
        let edited = lines.iter().any(SelectorLine::is_stale);
        let why = if edited { ": it was edited since" } else { "" };
        return Err(CommandError::usage(format!("nothing is suggested for step {step} of {file}{why}"))
            .hint(format!("see what is known: regatta selectors explain {file} {step}")));
    };
    let path = path_of(settings, file);
    let bytes = std::fs::read(&path).map_err(|error| {
        CommandError::usage(format!("cannot read the flow `{}`: {error}", path.display()))
    })?;
    let before = TextFile::decode(file, bytes)?;
    let new = flow::with_alternative(&before.text, step, &found.likeness.selector)
        .map_err(|error| CommandError::usage(format!("{file}: {error}")))?;
    // A line that could not be read again is not written.
    let parsed = flow::parse(file, &new)?;
    let locator = step_of(&parsed, step).and_then(|step| step.action.locator().cloned());
    let Some(locator) = locator else {
        return Err(CommandError::usage(format!("{file}: the flow has no step {step}")));
    };
    durable::write(&path, &before.encode(&new))?;
    let old = lines.iter().find(|line| !line.is_stale()).map(|line| line.known.entry.digest.clone());
    carry_over(settings, args, old.as_deref(), &locator, &found)?;
    say!("{file}, step {step}: `{}` is its last alternative now", written(&found));
    Ok(0)
}

/// An edited step would start afresh: this edit is known, and takes nothing away.
fn carry_over(
    settings: &Settings,
    args: &SelectorsAcceptArgs,
    old: Option<&str>,
    locator: &Locator,
    accepted: &SimilarSelector,
) -> Result<(), CommandError> {
    SelectorCache::open(&settings.layout)?.edit(|known| {
        let entry = &known.entry;
        if known.flow != args.flow || known.step != args.step || Some(entry.digest.as_str()) != old {
            return None;
        }
        let mut entry = SelectorEntry { digest: locator.digest.clone(), ..entry.clone() };
        for found in [&mut entry.suggestion, &mut entry.healed] {
            if let Some(same) = found.take_if(|found| found.likeness.selector == accepted.likeness.selector) {
                entry.alternative = Some(locator.alternatives.len() - 1);
                entry.element = Some(same.likeness.element);
            }
        }
        Some(Some(entry))
    })?;
    Ok(())
}

fn forget(settings: &Settings, args: &SelectorsForgetArgs) -> Result<u8, CommandError> {
    let forgotten = SelectorCache::open(&settings.layout)?.edit(|known| {
        let flow = args.flow.as_ref().is_none_or(|flow| *flow == known.flow);
        let step = args.step.as_ref().is_none_or(|step| *step == known.step);
        (flow && step).then_some(None)
    })?;
    match &args.flow {
        Some(flow) if forgotten == 0 => Err(nothing_known(settings, flow, args.step.as_deref())?),
        _ => {
            let entries = if forgotten == 1 { "entry" } else { "entries" };
            say!("{forgotten} {entries} forgotten; the next runs learn anew");
            Ok(0)
        }
    }
}

fn nothing_known(settings: &Settings, flow: &str, step: Option<&str>) -> Result<CommandError, CommandError> {
    let what = step.map_or_else(|| flow.to_owned(), |step| format!("step {step} of {flow}"));
    let mut flows: Vec<_> = lines(settings, |_| true)?.into_iter().map(|line| line.known.flow).collect();
    flows.dedup();
    let hint = match flows.as_slice() {
        [] => "runs learn as they go".to_owned(),
        flows => format!("known are steps of {}; see regatta selectors list", flows.join(", ")),
    };
    Ok(CommandError::usage(format!("nothing is known of {what}")).hint(hint))
}

fn lines(
    settings: &Settings,
    of: impl Fn(&SelectorRecord) -> bool,
) -> Result<Vec<SelectorLine>, CommandError> {
    let known = SelectorCache::open(&settings.layout)?.entries().into_iter().filter(of);
    let mut read: Option<(String, Option<Flow>)> = None;
    let mut lines = Vec::new();
    for known in known {
        if read.as_ref().is_none_or(|(file, _)| *file != known.flow) {
            let bytes = std::fs::read(path_of(settings, &known.flow)).ok();
            let file = bytes.and_then(|bytes| TextFile::decode(&known.flow, bytes).ok());
            let flow = file.and_then(|file| flow::parse(&known.flow, &file.text).ok());
            read = Some((known.flow.clone(), flow));
        }
        let flow = read.as_ref().and_then(|(_, flow)| flow.as_ref());
        let step = flow.and_then(|flow| step_of(flow, &known.step));
        lines.push(SelectorLine { now: step.and_then(|step| step.action.locator().cloned()), known });
    }
    Ok(lines)
}

/// Flows stand relative to the workflow.
fn path_of(settings: &Settings, flow: &str) -> std::path::PathBuf {
    settings.workflow.parent().unwrap_or(Path::new(".")).join(flow)
}

fn step_of<'a>(flow: &'a Flow, number: &str) -> Option<&'a Step> {
    flow.all_steps().into_iter().find(|step| step.number == number)
}

fn written(found: &SimilarSelector) -> String {
    found.likeness.selector.join(" >>> ")
}

fn print(lines: &[SelectorLine]) -> Result<u8, CommandError> {
    let all: Vec<_> = lines.iter().map(SelectorLine::json).collect();
    say!("{}", serde_json::to_string_pretty(&all).unwrap_or_default());
    Ok(0)
}
