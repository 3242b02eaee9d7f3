//! Callbacks that are Twilio's: recorded once, whatever their order, repetition and novelty.

use domain::callback::{CallbackState, fold};
use serde_json::Value;

use crate::world::{
    ACCOUNT_A, BASE, CALL, Callback, MESSAGE, START_S, TENANT_A, World, item_bytes,
};

fn field<'a>(item: &'a Value, name: &str) -> &'a str {
    item["f"]["M"][name]["S"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_cold_callback_is_three_calls_and_a_warm_one_is_one() {
    let world = World::new();
    let answer = world.send(&Callback::call("ringing")).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(
        world.aws.take_calls(),
        ["GetItem", "GetSecretValue", "PutItem"]
    );
    assert_eq!(world.send(&Callback::call("completed")).await.status, 204);
    assert_eq!(world.aws.take_calls(), ["PutItem"]);
    assert_eq!(world.send(&Callback::call("completed")).await.status, 204);
    assert_eq!(world.aws.take_calls(), ["PutItem"]);
    assert_eq!(world.aws.callbacks().len(), 2);
}

#[tokio::test]
async fn warming_up_is_one_read() {
    let world = World::new();
    world.function.warm_up().await;
    assert_eq!(world.aws.take_calls(), ["GetItem"]);
}

#[tokio::test]
async fn an_item_says_what_happened_to_which_resource() {
    let world = World::new();
    world.send(&Callback::message("delivered")).await;
    let items = world.aws.callbacks();
    let item = &items[0];
    assert_eq!(item["pk"]["S"], format!("T#{TENANT_A}#{MESSAGE}"));
    assert_eq!(item["kind"]["S"], "message");
    assert_eq!(item["sid"]["S"], ACCOUNT_A);
    assert_eq!(item["ttl"]["N"], (START_S + 45 * 24 * 3600).to_string());
    assert_eq!(field(item, "MessageStatus"), "delivered");
    assert_eq!(field(item, "To"), "+14155550199");
    assert!(item_bytes(item) <= 325, "{}", item_bytes(item));
}

#[tokio::test]
async fn a_voice_callback_of_31_fields_is_one_write_unit() {
    let world = World::new();
    assert_eq!(
        world.send(&Callback::voice_with_31_fields()).await.status,
        204
    );
    let items = world.aws.callbacks();
    assert!(item_bytes(&items[0]) <= 887, "{}", item_bytes(&items[0]));
    // Also where no party's place is another's.
    let mut callback = Callback::voice_with_31_fields();
    for (name, value) in &mut callback.fields {
        if name.starts_with("Calle") && !name.ends_with("Country") {
            value.push('1');
        }
    }
    assert_eq!(world.send(&callback).await.status, 204);
    let sizes: Vec<usize> = world.aws.callbacks().iter().map(item_bytes).collect();
    assert!(sizes.iter().all(|bytes| *bytes <= 1024), "{sizes:?}");
}

#[tokio::test]
async fn recordings_and_usage_triggers_are_recorded_too() {
    let world = World::new();
    let recording = Callback::new(
        "recordings",
        &[
            ("AccountSid", ACCOUNT_A),
            ("CallSid", CALL),
            ("RecordingSid", "RE0123456789abcdef0123456789abcdef"),
            ("RecordingStatus", "completed"),
            ("RecordingDuration", "12"),
            (
                "RecordingUrl",
                "https://api.twilio.com/2010-04-01/Accounts/AC/Recordings/RE",
            ),
            ("RecordingStartTime", "Sun, 22 Nov 2026 00:00:00 +0000"),
        ],
    );
    let trigger = Callback::new(
        "usage-triggers",
        &[
            ("AccountSid", ACCOUNT_A),
            ("UsageTriggerSid", "UT0123456789abcdef0123456789abcdef"),
            ("UsageCategory", "totalprice"),
            ("CurrentValue", "10.0100"),
            ("TriggerValue", "10"),
            ("DateFired", "Sun, 22 Nov 2026 00:00:00 +0000"),
            ("IdempotencyToken", "AC-FIRES-UT-2026-11-22"),
        ],
    );
    assert_eq!(world.send(&recording).await.status, 204);
    assert_eq!(world.send(&trigger).await.status, 204);
    let kinds: Vec<String> = world
        .aws
        .callbacks()
        .iter()
        .map(|item| item["kind"]["S"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["recording", "usage_trigger"]);
    let items = world.aws.callbacks();
    assert_eq!(field(&items[0], "CallSid"), CALL);
}

#[tokio::test]
async fn w5_a_replay_changes_nothing_now_or_30_days_on() {
    let world = World::new();
    let callback = Callback::call("completed");
    assert_eq!(world.send(&callback).await.status, 204);
    let before = world.aws.callbacks();
    assert_eq!(world.send(&callback).await.status, 204);
    world.advance(30 * 24 * 3600);
    assert_eq!(world.send(&callback).await.status, 204);
    assert_eq!(world.aws.callbacks(), before);
}

#[tokio::test]
async fn w6_an_unsigned_idempotency_header_makes_no_new_callback() {
    let world = World::new();
    for token in ["one", "two"] {
        let callback = Callback::call("completed").header("i-twilio-idempotency-token", token);
        assert_eq!(world.send(&callback).await.status, 204);
    }
    assert_eq!(world.aws.callbacks().len(), 1);
}

#[tokio::test]
async fn w9_an_unknown_field_may_come_twice_and_a_known_one_with_the_same_value() {
    let world = World::new();
    let callback = Callback::call("completed")
        .with("Tags", "b")
        .with("Tags", "a")
        .with("Tags", "b")
        .with("CallStatus", "completed");
    assert_eq!(world.send(&callback).await.status, 204);
    assert_eq!(field(&world.aws.callbacks()[0], "Tags"), "a,b");
}

#[tokio::test]
async fn w10_only_the_configured_address_and_its_port_spelling_count() {
    let path = Callback::call("x").path;
    for (signed_base, query, signed_query, status) in [
        (BASE, "", "", 204),
        ("https://hooks.example.com:443", "", "", 204),
        ("https://hooks.example.com:8443", "", "", 403),
        ("http://hooks.example.com", "", "", 403),
        ("https://evil.example.org", "", "", 403),
        ("https://HOOKS.example.com", "", "", 403),
        ("https://hooks.example.com/prod", "", "", 403),
        (BASE, "a=%2Fx%20y&b", "?a=%2Fx%20y&b", 204),
        (BASE, "a=%2fx", "?a=%2Fx", 403),
        (BASE, "a='", "?a=%27", 204),
        (BASE, "a=%27", "?a='", 204),
        (BASE, "a=1", "", 403),
        (BASE, "", "?a=1", 403),
    ] {
        let world = World::new();
        let callback = Callback {
            query: query.to_owned(),
            signed_url: Some(format!("{signed_base}{path}{signed_query}")),
            ..Callback::call("ringing")
        };
        let answer = world.send(&callback).await;
        assert_eq!(
            answer.status, status,
            "{signed_base} {query} {signed_query}"
        );
    }
}

#[tokio::test]
async fn w11_headers_that_claim_another_address_are_ignored() {
    let world = World::new();
    let hostile = |callback: Callback| {
        callback
            .header("host", "evil.example.org")
            .header("x-forwarded-host", "evil.example.org")
            .header("x-forwarded-proto", "http")
            .header("x-forwarded-port", "1")
            .header("forwarded", "host=evil.example.org")
    };
    assert_eq!(
        world.send(&hostile(Callback::call("ringing"))).await.status,
        204
    );
    let mut forged = hostile(Callback::call("completed"));
    forged.signed_url = Some(format!("http://evil.example.org:1{}", forged.path));
    assert_eq!(world.send(&forged).await.status, 403);
    assert_eq!(world.aws.callbacks().len(), 1);
}

#[tokio::test]
async fn w12_a_body_in_base64_and_a_plain_one_are_the_same() {
    let world = World::new();
    for is_base64 in [true, false] {
        let callback = Callback {
            is_base64,
            ..Callback::call("completed")
        };
        assert_eq!(world.send(&callback).await.status, 204);
    }
    assert_eq!(world.aws.callbacks().len(), 1);
}

#[tokio::test]
async fn w14_a_json_callback_counts_with_the_hash_of_its_body() {
    let world = World::new();
    let body = format!(r#"{{"AccountSid":"{ACCOUNT_A}","CallSid":"{CALL}","CallStatus":"busy"}}"#);
    let callback = |body: &str, hashed: &str| Callback {
        fields: Vec::new(),
        raw_body: Some(body.as_bytes().to_vec()),
        query: format!(
            "bodySHA256={}",
            twilio::signature::body_hash(hashed.as_bytes())
        ),
        ..Callback::call("x").header("content-type", "application/json")
    };
    assert_eq!(world.send(&callback(&body, &body)).await.status, 204);
    assert_eq!(field(&world.aws.callbacks()[0], "CallStatus"), "busy");
    let other = body.replace("busy", "completed");
    let answer = world.send(&callback(&other, &body)).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "signature_invalid")
    );
    let unhashed = Callback {
        query: String::new(),
        ..callback(&body, &body)
    };
    assert_eq!(world.send(&unhashed).await.status, 415);
    let twice = body.replace('{', r#"{"CallStatus":"completed","#);
    assert_eq!(world.send(&callback(&twice, &twice)).await.status, 400);
    assert_eq!(world.aws.callbacks().len(), 1);
}

#[tokio::test]
async fn w15_callbacks_out_of_order_are_all_kept_and_fold_to_the_last_state() {
    let world = World::new();
    for (status, sequence) in [("completed", "3"), ("ringing", "1"), ("initiated", "0")] {
        let callback = Callback::call(status).with("SequenceNumber", sequence);
        assert_eq!(world.send(&callback).await.status, 204);
    }
    let states: Vec<CallbackState> = world
        .aws
        .callbacks()
        .iter()
        .map(|item| CallbackState {
            status: field(item, "CallStatus").to_owned(),
            sequence_number: field(item, "SequenceNumber").parse().ok(),
        })
        .collect();
    assert_eq!(states.len(), 3);
    assert_eq!(fold(&states).unwrap().status, "completed");
}

#[tokio::test]
async fn w17_an_unknown_status_and_unknown_fields_are_stored_as_they_are() {
    let world = World::new();
    let callback = Callback::call("brand-new_status")
        .with("NewField", "New value \u{1F600}")
        .with("Body", "hush");
    assert_eq!(world.send(&callback).await.status, 204);
    let items = world.aws.callbacks();
    assert_eq!(field(&items[0], "CallStatus"), "brand-new_status");
    assert_eq!(field(&items[0], "NewField"), "New value \u{1F600}");
    assert_eq!(field(&items[0], "~omitted"), "Body");
    assert!(!items[0].to_string().contains("hush"));
}

#[tokio::test]
async fn w23_nothing_of_the_tenant_but_its_subaccount_is_read() {
    // So a suspended or closed tenant's callback is recorded like any other.
    let world = World::new();
    assert_eq!(world.send(&Callback::call("completed")).await.status, 204);
    let state = world.aws.state();
    assert_eq!(state.calls, ["GetItem", "GetSecretValue", "PutItem"]);
    assert!(state.items.keys().all(|key| key[2] != "META"));
}
