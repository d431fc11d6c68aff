//! `regatta reset ID [--step FLAG]`: forgets completion, keeps identity.

use clap::Args;

use super::command_error::CommandError;
use super::complete;
use super::global_args::WHAT;
use super::resolve::open_existing;
use super::settings::Settings;
use super::unknown_names::refuse_unknown_step;
use regatta_core::id::{Flag, ProfileId};
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta reset k18imh7u --step store_signup
  regatta reset k18imh7u

Identity fields and what the browser remembers are kept.")]
pub struct ResetArgs {
    /// The profile's id
    #[arg(value_name = "PROFILE", add = complete::profiles())]
    pub profile: ProfileId,
    /// Forget only this step [default: every step]
    #[arg(long, value_name = "FLAG", help_heading = WHAT, add = complete::flags())]
    pub step: Option<Flag>,
}

pub fn reset(settings: &Settings, args: ResetArgs) -> Result<u8, CommandError> {
    let mut session = open_existing(settings, &args.profile)?;
    if let Some(flag) = &args.step {
        let flags = session.session().completion_flags.iter().map(|(flag, _)| flag);
        refuse_unknown_step(flag, flags, &format!("the session of `{}`", args.profile))?;
    }
    session.update(|session| session.reset(args.step.as_ref()))?;
    match &args.step {
        Some(flag) => crate::report::say!("{}: step `{flag}` will run again", args.profile),
        None => crate::report::say!("{}: every step will run again; identity fields are kept", args.profile),
    }
    Ok(0)
}
