//! Requests at a time: whose they are, how many may be, and what one too many is told.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::time::Duration;

use common::{API, MAIN, Reply, TOKEN, ask, config, control, get, subaccount};
use serde_json::json;
use tokio::task::JoinHandle;
use twilio_sim::Sim;

/// A simulator that lets two requests of an account run at a time and holds those for usage for long.
async fn slow() -> Sim {
    let sim = Sim::new(config());
    control(&sim, "POST", "/_sim/limits", &json!({"concurrency_max": 2})).await;
    let delay = json!({"type": "delay", "ms": 3_600_000});
    let rule = json!({"path": "*/Usage/Records*", "count": 0, "action": delay});
    control(&sim, "POST", "/_sim/faults", &rule).await;
    sim.clock().resume();
    sim
}

/// Asks for an account's usage and leaves it waiting for the answer.
async fn hold(sim: &Sim, account: &str, who: (&str, &str)) -> JoinHandle<Reply> {
    let path = format!("{API}/Accounts/{account}/Usage/Records.json");
    let (sim, user, password) = (sim.clone(), who.0.to_owned(), who.1.to_owned());
    let held = tokio::spawn(async move {
        let who = Some((user.as_str(), password.as_str()));
        ask(&sim, "GET", &path, who, &[]).await
    });
    tokio::task::yield_now().await;
    assert!(!held.is_finished());
    held
}

#[tokio::test]
async fn requests_count_for_the_account_that_authenticates() {
    let sim = slow().await;
    let (own, token) = subaccount(&sim, "own").await;
    let key = common::post(&sim, &format!("/Accounts/{own}/Keys.json"), &[]).await;
    let (sk, secret) = (key.str("sid"), key.str("secret"));
    // The main account's on the child's path are the main account's.
    let first = hold(&sim, &own, (MAIN, TOKEN)).await;
    let second = hold(&sim, MAIN, (MAIN, TOKEN)).await;
    let crowded = get(&sim, "/Accounts.json").await;
    assert_eq!((crowded.status, crowded.code()), (429, 20_429));
    assert_eq!(crowded.headers["Twilio-Concurrent-Requests"], "3");
    assert!(
        crowded.headers["Twilio-Request-Id"]
            .to_str()
            .unwrap()
            .starts_with("RQ")
    );
    assert!(crowded.headers.get("Retry-After").is_none());
    // The subaccount has its own count, which its keys share.
    let third = hold(&sim, &own, (&own, &token)).await;
    let calls = format!("{API}/Accounts/{own}/Calls.json");
    let other = ask(&sim, "GET", &calls, Some((&sk, &secret)), &[]).await;
    assert_eq!(other.status, 200);
    assert_eq!(other.headers["Twilio-Concurrent-Requests"], "2");
    sim.clock().advance(Duration::from_hours(2));
    for held in [first, second, third] {
        assert_eq!(held.await.unwrap().status, 200);
    }
    let free = get(&sim, "/Accounts.json").await;
    assert_eq!(free.headers["Twilio-Concurrent-Requests"], "1");
}

#[tokio::test]
async fn a_request_too_many_does_nothing_and_no_fault_strikes_it() {
    let sim = slow().await;
    let held = [
        hold(&sim, MAIN, (MAIN, TOKEN)).await,
        hold(&sim, MAIN, (MAIN, TOKEN)).await,
    ];
    let action = json!({"type": "status", "status": 500, "after_effect": true});
    let rule = json!({"method": "POST", "path": "*/Accounts.json", "action": action});
    control(&sim, "POST", "/_sim/faults", &rule).await;
    control(&sim, "POST", "/_sim/quirks", &json!({"retry_after_s": 3})).await;
    let crowded = common::post(&sim, "/Accounts.json", &[]).await;
    assert_eq!((crowded.status, crowded.code()), (429, 20_429));
    assert_eq!(crowded.headers["Retry-After"], "3");
    assert_eq!(sim.accounts().len(), 1);
    let unlimited = json!({"concurrency_max": null});
    control(&sim, "POST", "/_sim/limits", &unlimited).await;
    let struck = common::post(&sim, "/Accounts.json", &[]).await;
    assert_eq!(struck.status, 500, "the rule was still there");
    sim.clock().advance(Duration::from_hours(2));
    for one in held {
        assert_eq!(one.await.unwrap().status, 200);
    }
}
