//! `regatta init`: a commented folder that runs as it is, on the practice site.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::command_error::CommandError;
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  regatta init onboarding
  regatta -C onboarding run p1 --headed

Writes a regatta.toml and a workflow.toml with comments, the practice flows and a profiles.txt. It \
changes no file that is there.")]
pub struct InitArgs {
    /// Folder to make
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
}

/// Path in the folder, and text: the practice workflow, which `make demo` and the tests run.
const FILES: [(&str, &str); 14] = [
    ("regatta.toml", include_str!("../../examples/practice/regatta.toml")),
    ("workflow.toml", include_str!("../../examples/practice/workflow.toml")),
    ("profiles.txt", include_str!("../../examples/practice/profiles.txt")),
    ("flows/developer.desktop.json", include_str!("../../examples/practice/flows/developer.desktop.json")),
    ("flows/developer.mobile.json", include_str!("../../examples/practice/flows/developer.mobile.json")),
    ("flows/developer.verify.json", include_str!("../../examples/practice/flows/developer.verify.json")),
    ("flows/mailbox.json", include_str!("../../examples/practice/flows/mailbox.json")),
    ("flows/mailbox.verify.json", include_str!("../../examples/practice/flows/mailbox.verify.json")),
    ("flows/password.json", include_str!("../../examples/practice/flows/password.json")),
    ("flows/password.verify.json", include_str!("../../examples/practice/flows/password.verify.json")),
    ("flows/store.json", include_str!("../../examples/practice/flows/store.json")),
    ("flows/store.verify.json", include_str!("../../examples/practice/flows/store.verify.json")),
    ("flows/two_factor.json", include_str!("../../examples/practice/flows/two_factor.json")),
    ("flows/two_factor.verify.json", include_str!("../../examples/practice/flows/two_factor.verify.json")),
];

pub fn init(args: InitArgs) -> Result<u8, CommandError> {
    let folder = &args.folder;
    if let Some((taken, _)) = FILES.iter().find(|(name, _)| folder.join(name).exists()) {
        return Err(CommandError::usage(format!("`{}` already exists", folder.join(taken).display()))
            .hint("init changes nothing that is there; name another folder".to_owned()));
    }
    for (name, text) in FILES {
        write(&folder.join(name), text)?;
        crate::report::say!("made {}", folder.join(name).display());
    }
    let at = if folder == Path::new(".") { String::new() } else { format!(" -C {}", folder.display()) };
    crate::report::say!(
        "\nnext:\n  regatta{at} validate\n  regatta{at} doctor\n  regatta{at} run p1 --headed"
    );
    Ok(0)
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let unwritable =
        |error: std::io::Error| CommandError::usage(format!("cannot write `{}`: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unwritable)?;
    }
    std::fs::write(path, text).map_err(unwritable)
}
