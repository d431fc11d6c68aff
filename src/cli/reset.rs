//! `regatta reset ID [--step FLAG]`: forgets completion, keeps identity.

use super::args::ResetArgs;
use super::failure::Failure;
use super::resolve::open_existing;
use super::settings::Settings;

pub fn reset(settings: &Settings, args: ResetArgs) -> Result<u8, Failure> {
    let mut session = open_existing(settings, &args.profile)?;
    session.update(|session| session.reset(args.step.as_ref()))?;
    match &args.step {
        Some(flag) => println!("{}: step `{flag}` will run again", args.profile),
        None => println!("{}: every step will run again; identity fields are kept", args.profile),
    }
    Ok(0)
}
