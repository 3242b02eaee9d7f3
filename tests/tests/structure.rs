//! The structure's own rules: which crate may know which, and that names agree with the template.

use std::process::Command;

use aws::{Names, Queue};
use serde_json::{Value, json};

/// Crates of the house by what they may depend on among themselves.
const ARROWS: [(&str, &[&str]); 11] = [
    ("domain", &[]),
    ("runtime", &[]),
    ("twilio", &["domain"]),
    ("aws", &["domain"]),
    ("provisioning", FUNCTION),
    ("webhook", FUNCTION),
    ("usage-puller", FUNCTION),
    ("suspender", FUNCTION),
    ("relay", FUNCTION),
    ("invoicer", FUNCTION),
    ("reconciler", FUNCTION),
];
const FUNCTION: &[&str] = &["runtime", "aws", "twilio", "domain"];
/// All that `domain` knows besides.
const DOMAIN_KNOWS: [&str; 6] = [
    "iso_currency",
    "jiff",
    "rust_decimal",
    "serde",
    "thiserror",
    "ulid",
];
/// Servers belong to `infra`.
const SERVERS: [&str; 4] = ["hyper", "dynoxide-rs", "rusqlite", "local"];

/// Edges that the house forbids, from `cargo metadata`'s packages.
fn forbidden_edges(metadata: &Value) -> Vec<(String, String)> {
    let mut forbidden = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, arrows)) = ARROWS.iter().find(|(house, _)| *house == name) else {
            continue;
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies.filter(|dependency| dependency["kind"].is_null()) {
            let to = dependency["name"].as_str().unwrap_or_default();
            if !may_know(name, arrows, to) {
                forbidden.push((name.to_owned(), to.to_owned()));
            }
        }
    }
    forbidden
}

fn may_know(name: &str, arrows: &[&str], to: &str) -> bool {
    let is_house = ARROWS.iter().any(|(house, _)| *house == to);
    if is_house {
        return arrows.contains(&to);
    }
    match name {
        "domain" => DOMAIN_KNOWS.contains(&to),
        _ if SERVERS.contains(&to) => false,
        _ if to.starts_with("aws-sdk-") || to.starts_with("aws-smithy-") => name == "aws",
        _ if to.starts_with("lambda_") => !matches!(name, "twilio" | "aws"),
        _ => true,
    }
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--offline")
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn no_crate_knows_what_it_must_not() {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    assert_eq!(forbidden_edges(&metadata), []);
}

#[test]
fn the_edge_test_finds_a_forbidden_edge() {
    let fixture = json!({ "packages": [
        { "name": "domain", "dependencies": [{ "name": "serde", "kind": null }, { "name": "reqwest", "kind": null }, { "name": "proptest", "kind": "dev" }] },
        { "name": "twilio", "dependencies": [{ "name": "aws", "kind": null }, { "name": "domain", "kind": null }] },
        { "name": "webhook", "dependencies": [{ "name": "aws-sdk-dynamodb", "kind": null }, { "name": "relay", "kind": null }] },
    ]});
    let edge = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let expected = [
        edge("domain", "reqwest"),
        edge("twilio", "aws"),
        edge("webhook", "aws-sdk-dynamodb"),
        edge("webhook", "relay"),
    ];
    assert_eq!(forbidden_edges(&fixture), expected);
}

#[test]
fn aws_lc_is_absent() {
    let tree = cargo(&[
        "tree",
        "--workspace",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]);
    assert!(
        tree.contains("ring v"),
        "the tree is not what this test expects"
    );
    assert!(!tree.contains("aws-lc"));
}

#[test]
fn the_template_names_what_the_code_uses() {
    let template =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml"))
            .expect("template.yaml");
    let names = Names::new("${Stage}");
    let quoted = |key: &str, name: &str| format!("{key}: !Sub \"{name}\"");
    for table in names.tables() {
        assert!(template.contains(&quoted("TableName", table)), "{table}");
    }
    for queue in [
        Queue::Pull,
        Queue::Suspend,
        Queue::Provision,
        Queue::Statement,
        Queue::Reconcile,
    ] {
        let name = names.queue(queue);
        assert!(template.contains(&quoted("QueueName", &name)), "{name}");
        assert!(
            template.contains(&quoted("QueueName", &format!("{name}-dlq"))),
            "{name}-dlq"
        );
    }
    assert!(
        template.contains(&quoted("Name", &names.bus)),
        "{}",
        names.bus
    );
    for secret in [names.main_secret(), names.operator_key_secret()] {
        assert!(
            template.contains(&format!(":secret:{secret}-??????")),
            "{secret}"
        );
    }
    let sid = domain::ids::AccountSid::parse(&format!("AC{}", "0".repeat(32))).expect("a SID");
    let of_subaccounts = names.subaccount_secret(&sid).replace(&"0".repeat(32), "*");
    assert!(
        template.contains(&format!(":secret:{of_subaccounts}")),
        "{of_subaccounts}"
    );
}
