//! Accounts, keys, who may do what, and paging.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    API, MAIN, TOKEN, ask, config, control, delete, get, pass, post, quick_config, subaccount,
};
use serde_json::json;
use twilio_sim::{Sim, SimConfig};

#[tokio::test]
async fn a_subaccount_is_created_listed_by_exact_name_suspended_and_closed_for_good() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    subaccount(&sim, "Acme 2").await;
    let listed = get(&sim, "/Accounts.json?FriendlyName=Acme").await;
    assert_eq!(listed.body["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(listed.body["accounts"][0]["owner_account_sid"], MAIN);
    let all = get(&sim, "/Accounts.json").await;
    assert!(
        all.body["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["sid"] == MAIN),
        "the main account is in its own list"
    );
    let path = format!("/Accounts/{sid}.json");
    for (status, expected) in [
        ("bogus", 21_475),
        ("suspended", 0),
        ("active", 0),
        ("closed", 0),
        ("active", 21_479),
    ] {
        let answer = post(&sim, &path, &[("Status", status)]).await;
        assert_eq!(answer.code(), expected, "{status}");
    }
    assert_eq!(get(&sim, &path).await.str("status"), "closed");
    assert_eq!(
        post(
            &sim,
            &format!("/Accounts/{MAIN}.json"),
            &[("Status", "suspended")]
        )
        .await
        .code(),
        21_477
    );
}

#[tokio::test]
async fn what_twilio_suspended_its_parent_cannot_reactivate() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    control(
        &sim,
        "POST",
        &format!("/_sim/accounts/{sid}"),
        &json!({"status": "suspended"}),
    )
    .await;
    let path = format!("/Accounts/{sid}.json");
    assert_eq!(
        post(&sim, &path, &[("Status", "active")]).await.code(),
        21_478
    );
    control(
        &sim,
        "POST",
        &format!("/_sim/accounts/{MAIN}"),
        &json!({"status": "suspended"}),
    )
    .await;
    assert_eq!(
        post(&sim, &path, &[("Status", "suspended")]).await.code(),
        21_476
    );
}

#[tokio::test]
async fn the_limit_counts_open_subaccounts_only() {
    let sim = Sim::new(SimConfig {
        subaccount_limit: 2,
        ..config()
    });
    let (first, _) = subaccount(&sim, "1").await;
    subaccount(&sim, "2").await;
    let refused = post(&sim, "/Accounts.json", &[("FriendlyName", "3")]).await;
    assert_eq!((refused.status, refused.code()), (400, 21_480));
    post(
        &sim,
        &format!("/Accounts/{first}.json"),
        &[("Status", "closed")],
    )
    .await;
    assert_eq!(
        post(&sim, "/Accounts.json", &[("FriendlyName", "3")])
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn each_credential_may_do_what_twilio_says_and_no_more() {
    let sim = Sim::new(config());
    let (own, own_token) = subaccount(&sim, "own").await;
    let (other, _) = subaccount(&sim, "other").await;
    let key = post(
        &sim,
        &format!("/Accounts/{own}/Keys.json"),
        &[("FriendlyName", "k")],
    )
    .await;
    let main_key = post(
        &sim,
        &format!("/Accounts/{MAIN}/Keys.json"),
        &[("FriendlyName", "m")],
    )
    .await;
    let (sk, secret) = (key.str("sid"), key.str("secret"));
    let (msk, msecret) = (main_key.str("sid"), main_key.str("secret"));
    let main = (MAIN, TOKEN);
    let sub = (own.as_str(), own_token.as_str());
    let sub_key = (sk.as_str(), secret.as_str());
    let of_main = (msk.as_str(), msecret.as_str());
    let (calls, account, keys) = ("Calls.json", ".json", "Keys.json");
    let table = [
        (main, MAIN, calls, 200),
        (main, &own, calls, 200),
        (main, &own, keys, 200),
        (main, &own, account, 200),
        (sub, &own, calls, 200),
        (sub, &own, account, 200),
        (sub, &own, keys, 200),
        (sub, &other, calls, 401),
        (sub, MAIN, calls, 401),
        (sub, &other, account, 401),
        (sub_key, &own, calls, 200),
        (sub_key, &own, keys, 401),
        (sub_key, &own, account, 401),
        (sub_key, &other, calls, 401),
        (of_main, MAIN, calls, 200),
        (of_main, &own, calls, 401),
        (of_main, MAIN, keys, 401),
        ((MAIN, "wrong"), MAIN, calls, 401),
        ((own.as_str(), TOKEN), &own, calls, 401),
    ];
    for (credential, target, what, expected) in table {
        let slash = if what == account { "" } else { "/" };
        let answer = ask(
            &sim,
            "GET",
            &format!("{API}/Accounts/{target}{slash}{what}"),
            Some(credential),
            &[],
        )
        .await;
        assert_eq!(answer.status, expected, "{credential:?} {target} {what}");
        assert!(expected == 200 || answer.code() == 20_003);
    }
    assert_eq!(
        ask(&sim, "GET", &format!("{API}/Accounts.json"), None, &[])
            .await
            .code(),
        20_003
    );
    assert_eq!(
        ask(
            &sim,
            "POST",
            &format!("{API}/Accounts.json"),
            Some(sub),
            &[]
        )
        .await
        .code(),
        21_101
    );
    let kinds: Vec<&str> = sim
        .requests()
        .iter()
        .map(|request| request.credential)
        .collect();
    assert!(
        ["main", "subaccount", "key", "none", "invalid"]
            .iter()
            .all(|kind| kinds.contains(kind))
    );
}

#[tokio::test]
async fn the_credentials_of_a_suspended_account_fail() {
    let sim = Sim::new(config());
    let (own, own_token) = subaccount(&sim, "own").await;
    let key = post(&sim, &format!("/Accounts/{own}/Keys.json"), &[]).await;
    let (sk, secret) = (key.str("sid"), key.str("secret"));
    let (sub, sub_key) = (
        (own.as_str(), own_token.as_str()),
        (sk.as_str(), secret.as_str()),
    );
    post(
        &sim,
        &format!("/Accounts/{own}.json"),
        &[("Status", "suspended")],
    )
    .await;
    for credential in [sub, sub_key] {
        let answer = ask(
            &sim,
            "GET",
            &format!("{API}/Accounts/{own}/Calls.json"),
            Some(credential),
            &[],
        )
        .await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, 20_003),
            "a suspended account's own credentials fail"
        );
    }
}

#[tokio::test]
async fn a_key_shows_its_secret_once_and_is_gone_after_its_deletion() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let made = post(
        &sim,
        &format!("/Accounts/{sid}/Keys.json"),
        &[("FriendlyName", "k")],
    )
    .await;
    assert_eq!((made.status, made.str("secret").len()), (201, 32));
    let listed = get(&sim, &format!("/Accounts/{sid}/Keys.json")).await;
    assert_eq!(listed.body["keys"][0]["friendly_name"], "k");
    assert!(listed.body["keys"][0].get("secret").is_none());
    let path = format!("/Accounts/{sid}/Keys/{}.json", made.str("sid"));
    assert_eq!(delete(&sim, &path).await.status, 204);
    assert_eq!(delete(&sim, &path).await.code(), 20_404);
    let dump = control(&sim, "GET", "/_sim/state", &json!(null))
        .await
        .body
        .to_string();
    assert!(!dump.contains(TOKEN) && !dump.contains(&made.str("secret")));
}

#[tokio::test]
async fn pages_are_followed_by_token_and_refused_without() {
    let sim = Sim::new(config());
    for number in 0..7 {
        subaccount(&sim, &format!("n{number}")).await;
    }
    let (mut path, mut seen) = ("/Accounts.json?PageSize=3".to_owned(), Vec::new());
    loop {
        let page = get(&sim, &path).await;
        for row in page.body["accounts"].as_array().unwrap() {
            seen.push(row["sid"].as_str().unwrap().to_owned());
        }
        // An account that comes while one turns pages shifts nothing.
        subaccount(&sim, "late").await;
        match page.body["next_page_uri"].as_str() {
            Some(next) => next.strip_prefix(API).unwrap().clone_into(&mut path),
            None => break,
        }
    }
    assert_eq!(seen.len(), 8);
    seen.dedup();
    assert_eq!(seen.len(), 8);
    assert_eq!(get(&sim, "/Accounts.json?Page=1").await.code(), 70_002);
    assert_eq!(
        get(&sim, "/Accounts.json?Page=1&PageToken=PAnonsense")
            .await
            .code(),
        21_481
    );
    let more = get(&sim, "/Accounts.json?PageSize=1001").await;
    assert_eq!((more.status, &more.body["page_size"]), (200, &1000.into()));
    let page = get(&sim, "/Accounts.json?PageSize=3").await;
    assert_eq!(
        (
            &page.body["start"],
            &page.body["end"],
            &page.body["page_size"]
        ),
        (&json!(0), &json!(2), &json!(3))
    );
}

#[tokio::test]
async fn closing_releases_numbers_and_ends_calls() {
    let sim = Sim::new(quick_config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let bought = post(
        &sim,
        &format!("/Accounts/{sid}/IncomingPhoneNumbers.json"),
        &[("PhoneNumber", "+14155550100")],
    )
    .await;
    assert_eq!(bought.status, 201);
    assert_eq!(
        post(
            &sim,
            &format!("/Accounts/{sid}/IncomingPhoneNumbers.json"),
            &[("PhoneNumber", "+14155550100")]
        )
        .await
        .code(),
        21_422
    );
    control(
        &sim,
        "POST",
        "/_sim/calls",
        &json!({"account_sid": sid, "duration_s": 5000}),
    )
    .await;
    pass(&sim, 60).await;
    assert_eq!(sim.accounts()[1].live_calls.len(), 1);
    post(
        &sim,
        &format!("/Accounts/{sid}.json"),
        &[("Status", "closed")],
    )
    .await;
    let state = &sim.accounts()[1];
    assert!(state.numbers.is_empty() && state.live_calls.is_empty());
}

#[tokio::test]
async fn answers_carry_twilio_s_headers_and_error_bodies() {
    let sim = Sim::new(config());
    let missing = get(&sim, "/Accounts/ACffffffffffffffffffffffffffffffff.json").await;
    assert_eq!(
        missing.body,
        json!({
            "code": 20404,
            "message": "The requested resource /2010-04-01/Accounts/ACffffffffffffffffffffffffffffffff.json was not found",
            "more_info": "https://www.twilio.com/docs/errors/20404",
            "status": 404
        })
    );
    assert!(
        missing.headers["Twilio-Request-Id"]
            .to_str()
            .unwrap()
            .starts_with("RQ")
    );
    assert_eq!(missing.headers["Twilio-Concurrent-Requests"], "1");
    assert_eq!(missing.headers["Date"], "Sun, 01 Mar 2026 00:00:00 GMT");
    let balance = get(&sim, &format!("/Accounts/{MAIN}/Balance.json")).await;
    assert_eq!(
        balance.body,
        json!({"account_sid": MAIN, "balance": "10000", "currency": "USD"})
    );
}
