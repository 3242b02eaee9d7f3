//! The life of a subaccount: names, lists, limits, every change of status, and its end.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{MAIN, config, control, get, pass, post, subaccount};
use serde_json::{Value, json};
use twilio_sim::{AccountType, Quirks, Sim, SimConfig};

const DAY_S: u64 = 86_400;

fn with(quirks: Quirks) -> Sim {
    Sim::new(SimConfig { quirks, ..config() })
}

async fn set(sim: &Sim, sid: &str, status: &str) -> u64 {
    let path = format!("/Accounts/{sid}.json");
    post(sim, &path, &[("Status", status)]).await.code()
}

async fn by_twilio(sim: &Sim, sid: &str, status: &str) {
    let asked = json!({ "status": status });
    let answer = control(sim, "POST", &format!("/_sim/accounts/{sid}"), &asked).await;
    assert_eq!(answer.status, 204);
}

async fn listed(sim: &Sim, query: &str) -> Vec<String> {
    let page = get(sim, &format!("/Accounts.json?PageSize=1000&{query}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let names = page.body["accounts"].as_array().unwrap().iter();
    let mut names: Vec<String> = names
        .map(|row| row["friendly_name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn each_change_of_status_has_its_answer() {
    for (from, to, code) in [
        ("active", "active", 0),
        ("active", "suspended", 0),
        ("active", "closed", 0),
        ("suspended", "suspended", 0),
        ("suspended", "active", 0),
        ("suspended", "closed", 0),
        ("closed", "active", 21_479),
        ("closed", "suspended", 21_479),
        ("closed", "closed", 21_479),
        ("active", "deleted", 21_475),
        ("closed", "deleted", 21_475),
    ] {
        let sim = with(Quirks::none());
        let (sid, _) = subaccount(&sim, "Acme").await;
        set(&sim, &sid, from).await;
        assert_eq!(set(&sim, &sid, to).await, code, "{from} -> {to}");
        let shown = get(&sim, &format!("/Accounts/{sid}.json")).await;
        let expected = if code == 0 { to } else { from };
        assert_eq!(shown.str("status"), expected, "{from} -> {to}");
    }
}

#[tokio::test]
async fn what_twilio_suspended_can_only_be_closed() {
    let sim = with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    by_twilio(&sim, &sid, "suspended").await;
    assert_eq!(set(&sim, &sid, "active").await, 21_478);
    assert_eq!(set(&sim, &sid, "suspended").await, 0);
    assert_eq!(
        set(&sim, &sid, "active").await,
        21_478,
        "still Twilio's doing"
    );
    assert_eq!(set(&sim, &sid, "closed").await, 0);
    let asked = json!({"status": "active"});
    let again = control(&sim, "POST", &format!("/_sim/accounts/{sid}"), &asked).await;
    assert_eq!(again.status, 400, "closed is for good, for Twilio too");
}

#[tokio::test]
async fn under_a_suspended_main_account_nothing_changes() {
    let sim = with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    by_twilio(&sim, MAIN, "suspended").await;
    for status in ["active", "suspended", "closed"] {
        assert_eq!(set(&sim, &sid, status).await, 21_476);
    }
    assert_eq!(set(&sim, MAIN, "active").await, 21_477);
    assert_eq!(post(&sim, "/Accounts.json", &[]).await.code(), 20_005);
    by_twilio(&sim, MAIN, "active").await;
    assert_eq!(set(&sim, &sid, "suspended").await, 0);
}

#[tokio::test]
async fn names_are_up_to_64_characters_and_need_not_differ() {
    let sim = with(Quirks::none());
    let long = "\u{e9}".repeat(65);
    let refused = post(&sim, "/Accounts.json", &[("FriendlyName", &long)]).await;
    assert_eq!((refused.status, refused.code()), (400, 20_002));
    let fits = &long[2..];
    for _ in 0..2 {
        assert_eq!(
            post(&sim, "/Accounts.json", &[("FriendlyName", fits)])
                .await
                .status,
            201
        );
    }
    let unnamed = post(&sim, "/Accounts.json", &[]).await;
    assert_eq!(
        unnamed.str("friendly_name"),
        "SubAccount Created at 2026-03-01 12:00 am"
    );
    let path = format!("/Accounts/{}.json", unnamed.str("sid"));
    let both = [("FriendlyName", long.as_str()), ("Status", "suspended")];
    assert_eq!(post(&sim, &path, &both).await.code(), 20_002);
    assert_eq!(
        get(&sim, &path).await.str("status"),
        "active",
        "all or nothing"
    );
    pass(&sim, 60).await;
    let renamed = post(&sim, &path, &[("FriendlyName", "Acme")]).await;
    assert_eq!(renamed.str("friendly_name"), "Acme");
    assert_eq!(
        renamed.str("date_updated"),
        "Sun, 01 Mar 2026 00:01:00 +0000"
    );
    let main = post(
        &sim,
        &format!("/Accounts/{MAIN}.json"),
        &[("FriendlyName", "We")],
    )
    .await;
    assert_eq!(
        (main.status, main.str("friendly_name")),
        (200, "We".to_owned())
    );
}

#[tokio::test]
async fn a_closed_account_keeps_its_name_unless_a_quirk_says_otherwise() {
    for (closed_accounts_renamable, code) in [(false, 21_479), (true, 0)] {
        let sim = with(Quirks {
            closed_accounts_renamable,
            ..Quirks::none()
        });
        let (sid, _) = subaccount(&sim, "Acme").await;
        set(&sim, &sid, "closed").await;
        let path = format!("/Accounts/{sid}.json");
        let renamed = post(&sim, &path, &[("FriendlyName", "Parked")]).await;
        assert_eq!(renamed.code(), code);
    }
}

#[tokio::test]
async fn lists_are_filtered_by_name_and_by_one_or_several_statuses() {
    let sim = with(Quirks::none());
    for (name, status) in [("a", "active"), ("s", "suspended"), ("c", "closed")] {
        let (sid, _) = subaccount(&sim, name).await;
        set(&sim, &sid, status).await;
    }
    let main = "Main account";
    for (query, expected) in [
        ("", vec![main, "a", "c", "s"]),
        ("Status=active", vec![main, "a"]),
        ("Status=suspended", vec!["s"]),
        ("Status=suspended,closed", vec!["c", "s"]),
        (
            "Status=active%2Csuspended%2Cclosed",
            vec![main, "a", "c", "s"],
        ),
        ("FriendlyName=a&Status=closed", vec![]),
        ("FriendlyName=A", vec![]),
    ] {
        assert_eq!(listed(&sim, query).await, expected, "{query}");
    }
    assert_eq!(get(&sim, "/Accounts.json?Status=gone").await.code(), 20_001);
    let ignored = json!({"friendly_name_filter_ignored": true});
    control(&sim, "POST", "/_sim/quirks", &ignored).await;
    assert_eq!(listed(&sim, "FriendlyName=a").await.len(), 4);
    let late = json!({"account_list_lag_ms": 5000, "friendly_name_filter_ignored": false});
    control(&sim, "POST", "/_sim/quirks", &late).await;
    let (sid, _) = subaccount(&sim, "late").await;
    assert!(listed(&sim, "FriendlyName=late").await.is_empty());
    assert_eq!(
        get(&sim, &format!("/Accounts/{sid}.json")).await.status,
        200
    );
    pass(&sim, 5).await;
    assert_eq!(listed(&sim, "FriendlyName=late").await, ["late"]);
}

#[tokio::test]
async fn the_limit_of_open_subaccounts_can_be_changed_while_it_runs() {
    let sim = with(Quirks::none());
    let limits = control(&sim, "GET", "/_sim/limits", &Value::Null).await;
    assert_eq!(
        limits.body,
        json!({"subaccount_limit": 1000, "concurrency_max": null})
    );
    let (sid, _) = subaccount(&sim, "first").await;
    control(
        &sim,
        "POST",
        "/_sim/limits",
        &json!({"subaccount_limit": 1}),
    )
    .await;
    let refused = post(&sim, "/Accounts.json", &[]).await;
    assert_eq!((refused.status, refused.code()), (400, 21_480));
    set(&sim, &sid, "suspended").await;
    assert_eq!(post(&sim, "/Accounts.json", &[]).await.code(), 21_480);
    set(&sim, &sid, "closed").await;
    assert_eq!(post(&sim, "/Accounts.json", &[]).await.status, 201);
    let bad = control(&sim, "POST", "/_sim/limits", &json!({"unknown": 1})).await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn a_suspended_account_can_be_given_keys_and_a_closed_one_cannot() {
    let sim = with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let keys = format!("/Accounts/{sid}/Keys.json");
    let key = post(&sim, &keys, &[]).await.str("sid");
    set(&sim, &sid, "suspended").await;
    assert_eq!(post(&sim, &keys, &[]).await.status, 201);
    let numbers = format!("/Accounts/{sid}/IncomingPhoneNumbers.json");
    let bought = post(&sim, &numbers, &[("PhoneNumber", "+14155550100")]).await;
    assert_eq!(bought.code(), 20_005);
    set(&sim, &sid, "closed").await;
    assert_eq!(post(&sim, &keys, &[]).await.code(), 20_005);
    assert_eq!(get(&sim, &keys).await.body["keys"], json!([]));
    let one = format!("/Accounts/{sid}/Keys/{key}.json");
    assert_eq!(get(&sim, &one).await.code(), 20_404);
}

#[tokio::test]
async fn a_closed_account_is_deleted_after_30_days() {
    let sim = with(Quirks::none());
    let (sid, token) = subaccount(&sim, "Acme").await;
    subaccount(&sim, "Other").await;
    set(&sim, &sid, "closed").await;
    pass(&sim, 30 * DAY_S - 1).await;
    let usage = format!("/Accounts/{sid}/Usage/Records.json");
    let path = format!("/Accounts/{sid}.json");
    assert_eq!(
        get(&sim, &usage).await.status,
        200,
        "it can be exported until then"
    );
    assert!(listed(&sim, "").await.contains(&"Acme".to_owned()));
    pass(&sim, 1).await;
    for gone in [&path, &usage, &format!("/Accounts/{sid}/Keys.json")] {
        let refused = get(&sim, gone).await;
        assert_eq!((refused.status, refused.code()), (404, 20_404), "{gone}");
    }
    assert_eq!(set(&sim, &sid, "active").await, 20_404);
    assert_eq!(listed(&sim, "").await, ["Main account", "Other"]);
    let own = common::ask(
        &sim,
        "GET",
        &format!("{}{path}", common::API),
        Some((&sid, &token)),
        &[],
    )
    .await;
    assert_eq!(own.code(), 20_003);
    let calls = json!({"account_sid": sid, "duration_s": 1});
    assert_eq!(
        control(&sim, "POST", "/_sim/calls", &calls).await.status,
        404
    );
    let states = sim.accounts();
    let state = states.iter().find(|state| state.sid == sid).unwrap();
    assert!(state.deleted);
}

#[tokio::test]
async fn the_span_before_the_deletion_is_a_pace() {
    let sim = with(Quirks::none());
    control(
        &sim,
        "POST",
        "/_sim/pace",
        &json!({"account_deletion_ms": [1000, 1000]}),
    )
    .await;
    let (sid, _) = subaccount(&sim, "Acme").await;
    set(&sim, &sid, "closed").await;
    pass(&sim, 2).await;
    assert_eq!(
        get(&sim, &format!("/Accounts/{sid}.json")).await.code(),
        20_404
    );
}

#[tokio::test]
async fn accounts_say_the_type_that_the_quirk_says() {
    let sim = with(Quirks {
        account_type: AccountType::Trial,
        ..Quirks::none()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    assert_eq!(
        get(&sim, &format!("/Accounts/{sid}.json"))
            .await
            .str("type"),
        "Trial"
    );
    control(
        &sim,
        "POST",
        "/_sim/quirks",
        &json!({"account_type": "Full"}),
    )
    .await;
    assert_eq!(
        get(&sim, &format!("/Accounts/{MAIN}.json"))
            .await
            .str("type"),
        "Full"
    );
}
