//! `vfu completions`, `vfu man`, and exit codes.

use std::fs;
use std::process::Command;

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_vfu")).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// Returns the names of the commands in the help.
fn commands() -> Vec<String> {
    let help = run(&["--help"]).1;
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn shells_complete_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script) = run(&["completions", shell]);
        assert_eq!(code, Some(0));
        for command in commands() {
            assert!(script.contains(&command), "{command} is not in the script for {shell}");
        }
    }
    assert_eq!(run(&["completions", "sh"]).0, Some(2));
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(&["man", "--dir", dir.path().to_str().unwrap()]).0, Some(0));
    assert!(fs::read_to_string(dir.path().join("vfu.1")).unwrap().contains("Exit codes"));
    for command in commands().into_iter().filter(|command| command != "help") {
        let page = fs::read_to_string(dir.path().join(format!("vfu-{command}.1"))).unwrap();
        assert!(page.contains(&format!(".TH vfu-{command} 1")), "{page}");
        let (code, printed) = run(&["man", &command]);
        assert_eq!((code, printed), (Some(0), page), "{command}");
    }
    assert!(run(&["man"]).1.contains(".TH vfu 1"));
    assert_eq!(run(&["man", "nothing"]).0, Some(2));
    assert_eq!(run(&["man", "--dir", "/no/such/directory"]).0, Some(2));
}

#[test]
fn the_help_has_the_exit_codes() {
    let (_, help) = run(&["--help"]);
    for code in ["\n  0  ", "\n  1  ", "\n  2  ", "\n  3  "] {
        assert!(help.contains(code), "{help}");
    }
}
