//! Keys by iam, and the rotation of auth tokens.

use domain::ids::KeySid;
use secrecy::ExposeSecret;
use twilio::auth_tokens::EmailNotification;
use twilio::restricted_keys::{IamKeyUpdate, Policy};
use twilio::{AlarmReason, Error};

use crate::server::{MAIN, SUB, account, error, json, main_credentials, meta_page_of, own, scene};

const KEY: &str = "SK44444444444444444444444444444444";
const READ: &str = "/twilio/messaging/messages/read";

fn key() -> KeySid {
    KeySid::parse(KEY).unwrap()
}

fn key_json(name: &str, more: &str) -> String {
    format!(
        r#"{{"sid":"{KEY}","friendly_name":"{name}","date_created":"Mon, 13 Jun 2016 22:50:08 +0000",
        "date_updated":"Mon, 13 Jun 2016 22:50:08 +0000"{more}}}"#
    )
}

#[tokio::test]
async fn a_restricted_key_is_made_in_the_subaccounts_name_with_its_policy() {
    let more = format!(r#","secret":"hidden","policy":{{"allow":["{READ}"]}}"#);
    let scene = scene([json(201, key_json("tenant", &more))]).await;
    let policy = Policy::allow([READ, "/twilio/messaging/messages/create"]).unwrap();
    let made = scene
        .client
        .create_restricted_key(&own(), "tenant", &policy)
        .await
        .unwrap();
    assert_eq!(made.secret.expose_secret(), "hidden");
    assert!(!format!("{made:?}").contains("hidden"));
    assert_eq!(made.policy.unwrap().allow, [READ]);
    let (line, body) = scene.only(SUB);
    assert_eq!(line, "POST /iam/v1/Keys");
    let fields: Vec<_> = url::form_urlencoded::parse(body.as_bytes()).collect();
    let policy = format!(r#"{{"allow":["{READ}","/twilio/messaging/messages/create"]}}"#);
    let expected = [
        ("AccountSid", SUB),
        ("FriendlyName", "tenant"),
        ("KeyType", "restricted"),
        ("Policy", &policy),
    ];
    assert_eq!(
        fields,
        expected.map(|(name, value)| (name.into(), value.into()))
    );
}

#[tokio::test]
async fn a_standard_key_is_made_without_a_type_and_shows_no_policy() {
    let more = r#","secret":"hidden","policy":null"#;
    let scene = scene([json(201, key_json("n", more))]).await;
    let made = scene.client.create_standard_key(&own(), "n").await.unwrap();
    assert_eq!(made.policy, None);
    let (_, body) = scene.only(SUB);
    assert_eq!(body, format!("AccountSid={SUB}&FriendlyName=n"));
}

#[tokio::test]
async fn keys_are_listed_read_changed_and_deleted() {
    let listed = key_json("n", r#","flags":["rest_api","signing"]"#);
    let policy = format!(r#","policy":{{"allow":["{READ}"],"deny":[]}}"#);
    let scene = scene([
        meta_page_of("keys", &[listed]),
        json(200, key_json("n", &policy)),
        json(200, key_json("m", &policy)),
        json(204, ""),
        error(404, 20404),
    ])
    .await;
    let (client, own) = (&scene.client, own());
    let listed = client.list_iam_keys(&own).await.unwrap();
    assert_eq!(listed[0].flags, ["rest_api", "signing"]);
    let fetched = client.fetch_iam_key(&own, &key()).await.unwrap();
    assert_eq!(fetched.policy.unwrap().allow, [READ]);
    let update = IamKeyUpdate {
        friendly_name: Some("m".to_owned()),
        policy: None,
    };
    let updated = client.update_iam_key(&own, &key(), &update).await.unwrap();
    assert_eq!(updated.friendly_name.as_deref(), Some("m"));
    client.delete_iam_key(&own, &key()).await.unwrap();
    client.delete_iam_key(&own, &key()).await.unwrap();
    let one = format!("/iam/v1/Keys/{KEY}");
    assert_eq!(
        scene.lines(),
        [
            format!("GET /iam/v1/Keys?AccountSid={SUB}&PageSize=1000"),
            format!("GET {one}"),
            format!("POST {one}"),
            format!("DELETE {one}"),
            format!("DELETE {one}"),
        ]
    );
    assert_eq!(scene.seen()[2].body, "FriendlyName=m");
}

#[tokio::test]
async fn a_v2010_key_is_read_and_renamed() {
    let row = format!(r#"{{"sid":"{KEY}","friendly_name":"m"}}"#);
    let scene = scene([json(200, row.clone()), json(200, row)]).await;
    let (client, main) = (&scene.client, main_credentials());
    client
        .fetch_key(&main, &account(SUB), &key())
        .await
        .unwrap();
    client
        .update_key(&main, &account(SUB), &key(), "m")
        .await
        .unwrap();
    let path = format!("/2010-04-01/Accounts/{SUB}/Keys/{KEY}.json");
    assert_eq!(
        scene.lines(),
        [format!("GET {path}"), format!("POST {path}")]
    );
    assert_eq!(scene.seen()[1].body, "FriendlyName=m");
}

fn token_json(account_sid: &str, field: &str) -> String {
    format!(
        r#"{{"account_sid":"{account_sid}","{field}":"hidden","date_created":"2026-07-31T04:00:00Z",
        "date_updated":"2026-07-31T04:00:00Z","url":"https://accounts.twilio.com/v1/AuthTokens/x"}}"#
    )
}

#[tokio::test]
async fn a_token_is_rotated_without_mail_to_the_tenants() {
    let scene = scene([
        json(201, token_json(SUB, "secondary_auth_token")),
        json(200, token_json(SUB, "auth_token")),
        json(204, ""),
    ])
    .await;
    let (client, own, quiet) = (&scene.client, own(), EmailNotification::Suppress);
    let made = client
        .create_secondary_auth_token(&own, quiet)
        .await
        .unwrap();
    assert_eq!(made.secondary_auth_token.expose_secret(), "hidden");
    let promoted = client.promote_auth_token(&own, quiet).await.unwrap();
    assert_eq!(promoted.auth_token.expose_secret(), "hidden");
    assert!(!format!("{made:?} {promoted:?}").contains("hidden"));
    assert_eq!(
        promoted.date_updated,
        Some("2026-07-31T04:00:00Z".parse().unwrap())
    );
    client
        .delete_secondary_auth_token(&own, quiet)
        .await
        .unwrap();
    assert_eq!(
        scene.lines(),
        [
            "POST /accounts/v1/AuthTokens/Secondary",
            "POST /accounts/v1/AuthTokens/Promote",
            "DELETE /accounts/v1/AuthTokens/Secondary?SuppressEmailNotification=true",
        ]
    );
    for seen in &scene.seen()[..2] {
        assert_eq!(seen.body, "SuppressEmailNotification=true");
        seen.assert_from(SUB);
    }
}

#[tokio::test]
async fn twilios_own_mail_is_not_asked_for_in_words() {
    let scene = scene([json(200, token_json(SUB, "auth_token"))]).await;
    scene
        .client
        .promote_auth_token(&own(), EmailNotification::Send)
        .await
        .unwrap();
    assert_eq!(scene.only(SUB).1, "");
}

#[tokio::test]
async fn a_promotion_is_never_repeated_and_tells_where_to_look() {
    let scene = scene([error(500, 20500), error(404, 20404)]).await;
    let outcome = scene
        .client
        .promote_auth_token(&own(), EmailNotification::Suppress)
        .await
        .unwrap_err();
    assert!(matches!(outcome, Error::UnknownOutcome { .. }), "{outcome}");
    assert_eq!(scene.seen().len(), 1);
}

#[tokio::test]
async fn a_token_of_another_account_is_not_taken_for_ours() {
    let scene = scene([
        json(201, token_json(MAIN, "secondary_auth_token")),
        json(200, token_json(MAIN, "auth_token")),
    ])
    .await;
    let (client, quiet) = (&scene.client, EmailNotification::Suppress);
    let made = client.create_secondary_auth_token(&own(), quiet).await;
    let promoted = client.promote_auth_token(&own(), quiet).await;
    for refused in [made.map(|_| ()), promoted.map(|_| ())] {
        assert!(
            matches!(
                refused,
                Err(Error::Alarm {
                    reason: AlarmReason::ContractBroken,
                    ..
                })
            ),
            "{refused:?}"
        );
    }
}
