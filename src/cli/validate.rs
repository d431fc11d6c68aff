//! `regatta validate`: everything that can be known to be wrong before anything starts.

use super::args::ValidateArgs;
use super::failure::Failure;
use super::load;
use super::settings::Settings;
use crate::domain::session::Platform;

pub fn validate(settings: &Settings, args: ValidateArgs) -> Result<u8, Failure> {
    let plan = load::plan(settings, &args.set)?;
    // Any id will do: it is here only for the templates of variables and origins.
    let Ok(nobody) = "profile".parse() else { return Ok(2) };
    let mut expected = std::collections::BTreeSet::new();
    let mut origins = Vec::new();
    for platform in [Platform::Desktop, Platform::Mobile] {
        origins = plan.setting(&nobody, platform)?.allowed_origins;
        expected.extend(plan.check(platform, None)?);
    }
    println!("{}: {} steps, all of them can be played", plan.name, plan.steps.len());
    for step in &plan.steps {
        let flows: Vec<_> = step.flow.iter().map(|flow| flow.file.as_str()).collect();
        let verify = step.verify.as_ref().map_or("", |_| "   verified when in doubt");
        println!("  {:<24} {}{verify}", step.flag, flows.join(", "));
    }
    println!("allowed origins: {}", origins.join(", "));
    if !expected.is_empty() {
        let fields: Vec<_> = expected.iter().map(|field| format!("identity.{field}")).collect();
        println!("each session must bring: {}", fields.join(", "));
    }
    Ok(0)
}
