//! `regatta init`: a commented folder that runs as it is, on a page that needs no network.

use std::path::Path;

use super::args::InitArgs;
use super::failure::Failure;

/// Path in the folder, and text. The flow stays on a `data:`-free, local start: its author replaces
/// the origin first of all.
const FILES: [(&str, &str); 5] = [
    ("regatta.toml", include_str!("init/regatta.toml")),
    ("workflow.toml", include_str!("init/workflow.toml")),
    ("flows/sign-up.json", include_str!("init/sign-up.json")),
    ("flows/sign-up.verify.json", include_str!("init/sign-up.verify.json")),
    ("profiles.txt", include_str!("init/profiles.txt")),
];

pub fn init(args: InitArgs) -> Result<u8, Failure> {
    let folder = &args.folder;
    if let Some((taken, _)) = FILES.iter().find(|(name, _)| folder.join(name).exists()) {
        return Err(Failure::usage(format!("`{}` already exists", folder.join(taken).display()))
            .hint("init changes nothing that is there; name another folder".to_owned()));
    }
    for (name, text) in FILES {
        write(&folder.join(name), text)?;
        println!("made {}", folder.join(name).display());
    }
    let at = if folder == Path::new(".") { String::new() } else { format!(" -C {}", folder.display()) };
    println!("\nnext:\n  regatta{at} validate\n  regatta{at} doctor\n  regatta{at} run profile-1 --headed");
    Ok(0)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let unwritable =
        |error: std::io::Error| Failure::usage(format!("cannot write `{}`: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unwritable)?;
    }
    std::fs::write(path, text).map_err(unwritable)
}
