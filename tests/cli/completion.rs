//! Completion as shells use it.

use std::process::Command;

use crate::desk::Desk;
use mintmark_tests::program;

#[test]
fn bash_sources_the_completion_and_completes_commands_and_options() {
    let mintmark = program("mintmark");
    // What readline does when somebody presses the tabulator.
    let script = r#"
        source <("$0" completion bash) || exit 9
        ask() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMPREPLY=()
            _mintmark mintmark "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            echo "${COMPREPLY[*]}"
        }
        complete -p mintmark >/dev/null || exit 8
        ask mintmark batc
        ask mintmark batch wa
        ask mintmark export create --form
        ask mintmark batch create --mode ""
    "#;
    let output = Command::new("bash").args(["--norc", "-c", script]).arg(&mintmark).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines, ["batch", "watch", "--format", "static first-scan confirmed-scan"], "{said}");
}

#[test]
fn completion_is_there_for_each_shell() {
    let desk = Desk::alone();
    assert!(desk.shows(&["completion", "zsh"]).starts_with("#compdef mintmark"));
    assert!(desk.shows(&["completion", "fish"]).contains("complete -c mintmark"));
    assert_eq!(desk.run(&["completion", "tcsh"]).code, Some(2));
}
