//! `regatta validate`: everything that can be known to be wrong before anything starts.

use clap::Args;

use super::command_error::CommandError;
use super::complete;
use super::global_args::WHAT;
use super::load;
use super::name_value::parse_assignment;
use super::settings::Settings;
use regatta_core::flow::Action;
use regatta_core::flow::validation;
use regatta_core::session::Platform;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta validate
  regatta -C onboarding validate --set site=http://127.0.0.1:8800

Exit codes:
  0 everything can be played
  2 something is wrong, shown with file, line and step")]
pub struct ValidateArgs {
    /// Set a variable that the workflow declares; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_assignment, help_heading = WHAT, add = complete::variables())]
    pub set: Vec<(String, String)>,
}

pub fn validate(settings: &Settings, args: ValidateArgs) -> Result<u8, CommandError> {
    let plan = load::plan(settings, &args.set)?;
    // Any id will do: it is here only for the templates of variables and origins.
    let Ok(any_profile) = "profile".parse() else { return Ok(2) };
    let mut expected = std::collections::BTreeSet::new();
    let mut origins = Vec::new();
    for platform in [Platform::Desktop, Platform::Mobile] {
        origins = plan.settings_for(&any_profile, platform)?.allowed_origins;
        expected.extend(plan.check(platform, None)?.into_keys());
    }
    match plan.steps.len() {
        1 => crate::report::say!("{}: 1 step, and it can be played", plan.name),
        steps => crate::report::say!("{}: {steps} steps, all of them can be played", plan.name),
    }
    for step in &plan.steps {
        let flows: Vec<_> = step.flow.iter().map(|flow| flow.file.as_str()).collect();
        let verify = step.verify.as_ref().map_or("", |_| "   verified when in doubt");
        crate::report::say!("  {:<24} {}{verify}", step.flag, flows.join(", "));
    }
    crate::report::say!("allowed origins: {}", origins.join(", "));
    if !expected.is_empty() {
        let fields: Vec<_> = expected.iter().map(|field| format!("identity.{field}")).collect();
        crate::report::say!("each session must bring: {}", fields.join(", "));
    }
    for flow in plan.flows() {
        for step in flow.all_steps() {
            if let Action::StartPage { url } = &step.action {
                crate::report::say!(
                    "note: {}: `{url}` is passed over: the recording began there",
                    step.location(flow)
                );
            }
        }
        for (step, problem) in validation::invalid_selectors(flow) {
            crate::report::say!(
                "warning: {}: {problem}; the step's other selectors are tried",
                step.location(flow)
            );
        }
    }
    for (step, field) in plan.unverified_captures() {
        crate::report::say!(
            "warning: step `{}` captures identity.{field}, and its verify flow does not: a run that dies before it has the value asks a person; capture it in the verify flow too if the site shows it again",
            step.flag
        );
    }
    Ok(0)
}
