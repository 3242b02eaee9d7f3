//! Callbacks that nobody at Twilio sent: refused alike, whatever is wrong, and nothing is written.

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::Value;
use tests::{Answer, PUBLIC_BASE_URL, Tenant, World};

const CALL: &str = "CA00000000000000000000000000000001";
const FORM: &str = "application/x-www-form-urlencoded";

fn fields(account_sid: &str) -> [(&str, &str); 4] {
    [
        ("AccountSid", account_sid),
        ("CallSid", CALL),
        ("CallStatus", "completed"),
        ("SequenceNumber", "3"),
    ]
}

fn encode(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields).finish().into_bytes()
}

fn sign(token: &str, path: &str, fields: &[(&str, &str)]) -> String {
    twilio::signature::sign(token, &format!("{PUBLIC_BASE_URL}{path}"), fields)
}

struct Sender {
    world: World,
    tenant: Tenant,
    other: Tenant,
    path: String,
    token: String,
}

impl Sender {
    async fn new() -> Self {
        let world = World::start().await;
        let (tenant, other) = (
            world.tenant("One", "10").await,
            world.tenant("Two", "10").await,
        );
        let token = world.auth_token(&tenant.account_sid);
        let path = format!("/twilio/{}/calls", tenant.id);
        Self {
            world,
            tenant,
            other,
            path,
            token,
        }
    }

    async fn send(&self, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        self.world
            .request(Method::POST, &self.path, headers, body)
            .await
    }

    /// Conditional writes that the webhook tried, and items that are there.
    fn writes(&self) -> (u64, usize) {
        let counters = self.world.stack.aws.counters();
        let tried = counters
            .total(|key| key.caller == "tollgate-webhook" && !key.operation.starts_with("Get"));
        (tried.calls, self.world.items("callbacks").len())
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_signature_the_answer_is_the_same_and_nothing_is_written() {
    let sender = Sender::new().await;
    let (world, tenant, path) = (&sender.world, &sender.tenant, &sender.path);
    let own = fields(&tenant.account_sid);
    let good = sign(&sender.token, path, &own);
    let others_token = world.auth_token(&sender.other.account_sid);
    let foreign = fields(&sender.other.account_sid);
    let stranger = fields("AC99999999999999999999999999999999");
    let before = sender.writes();
    let mut answers = Vec::new();
    let mut send = async |signature: Option<&str>, fields: &[(&str, &str)]| {
        let mut headers = vec![("content-type", FORM)];
        headers.extend(signature.map(|signature| ("x-twilio-signature", signature)));
        answers.push(sender.send(&headers, encode(fields)).await);
    };
    // W1: none, empty, too short.
    for signature in [None, Some(""), Some("AAAA")] {
        send(signature, &own).await;
    }
    // W2: every character.
    for at in 0..good.len() {
        let mut bad = good.clone().into_bytes();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        send(Some(std::str::from_utf8(&bad).unwrap()), &own).await;
    }
    // Another tenant's token, for its own subaccount and for this one; a stranger's; one field changed.
    send(Some(&sign(&others_token, path, &own)), &own).await;
    send(Some(&sign(&others_token, path, &foreign)), &foreign).await;
    send(Some(&sign(&sender.token, path, &foreign)), &foreign).await;
    send(Some(&sign(&sender.token, path, &stranger)), &stranger).await;
    send(
        Some(&good),
        &[own[0], own[1], ("CallStatus", "ringing"), own[3]],
    )
    .await;
    send(Some(&sign(&sender.token, path, &own[1..])), &own[1..]).await;
    send(Some(&sign("", path, &own)), &own).await;
    // The main account's own token is no subaccount's.
    let (main_sid, main_token) = world.stack.main_credentials();
    let of_main = fields(&main_sid);
    send(Some(&sign(&main_token, path, &of_main)), &of_main).await;
    send(Some(&sign(&main_token, path, &own)), &own).await;
    // Signed for another address.
    let elsewhere = format!("/twilio/{}/calls", sender.other.id);
    send(Some(&sign(&sender.token, &elsewhere, &own)), &own).await;
    let first = answers[0].clone();
    assert_eq!((first.status, first.code()), (403, "signature_invalid"));
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (403, &first.body));
    }
    // A tenant that nobody has, correctly signed by one that is there.
    let unknown = "/twilio/ten_01JZ0000000000000000000000/calls";
    let headers = [
        ("content-type", FORM),
        ("x-twilio-signature", &*sign(&sender.token, unknown, &own)),
    ];
    let answer = world
        .request(Method::POST, unknown, &headers, encode(&own))
        .await;
    assert_eq!((answer.status, &answer.body), (403, &first.body));
    assert_eq!(sender.writes(), before);

    let headers = [("content-type", FORM), ("x-twilio-signature", &*good)];
    assert_eq!(sender.send(&headers, encode(&own)).await.status, 204);
    assert_eq!(sender.writes(), (before.0 + 1, before.1 + 1));
}

#[tokio::test]
async fn w22_a_flood_of_forgeries_reads_no_secret_more_than_once_in_five_seconds() {
    let sender = Sender::new().await;
    let own = fields(&sender.tenant.account_sid);
    let headers = [
        ("content-type", FORM),
        ("x-twilio-signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ];
    let reads = || {
        let counters = sender.world.stack.aws.counters();
        counters.total(|key| key.caller == "tollgate-webhook").calls
    };
    assert_eq!(sender.send(&headers, encode(&own)).await.status, 403);
    let warm = reads();
    for _ in 0..200 {
        assert_eq!(sender.send(&headers, encode(&own)).await.status, 403);
    }
    assert_eq!(reads(), warm);
    sender.world.pass(SignedDuration::from_secs(6)).await;
    let later = reads();
    for _ in 0..200 {
        assert_eq!(sender.send(&headers, encode(&own)).await.status, 403);
    }
    assert!(reads() - later <= 3, "{}", reads() - later);
}

#[tokio::test]
async fn content_types_and_sizes_are_judged_before_anything_is_read() {
    let sender = Sender::new().await;
    let own = fields(&sender.tenant.account_sid);
    let signature = sign(&sender.token, &sender.path, &own);
    let before = sender.world.stack.aws.counters();
    for headers in [
        vec![],
        vec![("content-type", "text/plain")],
        vec![("content-type", "application/json")],
        vec![("content-type", "multipart/form-data; boundary=x")],
        vec![("content-type", FORM), ("content-encoding", "gzip")],
    ] {
        let mut headers = headers;
        headers.push(("x-twilio-signature", &signature));
        let answer = sender.send(&headers, encode(&own)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (415, "unsupported_media_type"),
            "{headers:?}"
        );
    }
    let large = "x".repeat(64 * 1024);
    let mut fat = own.to_vec();
    fat.push(("More", &large));
    let headers = [
        ("content-type", FORM),
        (
            "x-twilio-signature",
            &*sign(&sender.token, &sender.path, &fat),
        ),
    ];
    let answer = sender.send(&headers, encode(&fat)).await;
    assert_eq!((answer.status, answer.code()), (413, "body_too_large"));
    let since = sender.world.stack.aws.counters().since(&before);
    assert_eq!(since.total(|key| key.caller == "tollgate-webhook").calls, 0);
    // Just below the limit it is read.
    let room = 64 * 1024 - encode(&own).len() - "&More=".len();
    let full = "x".repeat(room);
    let mut full_fields = own.to_vec();
    full_fields.push(("More", &full));
    assert_eq!(encode(&full_fields).len(), 64 * 1024);
    let headers = [
        ("content-type", FORM),
        (
            "x-twilio-signature",
            &*sign(&sender.token, &sender.path, &full_fields),
        ),
    ];
    assert_eq!(
        sender.send(&headers, encode(&full_fields)).await.status,
        204
    );
}

#[tokio::test]
async fn w11_what_the_caller_says_about_host_and_proxies_changes_no_verdict() {
    let sender = Sender::new().await;
    let own = fields(&sender.tenant.account_sid);
    let evil = "https://evil.example.test";
    let good = sign(&sender.token, &sender.path, &own);
    let for_evil = twilio::signature::sign(&sender.token, &format!("{evil}{}", sender.path), &own);
    for hostile in [
        vec![("host", "evil.example.test")],
        vec![("host", "evil.example.test:8443")],
        vec![("x-forwarded-host", "evil.example.test")],
        vec![("x-forwarded-proto", "http"), ("x-forwarded-port", "80")],
        vec![("forwarded", "host=evil.example.test;proto=http")],
        vec![
            ("x-original-url", "/twilio/x/calls"),
            ("x-rewrite-url", "/x"),
        ],
        vec![
            ("host", "evil.example.test"),
            ("x-forwarded-host", "evil.example.test"),
            ("x-forwarded-proto", "https"),
        ],
    ] {
        for (signature, status) in [(&good, 204), (&for_evil, 403)] {
            let mut headers = vec![("content-type", FORM), ("x-twilio-signature", signature)];
            headers.extend(&hostile);
            let answer = sender.send(&headers, encode(&own)).await;
            assert_eq!(answer.status, status, "{hostile:?}");
        }
    }
    assert_eq!(sender.world.items("callbacks").len(), 1);
}

#[tokio::test]
async fn w5_w6_a_replay_with_any_unsigned_header_is_accepted_and_changes_nothing() {
    let sender = Sender::new().await;
    let own = fields(&sender.tenant.account_sid);
    let good = sign(&sender.token, &sender.path, &own);
    let mut kept: Option<Vec<Value>> = None;
    for (days, token) in [(0, "a"), (0, "a"), (0, "b"), (30, "a"), (0, "c")] {
        sender
            .world
            .pass(SignedDuration::from_hours(24 * days))
            .await;
        let headers = [
            ("content-type", FORM),
            ("x-twilio-signature", &*good),
            ("i-twilio-idempotency-token", token),
        ];
        assert_eq!(sender.send(&headers, encode(&own)).await.status, 204);
        let items = sender.world.items("callbacks");
        assert_eq!(*kept.get_or_insert(items.clone()), items);
    }
    assert_eq!(kept.unwrap().len(), 1);
}
