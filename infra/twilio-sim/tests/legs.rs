//! Legs that a call dials, and conferences that calls are in.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    Reply, config, get, list, pass, post, quick_config, receiver, simulate, used, with_number,
};
use serde_json::{Value, json};
use twilio_sim::{Sim, TrafficProfile};

async fn place(sim: &Sim, body: &Value) -> String {
    simulate(sim, "/calls", body).await.str("sid")
}

async fn fetch(sim: &Sim, sid: &str, call: &str) -> Reply {
    get(sim, &format!("/Accounts/{sid}/Calls/{call}.json")).await
}

async fn end(sim: &Sim, sid: &str, call: &str) -> Reply {
    let path = format!("/Accounts/{sid}/Calls/{call}.json");
    post(sim, &path, &[("Status", "completed")]).await
}

async fn legs(sim: &Sim, sid: &str, parent: &str) -> Vec<Value> {
    let path = format!("/Accounts/{sid}/Calls.json?ParentCallSid={parent}");
    list(sim, &path, "calls").await
}

async fn rooms(sim: &Sim, sid: &str, query: &str) -> Vec<Value> {
    list(
        sim,
        &format!("/Accounts/{sid}/Conferences.json?{query}"),
        "conferences",
    )
    .await
}

#[tokio::test]
async fn a_dialled_leg_is_a_call_of_its_own_and_ends_its_parent() {
    let sim = Sim::new(quick_config());
    let (sid, _, own) = with_number(&sim, "Acme").await;
    let twiml = "<Response><Dial><Number>+442079460000</Number></Dial></Response>";
    let parent = place(
        &sim,
        &json!({ "account_sid": sid, "to": "+14155550100", "twiml": twiml, "duration_s": 100 }),
    )
    .await;
    pass(&sim, 400).await;
    let leg = legs(&sim, &sid, &parent).await.remove(0);
    assert_eq!(
        (&leg["direction"], &leg["from"]),
        (&json!("outbound-dial"), &json!(own))
    );
    assert_eq!(
        (&leg["duration"], &leg["price"]),
        (&json!("100"), &json!("-0.03160"))
    );
    let parent = fetch(&sim, &sid, &parent).await;
    assert_eq!(
        (parent.str("status"), parent.str("direction")),
        ("completed".into(), "outbound-api".into())
    );
    let lasted: u64 = parent.str("duration").parse().unwrap();
    assert!(
        lasted > 100,
        "the parent waited while the leg rang: {lasted}"
    );
    assert_eq!(used(&sim, &sid, "calls-outbound").await.0, "2");
}

#[tokio::test]
async fn ending_a_parent_ends_its_legs_and_tells_of_each() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let twiml = format!(
        "<Response><Dial><Number statusCallback='{base}/leg'>+442079460000</Number></Dial></Response>"
    );
    let parent = place(
        &sim,
        &json!({ "account_sid": sid, "twiml": twiml, "duration_s": 1000 }),
    )
    .await;
    let given = place(
        &sim,
        &json!({ "account_sid": sid, "parent_call_sid": parent, "duration_s": 1000 }),
    )
    .await;
    pass(&sim, 60).await;
    assert_eq!(legs(&sim, &sid, &parent).await.len(), 2);
    assert_eq!(end(&sim, &sid, &parent).await.str("status"), "completed");
    for leg in legs(&sim, &sid, &parent).await {
        assert_eq!(leg["status"], "completed", "{leg}");
    }
    pass(&sim, 5).await;
    let arrived = seen.lock().unwrap().clone();
    assert_eq!(arrived.len(), 1);
    assert_eq!(
        (
            arrived[0].field("ParentCallSid"),
            arrived[0].field("Direction")
        ),
        (parent.as_str(), "outbound-dial")
    );
    let nested = json!({ "account_sid": sid, "parent_call_sid": given });
    assert_eq!(
        common::control(&sim, "POST", "/_sim/calls", &nested)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn of_legs_that_ring_together_one_is_connected() {
    let sim = Sim::new(config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let twiml = "<Response><Dial><Number>+442079460000</Number><Number>+442079460001</Number></Dial></Response>";
    let parent = place(
        &sim,
        &json!({ "account_sid": sid, "twiml": twiml, "duration_s": 30 }),
    )
    .await;
    pass(&sim, 200).await;
    let mut ends: Vec<String> = legs(&sim, &sid, &parent)
        .await
        .iter()
        .map(|leg| leg["status"].as_str().unwrap().to_owned())
        .collect();
    ends.sort();
    assert_eq!(ends, ["canceled", "completed"]);
}

#[tokio::test]
async fn a_suspended_account_goes_on_talking_and_dials_nobody() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let call = place(&sim, &json!({ "account_sid": sid, "duration_s": 1000 })).await;
    pass(&sim, 30).await;
    post(
        &sim,
        &format!("/Accounts/{sid}.json"),
        &[("Status", "suspended")],
    )
    .await;
    let path = format!("/Accounts/{sid}/Calls/{call}.json");
    let redirected = post(
        &sim,
        &path,
        &[("Twiml", "<Response><Dial>+442079460000</Dial></Response>")],
    )
    .await;
    assert_eq!(redirected.code(), 20_005);
    assert_eq!(fetch(&sim, &sid, &call).await.str("status"), "in-progress");
    assert_eq!(end(&sim, &sid, &call).await.status, 200);
}

#[tokio::test]
async fn a_live_call_can_be_sent_elsewhere() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let call = place(&sim, &json!({ "account_sid": sid, "duration_s": 1000 })).await;
    pass(&sim, 30).await;
    let path = format!("/Accounts/{sid}/Calls/{call}.json");
    let dial = post(
        &sim,
        &path,
        &[("Twiml", "<Response><Dial>+442079460000</Dial></Response>")],
    )
    .await;
    assert_eq!(
        (dial.status, dial.str("status")),
        (200, "in-progress".into())
    );
    pass(&sim, 30).await;
    assert_eq!(legs(&sim, &sid, &call).await[0]["status"], "in-progress");
    assert_eq!(
        post(&sim, &path, &[("Url", "https://app.example/next")])
            .await
            .status,
        200
    );
    assert_eq!(legs(&sim, &sid, &call).await[0]["status"], "completed");
    assert_eq!(fetch(&sim, &sid, &call).await.str("status"), "in-progress");
}

#[tokio::test]
async fn a_conference_waits_begins_and_ends_with_its_last_participant() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let join = |seconds: u64| json!({ "account_sid": sid, "conference": "Daily & more", "duration_s": seconds });
    let first = place(&sim, &join(100)).await;
    pass(&sim, 30).await;
    assert_eq!(
        rooms(&sim, &sid, "Status=init").await.len(),
        1,
        "nobody to talk to yet"
    );
    assert_eq!(rooms(&sim, &sid, "Status=in-progress").await.len(), 0);
    let last = place(&sim, &join(300)).await;
    pass(&sim, 30).await;
    let room = rooms(&sim, &sid, "Status=in-progress&FriendlyName=Daily+%26+more")
        .await
        .remove(0);
    assert_eq!(
        (
            &room["reason_conference_ended"],
            &room["call_sid_ending_conference"]
        ),
        (&Value::Null, &Value::Null)
    );
    pass(&sim, 100).await;
    assert_eq!(fetch(&sim, &sid, &first).await.str("status"), "completed");
    assert_eq!(rooms(&sim, &sid, "Status=in-progress").await.len(), 1);
    pass(&sim, 300).await;
    let over = rooms(&sim, &sid, "Status=completed").await.remove(0);
    assert_eq!(
        (
            &over["reason_conference_ended"],
            &over["call_sid_ending_conference"]
        ),
        (&json!("last-participant-left"), &json!(last))
    );
    place(&sim, &join(10)).await;
    pass(&sim, 60).await;
    assert_eq!(
        rooms(&sim, &sid, "").await.len(),
        2,
        "a room of the same name is another conference"
    );
    assert_eq!(rooms(&sim, &sid, "FriendlyName=Daily").await.len(), 0);
    assert_eq!(
        rooms(
            &sim,
            &sid,
            "DateCreated%3E=2026-03-01&DateUpdated%3C=2026-03-02"
        )
        .await
        .len(),
        2
    );
    assert_eq!(
        rooms(&sim, &sid, "DateCreated%3C=2026-03-01").await.len(),
        0
    );
}

#[tokio::test]
async fn ending_a_conference_ends_every_leg_in_it() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let body = |direction: &str| json!({ "account_sid": sid, "direction": direction, "conference": "R", "duration_s": 5000 });
    let calls = [
        place(&sim, &body("inbound")).await,
        place(&sim, &body("outbound-api")).await,
    ];
    pass(&sim, 60).await;
    let room = rooms(&sim, &sid, "").await.remove(0);
    let path = format!(
        "/Accounts/{sid}/Conferences/{}.json",
        room["sid"].as_str().unwrap()
    );
    assert_eq!(
        post(&sim, &path, &[("Status", "init")]).await.code(),
        20_001
    );
    let ended = post(&sim, &path, &[("Status", "completed")]).await;
    assert_eq!(
        (ended.status, ended.str("status")),
        (200, "completed".into())
    );
    assert_eq!(
        ended.str("reason_conference_ended"),
        "conference-ended-via-api"
    );
    for call in calls {
        assert_eq!(fetch(&sim, &sid, &call).await.str("status"), "completed");
    }
    assert_eq!(
        post(&sim, &path, &[("Status", "completed")]).await.status,
        200
    );
    let other = common::subaccount(&sim, "Other").await.0;
    let foreign = path.replace(&sid, &other);
    assert_eq!(get(&sim, &foreign).await.status, 404);
}

#[tokio::test]
async fn who_ends_the_conference_on_leaving_takes_the_others_along() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let body = |ends: bool| json!({ "account_sid": sid, "conference": "R", "end_conference_on_exit": ends, "duration_s": 5000 });
    let (host, guest) = (
        place(&sim, &body(true)).await,
        place(&sim, &body(false)).await,
    );
    pass(&sim, 60).await;
    end(&sim, &sid, &host).await;
    assert_eq!(fetch(&sim, &sid, &guest).await.str("status"), "completed");
    let room = rooms(&sim, &sid, "").await.remove(0);
    assert_eq!(
        room["reason_conference_ended"],
        "participant-with-end-conference-on-exit-left"
    );
    assert_eq!(room["call_sid_ending_conference"], json!(host));
}

#[tokio::test]
async fn seeded_traffic_dials_and_confers_where_its_profile_says_so() {
    let sim = Sim::new(config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let profile = TrafficProfile {
        calls_per_day: 40,
        child_legs_per_mille: 400,
        conferences_per_mille: 400,
        recorded_per_mille: 500,
        recordings_kept_per_mille: 500,
        ..TrafficProfile::default()
    };
    sim.start_traffic(&sid, profile).unwrap();
    pass(&sim, 86_400).await;
    let calls = list(
        &sim,
        &format!("/Accounts/{sid}/Calls.json?PageSize=1000"),
        "calls",
    )
    .await;
    let dialled = calls
        .iter()
        .filter(|call| call["direction"] == "outbound-dial")
        .count();
    assert!(
        dialled > 3 && dialled * 2 < calls.len(),
        "{dialled} of {}",
        calls.len()
    );
    assert!(rooms(&sim, &sid, "").await.len() > 3);
    let recordings = list(
        &sim,
        &format!("/Accounts/{sid}/Recordings.json"),
        "recordings",
    )
    .await;
    let all = format!("/Accounts/{sid}/Recordings.json?IncludeSoftDeleted=true");
    let made = list(&sim, &all, "recordings").await;
    assert!(
        recordings.len() > 1 && recordings.len() < made.len(),
        "{} of {}",
        recordings.len(),
        made.len()
    );
}
