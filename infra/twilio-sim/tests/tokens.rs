//! Auth tokens: what a secondary one may do, what a promotion changes at once and what only later.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    API, Arrived, MAIN, Reply, TOKEN, ask, config, control, pass, quick_config, receiver,
    subaccount,
};
use serde_json::json;
use twilio_sim::Sim;

const SECONDARY: &str = "/accounts/v1/AuthTokens/Secondary";
const PROMOTE: &str = "/accounts/v1/AuthTokens/Promote";

async fn as_(sim: &Sim, method: &str, path: &str, sid: &str, token: &str) -> Reply {
    let form = [("SuppressEmailNotification", "true")];
    ask(sim, method, path, Some((sid, token)), &form).await
}

async fn works(sim: &Sim, sid: &str, token: &str) -> bool {
    let path = format!("{API}/Accounts/{sid}.json");
    as_(sim, "GET", &path, sid, token).await.status == 200
}

#[tokio::test]
async fn a_secondary_token_authenticates_until_it_is_deleted() {
    let sim = Sim::new(config());
    let (sid, first) = subaccount(&sim, "own").await;
    let made = as_(&sim, "POST", SECONDARY, &sid, &first).await;
    let second = made.str("secondary_auth_token");
    assert_eq!((made.status, second.len()), (201, 32));
    assert_eq!(
        made.body,
        json!({
            "account_sid": sid,
            "secondary_auth_token": second,
            "date_created": "2026-03-01T00:00:00Z",
            "date_updated": "2026-03-01T00:00:00Z",
            "url": "https://accounts.twilio.com/v1/AuthTokens/Secondary"
        })
    );
    assert!(works(&sim, &sid, &first).await && works(&sim, &sid, &second).await);
    let again = as_(&sim, "POST", SECONDARY, &sid, &second).await;
    assert_eq!((again.status, again.code()), (400, 70_002), "one at a time");
    assert_eq!(
        as_(&sim, "DELETE", SECONDARY, &sid, &second).await.status,
        204
    );
    assert!(!works(&sim, &sid, &second).await && works(&sim, &sid, &first).await);
}

#[tokio::test]
async fn a_promotion_kills_the_old_token_at_once() {
    let sim = Sim::new(config());
    let (sid, first) = subaccount(&sim, "own").await;
    let made = as_(&sim, "POST", SECONDARY, &sid, &first).await;
    let second = made.str("secondary_auth_token");
    let promoted = as_(&sim, "POST", PROMOTE, &sid, &first).await;
    assert_eq!(
        (promoted.status, promoted.str("auth_token")),
        (200, second.clone())
    );
    assert!(!works(&sim, &sid, &first).await && works(&sim, &sid, &second).await);
    let shown = common::get(&sim, &format!("/Accounts/{sid}.json")).await;
    assert_eq!(shown.str("auth_token"), second);
    // Keys are not touched, nor is anybody else's token.
    assert!(works(&sim, MAIN, TOKEN).await);
}

#[tokio::test]
async fn nothing_is_promoted_or_deleted_where_no_secondary_token_is() {
    let sim = Sim::new(config());
    for (method, path, named) in [
        ("POST", PROMOTE, "/AuthTokens/Promote"),
        ("DELETE", SECONDARY, "/AuthTokens/Secondary"),
    ] {
        let refused = as_(&sim, method, path, MAIN, TOKEN).await;
        assert_eq!(
            (refused.status, refused.code(), refused.str("message")),
            (
                404,
                20_404,
                format!("The requested resource {named} was not found")
            )
        );
    }
    let form = [("SuppressEmailNotification", "perhaps")];
    let refused = ask(&sim, "POST", SECONDARY, Some((MAIN, TOKEN)), &form).await;
    assert_eq!(refused.code(), 20_001);
}

#[tokio::test]
async fn main_credentials_rotate_the_main_account_whatever_they_name() {
    let sim = Sim::new(config());
    let (sid, first) = subaccount(&sim, "own").await;
    let form = [("AccountSid", sid.as_str())];
    let made = ask(&sim, "POST", SECONDARY, Some((MAIN, TOKEN)), &form).await;
    assert_eq!(made.str("account_sid"), MAIN);
    let promoted = as_(&sim, "POST", PROMOTE, MAIN, TOKEN).await;
    assert!(works(&sim, MAIN, &promoted.str("auth_token")).await);
    assert!(!works(&sim, MAIN, TOKEN).await && works(&sim, &sid, &first).await);
}

/// A call with callbacks of the account, up to its end; what arrived.
async fn call(
    sim: &Sim,
    sid: &str,
    base: &str,
    seen: &std::sync::Mutex<Vec<Arrived>>,
) -> Vec<Arrived> {
    seen.lock().unwrap().clear();
    let asked =
        json!({"account_sid": sid, "duration_s": 1, "status_callback": format!("{base}/calls")});
    assert_eq!(
        control(sim, "POST", "/_sim/calls", &asked).await.status,
        200
    );
    pass(sim, 12).await;
    let arrived = seen.lock().unwrap().clone();
    assert!(!arrived.is_empty());
    arrived
}

fn signed_by(base: &str, arrived: &[Arrived], token: &str) -> bool {
    arrived.iter().all(|callback| {
        let url = format!("{base}{}", callback.path);
        callback.signature == twilio::signature::sign(token, &url, &callback.fields)
    })
}

#[tokio::test]
async fn callbacks_are_signed_by_the_old_token_for_a_while_after_a_promotion() {
    let sim = Sim::new(quick_config());
    control(
        &sim,
        "POST",
        "/_sim/pace",
        &json!({"token_switch_ms": [60_000, 60_000]}),
    )
    .await;
    let (base, seen) = receiver(vec![]).await;
    let (sid, first) = subaccount(&sim, "own").await;
    control(&sim, "POST", "/_sim/numbers", &json!({"account_sid": sid})).await;
    let made = as_(&sim, "POST", SECONDARY, &sid, &first).await;
    let second = made.str("secondary_auth_token");
    let arrived = call(&sim, &sid, &base, &seen).await;
    assert!(
        signed_by(&base, &arrived, &first),
        "a secondary token signs nothing"
    );
    as_(&sim, "POST", PROMOTE, &sid, &second).await;
    let arrived = call(&sim, &sid, &base, &seen).await;
    assert!(
        signed_by(&base, &arrived, &first),
        "dead, but still signing"
    );
    pass(&sim, 60).await;
    let arrived = call(&sim, &sid, &base, &seen).await;
    assert!(signed_by(&base, &arrived, &second));
}
