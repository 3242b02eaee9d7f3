//! Recordings: made, paused, stopped, told of, paid for, stored and deleted.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    config, delete, get, list, pass, post, quick_config, quirk, receiver, simulate, used,
    with_number,
};
use serde_json::{Value, json};
use twilio_sim::Sim;

async fn talking(sim: &Sim, sid: &str, more: Value) -> String {
    let mut body = json!({ "account_sid": sid, "duration_s": 1000 });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let call = simulate(sim, "/calls", &body).await.str("sid");
    pass(sim, 30).await;
    call
}

#[tokio::test]
async fn a_recorded_call_tells_its_recording_and_both_are_told_of() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(quick_config());
    let (sid, token, from) = with_number(&sim, "Acme").await;
    let (voice, recording) = (format!("{base}/voice"), format!("{base}/recording"));
    simulate(&sim, "/pace", &json!({ "call_seconds": [90, 90] })).await;
    let form = [
        ("To", "+14155550100"),
        ("From", from.as_str()),
        ("Url", "https://app.example/x"),
        ("Record", "true"),
        ("RecordingChannels", "dual"),
        ("StatusCallback", &voice),
        ("RecordingStatusCallback", &recording),
        (
            "RecordingStatusCallbackEvent",
            "in-progress completed absent",
        ),
    ];
    let call = post(&sim, &format!("/Accounts/{sid}/Calls.json"), &form)
        .await
        .str("sid");
    pass(&sim, 200).await;
    let arrived = seen.lock().unwrap().clone();
    assert!(arrived.iter().all(|one| twilio::signature::verify(
        &token,
        &format!("{base}{}", one.path),
        &one.fields,
        &one.signature
    )));
    let at = |path: &str| {
        arrived
            .iter()
            .filter(|one| one.path == path)
            .collect::<Vec<_>>()
    };
    let told = at("/recording");
    let statuses: Vec<&str> = told
        .iter()
        .map(|one| one.field("RecordingStatus"))
        .collect();
    assert_eq!(statuses, ["in-progress", "completed"]);
    let names = [
        "AccountSid",
        "CallSid",
        "RecordingDuration",
        "RecordingChannels",
        "RecordingSource",
        "RecordingTrack",
    ];
    assert_eq!(
        names.map(|name| told[1].field(name)),
        [&sid, &call, "90", "2", "OutboundAPI", "both"]
    );
    assert!(told[1].field("RecordingStartTime").ends_with(" +0000"));
    let end = at("/voice")[0];
    let names = ["RecordingSid", "RecordingUrl", "RecordingDuration"];
    assert_eq!(
        names.map(|name| end.field(name)),
        names.map(|name| told[1].field(name))
    );
    let path = format!(
        "/Accounts/{sid}/Recordings/{}.json",
        end.field("RecordingSid")
    );
    let shown = get(&sim, &path).await;
    assert_eq!(
        (
            shown.str("status"),
            shown.str("duration"),
            shown.str("price")
        ),
        ("completed".into(), "90".into(), "0.00500".into())
    );
    quirk(&sim, &json!({ "recording_price_negative": true })).await;
    assert_eq!(get(&sim, &path).await.str("price"), "-0.00500");
    assert_eq!(
        used(&sim, &sid, "calls-recordings").await,
        ("1".into(), "0.005".into())
    );
}

#[tokio::test]
async fn a_call_in_progress_is_recorded_paused_and_stopped_on_demand() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let body = json!({ "account_sid": sid, "duration_s": 1000 });
    let call = simulate(&sim, "/calls", &body).await.str("sid");
    let of_call = format!("/Accounts/{sid}/Calls/{call}/Recordings.json");
    assert_eq!(
        post(&sim, &of_call, &[]).await.code(),
        21_220,
        "nobody has answered"
    );
    pass(&sim, 30).await;
    let made = post(&sim, &of_call, &[]).await;
    assert_eq!(
        (made.status, made.str("status")),
        (201, "in-progress".into())
    );
    assert_eq!(
        (made.str("source"), &made.body["duration"]),
        ("StartCallRecordingAPI".into(), &Value::Null)
    );
    let again = post(&sim, &of_call, &[]).await;
    assert_eq!((again.status, again.str("sid")), (200, made.str("sid")));
    let own = format!(
        "/Accounts/{sid}/Calls/{call}/Recordings/{}.json",
        made.str("sid")
    );
    assert_eq!(delete(&sim, &own).await.code(), 20_009);
    pass(&sim, 20).await;
    let skipping = [("Status", "paused"), ("PauseBehavior", "skip")];
    assert_eq!(post(&sim, &own, &skipping).await.str("status"), "paused");
    pass(&sim, 100).await;
    let current = own.replace(&made.str("sid"), "Twilio.CURRENT");
    assert_eq!(
        post(&sim, &current, &[("Status", "in-progress")])
            .await
            .str("status"),
        "in-progress"
    );
    pass(&sim, 5).await;
    assert_eq!(post(&sim, &own, &[("Status", "paused")]).await.status, 200);
    pass(&sim, 5).await;
    assert_eq!(
        post(&sim, &own, &[("Status", "stopped")])
            .await
            .str("status"),
        "stopped"
    );
    pass(&sim, 5).await;
    let done = get(&sim, &own).await;
    assert_eq!(
        (done.str("status"), done.str("duration")),
        ("completed".into(), "30".into()),
        "silence counts, what is skipped does not"
    );
    assert_eq!(
        post(&sim, &own, &[("Status", "stopped")]).await.code(),
        21_220
    );
    assert_eq!(
        post(&sim, &current, &[("Status", "stopped")]).await.status,
        404
    );
    assert_eq!(post(&sim, &of_call, &[]).await.status, 201, "another one");
    assert_eq!(list(&sim, &of_call, "recordings").await.len(), 2);
}

#[tokio::test]
async fn a_deleted_recording_is_shown_for_forty_days_to_who_asks_for_it() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let call = talking(&sim, &sid, json!({ "record": true, "duration_s": 10 })).await;
    talking(&sim, &sid, json!({ "record": true, "duration_s": 10 })).await;
    let all = format!("/Accounts/{sid}/Recordings.json");
    let one = list(&sim, &format!("{all}?CallSid={call}"), "recordings")
        .await
        .remove(0);
    let path = format!(
        "/Accounts/{sid}/Recordings/{}.json",
        one["sid"].as_str().unwrap()
    );
    assert_eq!(delete(&sim, &path).await.status, 204);
    assert_eq!(delete(&sim, &path).await.status, 404);
    assert_eq!(get(&sim, &path).await.status, 404);
    let kept = get(&sim, &format!("{path}?IncludeSoftDeleted=true")).await;
    assert_eq!(kept.str("status"), "deleted");
    let count = |query: &'static str| {
        let (sim, all) = (sim.clone(), all.clone());
        async move {
            list(&sim, &format!("{all}?{query}"), "recordings")
                .await
                .len()
        }
    };
    assert_eq!(
        (count("").await, count("IncludeSoftDeleted=true").await),
        (1, 2)
    );
    assert_eq!(
        (
            count("DateCreated%3E=2026-03-01").await,
            count("DateCreated%3C=2026-03-01T00:00:20Z").await
        ),
        (1, 0)
    );
    pass(&sim, 41 * 86_400).await;
    assert_eq!(count("IncludeSoftDeleted=true").await, 1);
}

#[tokio::test]
async fn storage_is_paid_for_every_day_until_the_recording_is_deleted() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    talking(&sim, &sid, json!({ "record": true, "duration_s": 100 })).await;
    pass(&sim, 200).await;
    let all = format!("/Accounts/{sid}/Recordings.json");
    let one = list(&sim, &all, "recordings").await.remove(0);
    post(
        &sim,
        &format!("/Accounts/{sid}.json"),
        &[("Status", "suspended")],
    )
    .await;
    pass(&sim, 3 * 86_400).await;
    assert_eq!(
        used(&sim, &sid, "recordingstorage").await,
        ("3".into(), "0.00012".into()),
        "suspended or not"
    );
    post(
        &sim,
        &format!("/Accounts/{sid}.json"),
        &[("Status", "active")],
    )
    .await;
    delete(
        &sim,
        &format!(
            "/Accounts/{sid}/Recordings/{}.json",
            one["sid"].as_str().unwrap()
        ),
    )
    .await;
    pass(&sim, 3 * 86_400).await;
    assert_eq!(used(&sim, &sid, "recordingstorage").await.0, "3");
}

#[tokio::test]
async fn dialled_legs_and_conferences_are_recorded_under_their_own_names() {
    let sim = Sim::new(quick_config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let dial = "<Response><Dial record='record-from-answer-dual'>+442079460000</Dial></Response>";
    let parent = talking(&sim, &sid, json!({ "twiml": dial, "duration_s": 20 })).await;
    let room =
        "<Response><Dial><Conference record='record-from-start'>R</Conference></Dial></Response>";
    for seconds in [100, 200] {
        talking(&sim, &sid, json!({ "twiml": room, "duration_s": seconds })).await;
    }
    talking(
        &sim,
        &sid,
        json!({ "twiml": "<Response><Record/></Response>", "duration_s": 20 }),
    )
    .await;
    pass(&sim, 400).await;
    let all = list(
        &sim,
        &format!("/Accounts/{sid}/Recordings.json"),
        "recordings",
    )
    .await;
    let sources: Vec<&str> = all
        .iter()
        .map(|one| one["source"].as_str().unwrap())
        .collect();
    assert_eq!(sources, ["RecordVerb", "Conference", "DialVerb"]);
    assert_eq!(
        (
            &all[2]["call_sid"],
            &all[2]["channels"],
            &all[2]["duration"]
        ),
        (&json!(parent), &json!(2), &json!("20"))
    );
    let conference = all[1]["conference_sid"].as_str().unwrap();
    assert_eq!(all[1]["call_sid"], Value::Null);
    let filtered = list(
        &sim,
        &format!("/Accounts/{sid}/Recordings.json?ConferenceSid={conference}"),
        "recordings",
    )
    .await;
    assert_eq!(filtered, [all[1].clone()]);
}

#[tokio::test]
async fn where_nobody_spoke_there_is_no_recording() {
    let (base, seen) = receiver(Vec::new()).await;
    let sim = Sim::new(config());
    let (sid, _, _) = with_number(&sim, "Acme").await;
    let told = json!({ "duration_s": 0, "recording_status_callback": base, "recording_status_callback_events": ["absent"] });
    talking(&sim, &sid, told.clone()).await;
    let mut busy = told;
    busy["outcome"] = json!("busy");
    talking(&sim, &sid, busy).await;
    pass(&sim, 86_400).await;
    let all = list(
        &sim,
        &format!("/Accounts/{sid}/Recordings.json"),
        "recordings",
    )
    .await;
    assert_eq!(
        (all.len(), &all[0]["status"], &all[0]["price"]),
        (1, &json!("absent"), &Value::Null)
    );
    assert_eq!(
        seen.lock()
            .unwrap()
            .iter()
            .map(|one| one.field("RecordingStatus").to_owned())
            .collect::<Vec<_>>(),
        ["absent"]
    );
    assert_eq!(used(&sim, &sid, "calls-recordings").await.0, "0");
}
