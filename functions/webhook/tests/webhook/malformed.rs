//! Requests that cannot be a callback, and signed ones that say what Twilio does not say.

use std::collections::BTreeMap;

use crate::world::{ACCOUNT_A, CALL, Callback, World, event};

async fn answered(callback: Callback) -> (i64, String, usize) {
    let world = World::new();
    let answer = world.send(&callback).await;
    assert!(world.aws.callbacks().is_empty());
    (answer.status, answer.code(), world.aws.take_calls().len())
}

fn raw(body: &[u8]) -> Callback {
    Callback {
        raw_body: Some(body.to_vec()),
        ..Callback::call("completed")
    }
}

#[tokio::test]
async fn w7_boundary_shift_is_refused() {
    let before = Callback::new(
        "calls",
        &[
            ("AccountSid", ACCOUNT_A),
            ("CallSid", CALL),
            ("CallStatus", "completed"),
            ("Caller", "+14158675309"),
            ("CallerCity", "SAN JOSE"),
            ("CallerCountry", "US"),
            ("From", "+14158675309"),
            ("Timestamp", "Sun, 22 Nov 2026 00:00:00 +0000"),
            ("To", "+18005551212"),
        ],
    );
    let shifted: [&[(&str, &str)]; 6] = [
        // A field folds into the value before it ...
        &[(
            "CallSid",
            "CA0123456789abcdef0123456789abcdefCallStatuscompleted",
        )],
        &[("CallStatus", "completedCaller+14158675309")],
        &[("CallerCity", "SAN JOSECallerCountryUS")],
        &[("Timestamp", "Sun, 22 Nov 2026 00:00:00 +0000To+18005551212")],
        // ... or bytes move between a name and its value.
        &[("CallS", "idCA0123456789abcdef0123456789abcdef")],
        &[("CallStatuscomp", "leted")],
    ];
    for change in shifted {
        let (name, value) = change[0];
        let joined = format!("{name}{value}");
        let mut fields = before.fields.clone();
        // Drops what the change swallows; the rest stays as it was.
        fields.retain(|(old_name, old_value)| !joined.contains(&format!("{old_name}{old_value}")));
        fields.push((name.to_owned(), value.to_owned()));
        let after = Callback {
            fields: fields.clone(),
            ..before.clone()
        };
        assert_eq!(
            after.right_signature(),
            before.right_signature(),
            "{joined}"
        );
        let (status, code, _) = answered(after).await;
        assert_eq!(
            (status, code.as_str()),
            (400, "malformed_callback"),
            "{name}={value}"
        );
    }
}

#[test]
fn w7_twilios_published_vector_also_signs_a_folded_callback() {
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let published = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ];
    let folded = [
        ("CallSid", "CA1234567890ABCDECaller+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ];
    let signature = twilio::signature::sign("12345", url, &published);
    assert_eq!(signature, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    assert_eq!(twilio::signature::sign("12345", url, &folded), signature);
}

#[tokio::test]
async fn w8_a_known_field_with_two_values_is_refused() {
    for (name, value) in [
        ("CallStatus", "ringing"),
        ("CallSid", "CAffffffffffffffffffffffffffffffff"),
        ("To", ""),
        ("AccountSid", "ACffffffffffffffffffffffffffffffff"),
    ] {
        let (status, code, _) = answered(Callback::call("completed").with(name, value)).await;
        assert_eq!(
            (status, code.as_str()),
            (400, "malformed_callback"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn w13_what_is_over_a_limit_or_unreadable_costs_no_call() {
    let large = vec![b'a'; 64 * 1024 + 1];
    let many = ["a=1"; 201].join("&");
    let cases = [
        (raw(&large), 413, "body_too_large"),
        (raw(many.as_bytes()), 400, "malformed_callback"),
        (raw(b"a=\xff"), 400, "malformed_callback"),
        (raw(b"a=%ff"), 400, "malformed_callback"),
        (raw(b"a=\0"), 400, "malformed_callback"),
        (raw(b"a=%00"), 400, "malformed_callback"),
        (raw(b"a=50%"), 400, "malformed_callback"),
        (raw(b"=a"), 400, "malformed_callback"),
        (
            Callback::call("busy").header("content-encoding", "gzip"),
            415,
            "unsupported_media_type",
        ),
        (
            Callback::call("busy").header("content-type", "text/plain"),
            415,
            "unsupported_media_type",
        ),
        (
            Callback::call("busy").header("content-type", "application/json"),
            415,
            "unsupported_media_type",
        ),
        (
            Callback::call("busy").header("content-type", "multipart/form-data; boundary=x"),
            415,
            "unsupported_media_type",
        ),
    ];
    for (callback, status, code) in cases {
        assert_eq!(answered(callback).await, (status, code.to_owned(), 0));
    }
    let mut typeless = Callback::call("busy");
    typeless.headers.clear();
    assert_eq!(answered(typeless).await.0, 415);
}

#[tokio::test]
async fn w13_the_largest_allowed_body_is_read() {
    let world = World::new();
    let mut callback = Callback::call("busy");
    let body_bytes = |callback: &Callback| {
        let body = form_urlencoded::Serializer::new(String::new());
        let mut body = body;
        body.extend_pairs(&callback.fields).finish().len()
    };
    let rest = 64 * 1024 - body_bytes(&callback) - "&New=".len();
    callback = callback.with("New", &"a".repeat(rest));
    assert_eq!(body_bytes(&callback), 64 * 1024);
    assert_eq!(world.send(&callback).await.status, 204);
    let items = world.aws.callbacks();
    assert_eq!(items[0]["f"]["M"]["~omitted"]["S"], "New");
}

#[tokio::test]
async fn a_body_that_is_not_base64_is_refused() {
    let world = World::new();
    let mut event = Callback::call("busy").event();
    for body in ["*", "YQ", "YQ=", "Y Q=="] {
        event.body = Some(body.to_owned());
        assert_eq!(
            world.handle(event.clone()).await.code(),
            "malformed_callback"
        );
    }
    assert!(world.aws.take_calls().is_empty());
}

#[tokio::test]
async fn a_signed_callback_without_what_its_kind_needs_is_refused() {
    for (kind, fields) in [
        ("calls", &[("CallStatus", "busy")][..]),
        ("calls", &[("CallSid", CALL)][..]),
        ("messages", &[("CallSid", CALL), ("CallStatus", "busy")][..]),
        (
            "recordings",
            &[("CallSid", CALL), ("CallStatus", "busy")][..],
        ),
        (
            "usage-triggers",
            &[("CallSid", CALL), ("CallStatus", "busy")][..],
        ),
    ] {
        let callback = Callback::new(kind, fields).with("AccountSid", ACCOUNT_A);
        assert_eq!(answered(callback).await.0, 400, "{kind}");
    }
}

#[tokio::test]
async fn other_paths_are_not_found_and_other_methods_not_allowed() {
    let world = World::new();
    let right = Callback::call("busy");
    for path in ["/", "/v1/tenants", "/twilio/ten_1/calls", "/twilio//calls"] {
        let callback = Callback {
            path: path.to_owned(),
            ..right.clone()
        };
        let answer = world.send(&callback).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
    }
    for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        let answer = world
            .handle(event(method, &right.path, "", &BTreeMap::new(), "", false))
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (405, "method_not_allowed")
        );
    }
    assert!(world.aws.take_calls().is_empty());
}
