//! Usage that is wrong in a way people get it wrong, and the hint that goes with it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use expect_test::expect;
use serde_json::json;

use super::{check, in_flight, rendered, session};
use crate::support::program::Folder;

#[test]
fn a_misspelt_command_gets_the_one_that_is_meant() {
    let folder = Folder::empty();
    check(
        &folder,
        &["orchestrat"],
        expect![[r#"
        exit 2
        error: unrecognized subcommand 'orchestrat'

          tip: a similar subcommand exists: 'orchestrate'

        Usage: regatta [OPTIONS] <COMMAND>

        For more information, try '--help'."#]],
    );
    check(
        &folder,
        &["sessions", "exprot"],
        expect![[r#"
        exit 2
        error: unrecognized subcommand 'exprot'

          tip: a similar subcommand exists: 'export'

        Usage: regatta sessions [OPTIONS] <COMMAND>

        For more information, try '--help'."#]],
    );
    check(
        &folder,
        &["completions", "tcsh"],
        expect![[r#"
        exit 2
        error: invalid value 'tcsh' for '<SHELL>': there are completions for bash, zsh, fish, powershell and elvish

        For more information, try '--help'."#]],
    );
}

#[test]
fn a_file_in_the_place_of_the_folder_is_told_from_a_folder_that_is_not_there() {
    let folder = Folder::practice();
    let at = |path: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
        command.arg("-C").arg(path).arg("status");
        rendered(&folder, &folder.start_command(command).wait())
    };
    expect![[r#"
        exit 2
        error: `FOLDER/workflow.toml` is a file, and -C takes the operator's folder
          hint: name the folder it lies in: -C FOLDER"#]]
    .assert_eq(&at(&folder.path("workflow.toml")));
    expect![[r#"
        exit 2
        error: there is no folder `FOLDER/nosuch`
          hint: make one that runs: regatta init FOLDER/nosuch"#]]
    .assert_eq(&at(&folder.path("nosuch")));
    assert!(!folder.path("nosuch").exists());
}

#[test]
fn a_negative_number_is_told_what_it_should_be() {
    let folder = Folder::practice();
    for (arguments, said) in [
        (&["orchestrate", "--max", "-1"][..], "`-1` is not a number of runs: write 1 to 65535, or \"auto\""),
        (&["orchestrate", "--retries", "-1"], "`-1` is not a number of attempts: write 0 or more"),
        (&["orchestrate", "--limit", "-5"], "`-5` is not a number of profiles: write 0 or more"),
        (&["orchestrate", "--max-load", "-1"], "`-1` is not a load for each processor: write 1.5"),
        (
            &["orchestrate", "--min-free-memory", "-1GiB"],
            "`-1GiB` is not an amount of memory: write \"512MiB\" or \"2GiB\"",
        ),
        (
            &["orchestrate", "--stagger", "-1s"],
            "`-1s` is not a duration: write \"60s\", \"1m 30s\" or \"500ms\"",
        ),
        (
            &["orchestrate", "--run-timeout", "-1s"],
            "`-1s` is not a duration: write \"60s\", \"1m 30s\" or \"500ms\"",
        ),
        (
            &["orchestrate", "--stall", "-1s"],
            "`-1s` is not a duration: write \"60s\", \"1m 30s\" or \"500ms\"",
        ),
        (&["orchestrate", "--shuffle=-1"], "`-1` is not a seed: write a whole number from 0"),
        (
            &["play", "flows/mailbox.json", "--slow", "-1s"],
            "`-1s` is not a duration: write \"60s\", \"1m 30s\" or \"500ms\"",
        ),
        (&["logs", "p1", "-n", "-5"], "`-5` is not a number of lines: write 0 or more"),
        (&["dashboard", "--listen", "-1"], "`-1` is no address to listen on: write 127.0.0.1:7700"),
    ] {
        let ended = folder.run(arguments);
        ended.assert_code(2);
        assert!(ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn without_a_terminal_a_value_comes_from_standard_input_or_a_variable() {
    let folder = Folder::practice();
    let resolve = |input: &str, arguments: &[&str]| {
        session(&folder, "p1", "NEEDS_ATTENTION", &in_flight());
        let mut command = Command::new(env!("CARGO_BIN_EXE_regatta"));
        command.arg("-C").arg(folder.root()).args(["resolve", "p1", "--done"]).args(arguments);
        command.env("CODE_OF_P1", "from the environment");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let code = || folder.session("p1").unwrap()["identity"]["store_code"].clone();
    assert_eq!(
        resolve("123456\r\nnever read\n", &["--set", "identity.store_code"]),
        (Some(0), String::new())
    );
    assert_eq!(code(), "123456");
    let two = ["--set", "identity.nick", "--set", "identity.store_code"];
    assert_eq!(resolve("ann\n654321", &two), (Some(0), String::new()));
    assert_eq!(
        (code(), folder.session("p1").unwrap()["identity"]["nick"].clone()),
        (json!("654321"), json!("ann"))
    );
    assert_eq!(resolve("", &["--set-env", "identity.store_code=CODE_OF_P1"]), (Some(0), String::new()));
    assert_eq!(code(), "from the environment");
    let (exit, said) = resolve("", &["--set", "identity.store_code"]);
    expect![[r#"
        error: --set identity.store_code has no value: there is no terminal to ask on, and standard input is empty
          hint: give it on standard input, a line for each: … --set identity.store_code < FILE; or name the variable of the environment that holds it: --set-env identity.store_code=VARIABLE
    "#]].assert_eq(&said);
    assert_eq!((exit, code()), (Some(2), json!(null)));
    let (exit, said) = resolve("", &["--set-env", "identity.store_code=NO_SUCH_VARIABLE"]);
    expect![[r#"
        error: --set-env identity.store_code: the variable `NO_SUCH_VARIABLE` is not set
          hint: set it where regatta is started: export NO_SUCH_VARIABLE=…
    "#]]
    .assert_eq(&said);
    assert_eq!((exit, code()), (Some(2), json!(null)));
}
