//! In whose name requests go out, and which are refused before they do.

use secrecy::SecretString;
use twilio::{AlarmReason, CallFilter, Credentials, Error, UsageQuery, UsageSpan};

use crate::server::{
    MAIN, SUB, account, error, main_credentials, meta_page_of, own, page_of, scene,
};

const OTHER: &str = "AC22222222222222222222222222222222";

#[tokio::test]
async fn a_subaccounts_credentials_reach_no_other_account() {
    let scene = scene([page_of("calls", &[]), page_of("calls", &[])]).await;
    let own = Credentials::from(own());
    for foreign in [OTHER, MAIN] {
        let refused = scene
            .client
            .list_calls(&own, &account(foreign), &CallFilter::default())
            .await
            .unwrap_err();
        assert!(
            matches!(
                refused,
                Error::Alarm {
                    reason: AlarmReason::WrongCredentials,
                    status: None,
                    ..
                }
            ),
            "{refused:?}"
        );
        let account = scene.client.fetch_account(&own, &account(foreign)).await;
        assert!(matches!(account, Err(Error::Alarm { .. })));
    }
    assert!(scene.seen().is_empty(), "refused before it is sent");
    let filter = CallFilter::default();
    let listed = scene
        .client
        .list_calls(&own, &account(SUB), &filter)
        .await
        .unwrap();
    assert!(listed.is_empty());
    scene.seen()[0].assert_from(SUB);
}

#[tokio::test]
async fn main_credentials_reach_a_subaccount_by_its_path() {
    let scene = scene([page_of("usage_records", &[])]).await;
    let query = UsageQuery::of(UsageSpan::Today);
    scene
        .client
        .list_usage(&main_credentials(), &account(SUB), &query)
        .await
        .unwrap();
    let (line, _) = scene.only(MAIN);
    assert!(
        line.starts_with(&format!(
            "GET /2010-04-01/Accounts/{SUB}/Usage/Records/Today.json?"
        )),
        "{line}"
    );
}

#[tokio::test]
async fn every_other_product_is_asked_in_the_subaccounts_own_name() {
    let scene = scene([
        meta_page_of("keys", &[]),
        meta_page_of("services", &[]),
        meta_page_of("events", &[]),
        meta_page_of("alerts", &[]),
        error(404, 20404),
        meta_page_of("countries", &[]),
    ])
    .await;
    let (client, own) = (&scene.client, own());
    client.list_iam_keys(&own).await.unwrap();
    client.list_messaging_services(&own).await.unwrap();
    let (events, alerts) = (
        twilio::monitor::MonitorEventFilter::default(),
        twilio::monitor::AlertFilter::default(),
    );
    client.list_monitor_events(&own, &events).await.unwrap();
    client.list_alerts(&own, &alerts).await.unwrap();
    let email = twilio::auth_tokens::EmailNotification::Suppress;
    client
        .delete_secondary_auth_token(&own, email)
        .await
        .unwrap();
    client.list_voice_countries(&own.into()).await.unwrap();
    let seen = scene.seen();
    let products: Vec<_> = seen
        .iter()
        .map(|seen| seen.target.split('/').nth(1).unwrap())
        .collect();
    assert_eq!(
        products,
        [
            "iam",
            "messaging",
            "monitor",
            "monitor",
            "accounts",
            "pricing"
        ]
    );
    for seen in seen {
        seen.assert_from(SUB);
    }
}

#[test]
fn credentials_show_no_token() {
    let own = twilio::SubaccountCredentials {
        account_sid: account(SUB),
        auth_token: SecretString::from("hidden"),
    };
    let shown = format!("{own:?} {:?}", Credentials::from(own.clone()));
    assert!(shown.contains(SUB) && !shown.contains("hidden"), "{shown}");
}
