//! Signatures against vectors: our own, made with another implementation, and those of a file that
//! `TOLLGATE_SIGNATURE_VECTORS` may name.

use proptest::prelude::*;
use serde::Deserialize;
use twilio::signature::{Validator, body_hash, sign, verify};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    auth_token: String,
    url: String,
    content_type: String,
    #[serde(default)]
    params: Option<Vec<(String, String)>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    algorithm: Option<String>,
    signature: String,
    expect_valid: Option<bool>,
}

impl Vector {
    fn is_valid(&self) -> bool {
        let params = self.params.as_deref().unwrap_or_default();
        let body = self.body.as_deref().unwrap_or_default();
        let validator = match self.content_type.as_str() {
            "json" => Validator::for_json(&self.url, body.as_bytes()),
            _ => Validator::for_form(&self.url, params),
        };
        validator.accepts(&self.auth_token, &self.signature)
    }
}

/// Holds every SHA1 vector with a verdict against it; answers how many there were.
fn check(file: &str) -> usize {
    let file: File = serde_json::from_str(file).expect("a file of vectors");
    let sha1 = file
        .vectors
        .iter()
        .filter(|vector| vector.algorithm.as_deref().unwrap_or("HMAC_SHA1") == "HMAC_SHA1");
    let judged: Vec<_> = sha1
        .filter_map(|vector| Some((vector, vector.expect_valid?)))
        .collect();
    let wrong: Vec<_> = judged
        .iter()
        .filter(|(vector, valid)| vector.is_valid() != *valid)
        .map(|(vector, _)| &vector.name)
        .collect();
    assert!(wrong.is_empty(), "wrong verdict on {wrong:?}");
    judged.len()
}

#[test]
fn our_own_vectors_are_judged_right() {
    assert!(check(include_str!("signature_vectors.json")) >= 12);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the continuous integration names a file of vectors"
)]
fn the_vectors_of_the_named_file_are_judged_right() {
    let Ok(path) = std::env::var("TOLLGATE_SIGNATURE_VECTORS") else {
        println!("TOLLGATE_SIGNATURE_VECTORS is not set: only our own vectors are held");
        return;
    };
    let file = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let judged = check(&file);
    assert!(judged > 0, "{path} holds no vector");
    println!("{judged} SHA1 vectors judged right");
}

#[test]
fn one_validator_is_held_against_several_tokens() {
    let params = [("MessageStatus", "sent")];
    let url = "https://host.example/twilio/ten_1/sms";
    let signature = sign("current", url, &params);
    let validator = Validator::for_form(url, &params);
    assert!(!validator.accepts("previous", &signature));
    assert!(validator.accepts("current", &signature));
}

#[test]
fn a_json_callback_is_bound_to_its_body() {
    let url = format!(
        "https://host.example/events?bodySHA256={}",
        body_hash(b"{}")
    );
    let signature = sign("token", &url, &[] as &[(&str, &str)]);
    assert!(Validator::for_json(&url, b"{}").accepts("token", &signature));
    assert!(!Validator::for_json(&url, b"{ }").accepts("token", &signature));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_verifies_in_any_order(
        mut params in proptest::collection::vec(("\\PC{0,6}", "\\PC{0,6}"), 0..8),
        path in "[a-z0-9/%'?&=:@.-]{0,20}",
    ) {
        let url = format!("https://host.example/{path}");
        let signature = sign("token", &url, &params);
        params.reverse();
        prop_assert!(verify("token", &url, &params, &signature));
        prop_assert!(!verify("other", &url, &params, &signature));
    }

    #[test]
    fn a_changed_field_is_noticed(value in "[a-z]{1,6}", other in "[a-z]{1,6}") {
        prop_assume!(value != other);
        let url = "https://host.example/a";
        let signature = sign("token", url, &[("k", &value)]);
        prop_assert!(!verify("token", url, &[("k", &other)], &signature));
    }

    #[test]
    fn no_input_makes_the_validator_panic(url in "\\PC{0,40}", signature in "\\PC{0,40}", body in "\\PC{0,20}") {
        Validator::for_json(&url, body.as_bytes()).accepts("token", &signature);
        verify("token", &url, &[(&body, &body)], &signature);
    }
}
