//! Recorded callbacks and their verdicts: by the library over bytes, and by the program over a file.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::{Value, json};
use twilio::signature::{Algorithm, SharedKey, body_hash, sign, sign_with_shared_key};
use twilio_sim::verify::{Explain, Verdict, verify_signatures};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const URL: &str = "https://hooks.example/twilio/ten_1/sms?a=1";

/// A form callback that is signed for `signed_url` with `signed` fields, and was recorded as given.
fn recorded(
    signed_url: &str,
    signed: &[(&str, &str)],
    url: &str,
    params: &[(&str, &str)],
) -> Value {
    json!({
        "name": "recorded",
        "url": url,
        "params": params,
        "content_type": "form",
        "auth_token": TOKEN,
        "signature": sign(TOKEN, signed_url, signed),
    })
}

fn judge(file: &Value, explain: Explain) -> Vec<Verdict> {
    verify_signatures(file.to_string().as_bytes(), explain).expect("a file of vectors")
}

fn reason(vector: &Value) -> String {
    let [verdict] = judge(vector, Explain::Yes).try_into().expect("one verdict");
    assert!(!verdict.valid, "{vector}");
    verdict.reason.expect("an explanation")
}

#[test]
fn a_file_of_vectors_is_judged_one_by_one() {
    let fields = [("MessageStatus", "sent"), ("To", "")];
    let mut valid = recorded(URL, &fields, URL, &fields);
    let mut invalid = recorded(URL, &fields, URL, &[]);
    invalid["name"] = "second".into();
    let verdicts = judge(
        &json!({ "count": 2, "vectors": [valid, invalid] }),
        Explain::No,
    );
    let lines: Vec<_> = verdicts
        .iter()
        .map(|verdict| json!(verdict).to_string())
        .collect();
    assert_eq!(
        lines,
        [
            r#"{"name":"recorded","valid":true}"#,
            r#"{"name":"second","valid":false}"#
        ]
    );
    // An array will do, and one after another; without a name the position is given.
    valid.as_object_mut().unwrap().remove("name");
    let names = |file: &[u8]| -> Vec<String> {
        let verdicts = verify_signatures(file, Explain::No).unwrap();
        verdicts.into_iter().map(|verdict| verdict.name).collect()
    };
    assert_eq!(
        names(json!([invalid, valid]).to_string().as_bytes()),
        ["second", "2"]
    );
    assert_eq!(
        names(format!("{valid}\n{invalid}\n").as_bytes()),
        ["1", "second"]
    );
    assert!(names(br#"{"vectors":[]}"#).is_empty());
}

#[test]
fn fields_may_come_as_pairs_as_an_object_or_as_the_raw_body() {
    let fields = [("Body", "a b&c"), ("M", "1"), ("M", "2")];
    let mut vector = recorded(URL, &fields, URL, &fields);
    assert!(judge(&vector, Explain::No)[0].valid);
    vector["params"] = json!({ "Body": "a b&c", "M": ["2", "1"] });
    assert!(judge(&vector, Explain::No)[0].valid);
    vector.as_object_mut().unwrap().remove("params");
    vector["body"] = "M=1&Body=a+b%26c&M=2".into();
    vector["content_type"] = "application/x-www-form-urlencoded; charset=UTF-8".into();
    assert!(judge(&vector, Explain::No)[0].valid);
}

#[test]
fn a_shared_keys_algorithm_is_followed_and_an_unknown_one_is_refused() {
    let key = SharedKey::new("SK1", Algorithm::HmacSha256, SecretString::from(TOKEN));
    let fields = [("MessageStatus", "sent")];
    let mut vector = recorded(URL, &fields, URL, &fields);
    vector["signature"] = sign_with_shared_key(&key, URL, &fields).into();
    for (algorithm, valid) in [
        (json!("HMAC_SHA256"), true),
        (json!("hmac_sha256"), true),
        (json!("HMAC_SHA1"), false),
        (json!("HMAC_SHA512"), false),
        (json!("HMAC_SHA256 "), false),
        (json!(""), false),
        (Value::Null, false),
    ] {
        vector["algorithm"] = algorithm;
        assert_eq!(judge(&vector, Explain::No)[0].valid, valid, "{vector}");
    }
    assert_eq!(reason(&vector), "fits with algorithm HMAC_SHA256");
    vector["algorithm"] = "HMAC_SHA512".into();
    assert!(reason(&vector).contains("HMAC_SHA512"));
}

#[test]
fn a_json_body_is_held_against_its_hash() {
    let body = "{\"a\": 1}\n";
    let url = format!(
        "https://hooks.example/events?bodySHA256={}",
        body_hash(body.as_bytes())
    );
    let mut vector = recorded(&url, &[], &url, &[]);
    vector["content_type"] = "json".into();
    vector["body"] = body.into();
    assert!(judge(&vector, Explain::No)[0].valid);
    vector["body"] = "{\"a\": 1}".into();
    assert_eq!(reason(&vector), "fits with a line's end after the body");
    vector["body"] = "{\"a\":1}".into();
    assert!(reason(&vector).starts_with("the address is signed; its bodySHA256"));
    vector["url"] = "https://hooks.example/events".into();
    assert!(reason(&vector).contains("has no bodySHA256"));
}

#[test]
fn what_made_a_request_invalid_is_found_by_trying() {
    let fields = [
        ("From", "+15550100001"),
        ("Body", "Tom & Jerry\r\n"),
        ("Empty", ""),
    ];
    let url = "https://hooks.example:8443/prod/twilio/sms?a=it%27s&b=2";
    let with = |url: &str, params: &[(&str, &str)]| {
        reason(&recorded(
            "https://hooks.example:8443/prod/twilio/sms?a=it%27s&b=2",
            &fields,
            url,
            params,
        ))
    };
    for (received, told) in [
        (
            "http://hooks.example:8443/prod/twilio/sms?a=it%27s&b=2",
            "scheme https",
        ),
        (
            "https://hooks.example/prod/twilio/sms?a=it%27s&b=2",
            "port 8443",
        ),
        (
            "http://hooks.example/prod/twilio/sms?a=it%27s&b=2",
            "scheme https",
        ),
        (
            "http://hooks.example/prod/twilio/sms?a=it%27s&b=2",
            "and port 8443",
        ),
        (
            "https://hooks.example:8443/twilio/sms?a=it%27s&b=2",
            "stage /prod",
        ),
        (
            "https://hooks.example:8443/x/prod/twilio/sms?a=it%27s&b=2",
            "no /x before",
        ),
        (
            "https://hooks.example:8443/prod/twilio/sms/?a=it%27s&b=2",
            "no slash at the end",
        ),
        (
            "https://hooks.example:8443/prod/twilio/sms?a=it%27s&amp;b=2",
            "&amp;",
        ),
        (
            "https://Hooks.Example:8443/prod/twilio/sms?a=it%27s&b=2",
            "host in lower case",
        ),
        (
            "https://u:p@hooks.example:8443/prod/twilio/sms?a=it%27s&b=2",
            "no user name",
        ),
    ] {
        let told_us = with(received, &fields);
        assert!(told_us.contains(told), "{received}: {told_us}");
    }
    for (received, told) in [
        (
            vec![(" 15550100001"), "Tom & Jerry\r\n", ""],
            "decoded twice",
        ),
        (
            vec![("%2B15550100001"), "Tom & Jerry\r\n", ""],
            "fields decoded once more",
        ),
        (
            vec![("+15550100001"), "Tom &amp; Jerry\r\n", ""],
            "HTML entities",
        ),
        (vec![("+15550100001"), "Tom & Jerry\n", ""], "CR LF for LF"),
        (
            vec![("+15550100001"), "Tom & Jerry\r\n", "null"],
            "empty values for null",
        ),
        (
            vec![("+15550100001"), "Tom & Jerry", ""],
            "nothing that was tried fits",
        ),
    ] {
        let params = [
            ("From", received[0]),
            ("Body", received[1]),
            ("Empty", received[2]),
        ];
        let told_us = with(url, &params);
        assert!(told_us.contains(told), "{received:?}: {told_us}");
    }
    let more = [&fields[..], &[("tenant", "ten_1")]].concat();
    assert_eq!(with(url, &more), "fits with field \"tenant\" left out");
    let query = [&fields[..], &[("a", "it's"), ("b", "2")]].concat();
    assert!(with(url, &query).contains("query's parameters not among the fields"));
}

#[test]
fn a_damaged_signature_or_token_is_told() {
    let fields = [("MessageStatus", "sent")];
    let good = recorded(URL, &fields, URL, &fields);
    let signature = good["signature"].as_str().unwrap();
    let mut vector = good.clone();
    for (damaged, told) in [
        (format!("{signature} "), "around the signature"),
        (
            signature.trim_end_matches('=').to_owned(),
            "standard base64 with padding",
        ),
        (String::new(), "there is no signature"),
        ("?".repeat(28), "not the base64 of 20 bytes"),
    ] {
        vector["signature"] = damaged.into();
        let told_us = reason(&vector);
        assert!(told_us.contains(told), "{told_us}");
    }
    vector["signature"] = Value::Null;
    assert!(reason(&vector).contains("there is no signature"));
    let mut vector = good.clone();
    vector["auth_token"] = format!("{TOKEN}\n").into();
    assert!(reason(&vector).contains("around the token"));
    let [valid] = judge(&good, Explain::Yes).try_into().unwrap();
    assert_eq!(
        (valid.signed_url.as_deref(), valid.reason),
        (Some(URL), None)
    );
}

#[test]
fn a_broken_vector_is_named_and_nothing_is_judged() {
    let good = recorded(URL, &[], URL, &[]);
    let without = |field: &str| {
        let mut vector = good.clone();
        vector.as_object_mut().unwrap().remove(field);
        json!([good, vector]).to_string()
    };
    let with = |field: &str, value: Value| {
        let mut vector = good.clone();
        vector[field] = value;
        json!([good, vector]).to_string()
    };
    for (file, told) in [
        (
            without("url"),
            "vector 2 (\"recorded\"): missing field `url`",
        ),
        (without("auth_token"), "missing field `auth_token`"),
        (without("signature"), "missing field `signature`"),
        (with("url", json!(1)), "expected a string"),
        (
            with("params", json!("a=b")),
            "params as pairs or as an object",
        ),
        (with("params", json!([["a", 1]])), "expected a string"),
        (with("params", json!([["a"]])), "expected a tuple of size 2"),
        (
            with("content_type", json!("text/plain")),
            "neither form nor json",
        ),
        (String::new(), "no vector"),
        ("[".to_owned(), "not JSON"),
        ("1".to_owned(), "neither a vector nor a list"),
        ("{\"vectors\": 1}".to_owned(), "no list of vectors"),
        ("{}".to_owned(), "vector 1: missing field"),
        (format!("{good}\n{{"), "not JSON"),
        ("[\"\\ud800\"]".to_owned(), "vector 1"),
    ] {
        let error = verify_signatures(file.as_bytes(), Explain::Yes)
            .unwrap_err()
            .to_string();
        assert!(error.contains(told), "{file}: {error}");
    }
    assert!(verify_signatures(b"[\"\xff\"]", Explain::No).is_err());
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_twilio-sim"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that wants no input may have ended already.
    child
        .stdin
        .take()
        .expect("its input is ours")
        .write_all(input)
        .unwrap_or_default();
    child.wait_with_output().expect("the program ends")
}

#[test]
fn the_program_reads_standard_input_and_fails_with_2_on_a_broken_file() {
    let good = recorded(URL, &[], URL, &[]).to_string();
    let judged = run(&["verify-signatures", "-"], good.as_bytes());
    assert!(judged.status.success());
    assert_eq!(judged.stdout, b"{\"name\":\"recorded\",\"valid\":true}\n");
    let explained = run(&["verify-signatures", "--explain", "-"], good.as_bytes());
    let line: Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(line["signed_url"], URL);
    for (arguments, input, told) in [
        (
            &["verify-signatures", "-"][..],
            "{}",
            "-: vector 1: missing field",
        ),
        (
            &["verify-signatures", "/nowhere/vectors.json"],
            "",
            "/nowhere/vectors.json: ",
        ),
        (&["verify-signatures"], "", "<FILE>"),
        (&[], "", "--account-sid"),
    ] {
        let failed = run(arguments, input.as_bytes());
        let said = String::from_utf8(failed.stderr).unwrap();
        assert_eq!(
            (failed.status.code(), failed.stdout.len()),
            (Some(2), 0),
            "{said}"
        );
        assert!(said.contains(told), "{said}");
    }
    let sid = run(&["--account-sid", "AC1", "--auth-token", "x"], b"");
    assert_eq!(sid.status.code(), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_file_makes_the_reader_panic(file in "(\\{|\\[|\\}|\\]|,|:|\"url\"|\"vectors\"|\"\\PC{0,4}\"|\\PC){0,20}") {
        if let Ok(verdicts) = verify_signatures(file.as_bytes(), Explain::Yes) {
            prop_assert!(verdicts.iter().all(|verdict| !verdict.valid));
        }
    }

    #[test]
    fn an_explanation_never_changes_a_verdict(
        url in "([Hh]ttps?://)?[a-z@:\\[\\]%é]{0,8}(/[a-z%27é/]{0,6})?(\\?[a-z=&+%'é]{0,8})?(#[a-z?]{0,3})?",
        params in proptest::collection::vec(("\\PC{0,3}", "\\PC{0,4}"), 0..3),
        body in proptest::option::of("[{}\\[\\]\":,a\n]{0,8}"),
        signature in proptest::option::of("[A-Za-z0-9+/=_ -]{0,30}"),
        json in any::<bool>(),
    ) {
        let content_type = if json { "json" } else { "form" };
        let signature = signature.unwrap_or_else(|| sign(TOKEN, &url, &params));
        let vector = json!({
            "url": url, "params": params, "body": body, "content_type": content_type,
            "auth_token": TOKEN, "signature": signature,
        });
        let explained = judge(&vector, Explain::Yes);
        prop_assert_eq!(judge(&vector, Explain::No)[0].valid, explained[0].valid);
        prop_assert_eq!(explained[0].valid, explained[0].signed_url.is_some());
        prop_assert_eq!(explained[0].valid, explained[0].reason.is_none());
    }
}
