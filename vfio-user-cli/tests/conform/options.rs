//! What is checked, and how it is reported.

use vfio_user_tests::serve::Running;

use crate::{Card, conform, conform_at, stdout};

#[test]
fn checks_are_listed_with_their_rules() {
    let list = stdout(&conform(&["--list"]));
    assert!(list.lines().count() > 100, "{list}");
    let line = list.lines().find(|line| line.starts_with("map-overlap ")).unwrap();
    assert!(line.contains("required  VFIO_USER_DMA_MAP: a mapping that overlaps"), "{line}");
    let json = stdout(&conform(&["--list", "--json", "--only=read"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["name"], &json[0]["basis"]), (&"read".into(), &"required".into()));
    assert_eq!(json[1], serde_json::Value::Null);
    let names: std::collections::BTreeSet<_> =
        list.lines().map(|line| line.split(' ').next()).collect();
    assert_eq!(names.len(), list.lines().count(), "names are unique");
}

#[test]
fn the_report_is_json_on_request() {
    let running = Running::at_path(Card::default);
    let arguments = ["--json", "--only=read", "--only=multi", "--timeout=20"];
    let report = stdout(&conform_at(running.path(), &arguments));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["passed"], &report["skipped"]), (&1.into(), &1.into()));
    assert_eq!(report["checks"][1]["result"], "skip");
    assert_eq!(report["checks"][1]["reason"], "the server does not offer it");
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [&[][..], &["/no/such.sock"], &["--only=nothing", "x"], &["x", "--", "true"]] {
        assert_eq!(conform(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let output = conform(&["--", "false"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("the program ends: exit status: 1"), "{error}");
}
