//! API keys through their three doors: Keys, SigningKeys and the iam API.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{API, MAIN, Reply, TOKEN, ask, config, delete, get, post, subaccount};
use serde_json::json;
use twilio_sim::{Quirks, Sim, SimConfig};

const READ: &str = r#"{"allow":["/twilio/messaging/messages/read"]}"#;

async fn iam(
    sim: &Sim,
    method: &str,
    path: &str,
    who: (&str, &str),
    form: &[(&str, &str)],
) -> Reply {
    ask(sim, method, &format!("/iam{path}"), Some(who), form).await
}

#[tokio::test]
async fn a_restricted_key_is_made_listed_changed_and_deleted() {
    let sim = Sim::new(config());
    let (own, token) = subaccount(&sim, "own").await;
    let sub = (own.as_str(), token.as_str());
    let form = [
        ("AccountSid", sub.0),
        ("FriendlyName", "reader"),
        ("KeyType", "restricted"),
        ("Policy", READ),
    ];
    let made = iam(&sim, "POST", "/v1/Keys", sub, &form).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (sid, secret) = (made.str("sid"), made.str("secret"));
    assert_eq!(secret.len(), 32);
    assert_eq!(
        made.body,
        json!({
            "sid": sid,
            "friendly_name": "reader",
            "date_created": "Sun, 01 Mar 2026 00:00:00 +0000",
            "date_updated": "Sun, 01 Mar 2026 00:00:00 +0000",
            "secret": secret,
            "policy": {"allow": ["/twilio/messaging/messages/read"]}
        })
    );
    let listed = iam(&sim, "GET", &format!("/v1/Keys?AccountSid={own}"), sub, &[]).await;
    assert_eq!(listed.body["keys"][0]["sid"], sid);
    assert_eq!(listed.body["keys"][0]["flags"], json!(["rest_api"]));
    assert_eq!(listed.body["meta"]["key"], "keys");
    let one = format!("/v1/Keys/{sid}");
    let policy =
        r#"{"allow":["/twilio/messaging/messages/read","/twilio/messaging/messages/list"]}"#;
    let form = [("FriendlyName", "lister"), ("Policy", policy)];
    let changed = iam(&sim, "POST", &one, sub, &form).await;
    assert_eq!(changed.status, 200);
    let messages = format!("{API}/Accounts/{own}/Messages.json");
    let key = (sid.as_str(), secret.as_str());
    assert_eq!(
        ask(&sim, "GET", &messages, Some(key), &[]).await.status,
        200
    );
    let fetched = iam(&sim, "GET", &one, sub, &[]).await;
    assert_eq!(fetched.str("friendly_name"), "lister");
    assert_eq!(fetched.body["policy"]["allow"].as_array().unwrap().len(), 2);
    assert!(fetched.body.get("secret").is_none());
    assert_eq!(iam(&sim, "DELETE", &one, sub, &[]).await.status, 204);
    let gone = iam(&sim, "GET", &one, sub, &[]).await;
    assert_eq!(
        (gone.code(), gone.str("message")),
        (
            20_404,
            format!("The requested resource /Keys/{sid} was not found")
        )
    );
    assert_eq!(
        ask(&sim, "GET", &messages, Some(key), &[]).await.code(),
        20_003
    );
}

#[tokio::test]
async fn without_a_type_a_standard_key_is_made() {
    let sim = Sim::new(config());
    let main = (MAIN, TOKEN);
    let form = [("AccountSid", MAIN), ("Policy", READ)];
    let made = iam(&sim, "POST", "/v1/Keys", main, &form).await;
    assert_eq!(
        (&made.body["policy"], &made.body["friendly_name"]),
        (&json!(null), &json!(null))
    );
    let listed = get(&sim, &format!("/Accounts/{MAIN}/Keys.json")).await;
    assert_eq!(listed.body["keys"][0]["sid"], made.str("sid"));
    let rows = iam(
        &sim,
        "GET",
        &format!("/v1/Keys?AccountSid={MAIN}"),
        main,
        &[],
    )
    .await;
    assert_eq!(
        rows.body["keys"][0]["flags"],
        json!(["rest_api", "signing"])
    );
    // It has no policy that could be changed.
    let one = format!("/v1/Keys/{}", made.str("sid"));
    assert_eq!(
        iam(&sim, "POST", &one, main, &[("Policy", READ)])
            .await
            .code(),
        70_001
    );
}

#[tokio::test]
async fn the_v2010_api_makes_and_shows_standard_keys_only() {
    let sim = Sim::new(config());
    let keys = format!("/Accounts/{MAIN}/Keys.json");
    let form = [("KeyType", "restricted"), ("Policy", READ)];
    let downgraded = post(&sim, &keys, &form).await;
    assert_eq!(downgraded.status, 201, "what it does not know it ignores");
    let form = [
        ("AccountSid", MAIN),
        ("KeyType", "restricted"),
        ("Policy", READ),
    ];
    let restricted = iam(&sim, "POST", "/v1/Keys", (MAIN, TOKEN), &form).await;
    let listed = get(&sim, &keys).await;
    let sids: Vec<_> = listed.body["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["sid"])
        .collect();
    assert_eq!(sids, [&downgraded.body["sid"]]);
    let one = format!("/Accounts/{MAIN}/Keys/{}.json", restricted.str("sid"));
    assert_eq!(get(&sim, &one).await.code(), 20_404);
}

#[tokio::test]
async fn keys_and_signing_keys_are_the_same_keys() {
    let sim = Sim::new(config());
    let made = post(
        &sim,
        &format!("/Accounts/{MAIN}/SigningKeys.json"),
        &[("FriendlyName", "signer")],
    )
    .await;
    assert_eq!((made.status, made.str("secret").len()), (201, 32));
    let one = format!("/Accounts/{MAIN}/Keys/{}.json", made.str("sid"));
    assert_eq!(
        post(&sim, &one, &[("FriendlyName", "renamed")])
            .await
            .status,
        200
    );
    let listed = get(&sim, &format!("/Accounts/{MAIN}/SigningKeys.json")).await;
    assert_eq!(listed.body["signing_keys"][0]["friendly_name"], "renamed");
    let one = format!("/Accounts/{MAIN}/SigningKeys/{}.json", made.str("sid"));
    assert_eq!(delete(&sim, &one).await.status, 204);
    assert_eq!(delete(&sim, &one).await.code(), 20_404);
}

#[tokio::test]
async fn requests_for_keys_are_refused_with_a_reason() {
    let sim = Sim::new(config());
    let many: Vec<String> = (0..101)
        .map(|at| format!("/twilio/voice/r{at}/read"))
        .collect();
    let many = json!({ "allow": many }).to_string();
    let most: Vec<String> = (0..100)
        .map(|at| format!("/twilio/voice/r{at}/read"))
        .collect();
    let most = json!({ "allow": most }).to_string();
    let long = "x".repeat(65);
    let account = ("AccountSid", MAIN);
    let kind = ("KeyType", "restricted");
    for (form, code) in [
        (vec![], 20_001),
        (vec![("AccountSid", "AC1")], 70_002),
        (vec![account, ("KeyType", "main")], 20_001),
        (vec![account, kind], 20_001),
        (vec![account, kind, ("Policy", "nonsense")], 70_001),
        (vec![account, kind, ("Policy", r#"{"allow":[]}"#)], 70_001),
        (
            vec![
                account,
                kind,
                ("Policy", r#"{"allow":["/twilio/fake/x/read"]}"#),
            ],
            70_002,
        ),
        (
            vec![
                account,
                kind,
                ("Policy", r#"{"allow":["/twilio/voice/calls"]}"#),
            ],
            70_002,
        ),
        (vec![account, kind, ("Policy", &many)], 70_001),
        (vec![account, kind, ("Policy", &most)], 0),
        (vec![account, ("FriendlyName", &long)], 70_001),
        (vec![account, ("FriendlyName", &long[1..])], 0),
    ] {
        let answer = iam(&sim, "POST", "/v1/Keys", (MAIN, TOKEN), &form).await;
        assert_eq!(answer.code(), code, "{form:?}: {}", answer.body);
        assert_eq!(answer.status, if code == 0 { 201 } else { 400 });
    }
    let unnamed = iam(&sim, "GET", "/v1/Keys", (MAIN, TOKEN), &[]).await;
    assert_eq!((unnamed.status, unnamed.code()), (400, 20_001));
    let other = get(&sim, &format!("/Accounts/{MAIN}/Keys/{MAIN}.json")).await;
    assert_eq!(
        (other.status, other.code()),
        (400, 70_002),
        "not a key's SID"
    );
}

#[tokio::test]
async fn a_quirk_leaves_restricted_keys_out_of_the_list() {
    let quirks = Quirks {
        restricted_keys_unlisted: true,
        ..Quirks::none()
    };
    let sim = Sim::new(SimConfig { quirks, ..config() });
    let form = [
        ("AccountSid", MAIN),
        ("KeyType", "restricted"),
        ("Policy", READ),
    ];
    let made = iam(&sim, "POST", "/v1/Keys", (MAIN, TOKEN), &form).await;
    let path = format!("/v1/Keys?AccountSid={MAIN}");
    let listed = iam(&sim, "GET", &path, (MAIN, TOKEN), &[]).await;
    assert_eq!(listed.body["keys"], json!([]));
    let one = format!("/v1/Keys/{}", made.str("sid"));
    assert_eq!(iam(&sim, "GET", &one, (MAIN, TOKEN), &[]).await.status, 200);
}

#[tokio::test]
async fn iam_lists_are_paged_by_absolute_links() {
    let sim = Sim::new(config());
    for _ in 0..5 {
        post(&sim, &format!("/Accounts/{MAIN}/Keys.json"), &[]).await;
    }
    let (mut path, mut seen) = (format!("/v1/Keys?AccountSid={MAIN}&PageSize=2"), 0);
    loop {
        let page = iam(&sim, "GET", &path, (MAIN, TOKEN), &[]).await;
        seen += page.body["keys"].as_array().unwrap().len();
        match page.body["meta"]["next_page_url"].as_str() {
            Some(next) => next
                .strip_prefix("https://iam.twilio.com")
                .unwrap()
                .clone_into(&mut path),
            None => break,
        }
    }
    assert_eq!(seen, 5);
}
