//! Calls that are made and found, conferences that are ended, recordings that are deleted.

use domain::ids::{ApplicationSid, CallSid, ConferenceSid, RecordingSid};
use domain::money::parse_decimal;
use domain::{Date, Timestamp};
use twilio::calls::{CallEvent, Instructions, NewCall, RecordingSettings};
use twilio::recordings::{RecordingFilter, RecordingStatus};
use twilio::{
    CallFilter, CallStatus, CallbackMethod, ConferenceFilter, ConferenceStatus, Error, RejectReason,
};

use crate::server::{MAIN, Reply, SUB, account, error, json, main_credentials, page_of, scene};

const CALL: &str = "CA33333333333333333333333333333333";
const CONFERENCE: &str = "CF88888888888888888888888888888888";
const RECORDING: &str = "RE99999999999999999999999999999999";

fn call() -> CallSid {
    CallSid::parse(CALL).unwrap()
}

fn call_json() -> String {
    format!(
        r#"{{"account_sid":"{SUB}","answered_by":null,"api_version":"2010-04-01","caller_name":"","date_created":null,
        "date_updated":null,"direction":"outbound-api","duration":null,"end_time":null,"forwarded_from":null,"from":"+15550100",
        "from_formatted":"x","group_sid":null,"parent_call_sid":null,"phone_number_sid":"PN77777777777777777777777777777777",
        "price":null,"price_unit":"USD","queue_time":"0","sid":"{CALL}","start_time":null,"status":"queued","to":"+15550101",
        "to_formatted":"x","trunk_sid":"","uri":"/x","subresource_uris":{{}}}}"#
    )
}

#[tokio::test]
async fn a_call_is_made_with_its_instructions_and_bounds() {
    let scene = scene([json(201, call_json())]).await;
    let new = NewCall {
        status_callback: Some("https://operator.example/s#rc=5".to_owned()),
        status_callback_events: vec![CallEvent::Initiated, CallEvent::Completed],
        timeout_s: Some(30),
        time_limit_s: Some(600),
        record: Some(RecordingSettings {
            channels: Some("dual".to_owned()),
            status_callback_events: vec!["completed".to_owned(), "absent".to_owned()],
            ..RecordingSettings::default()
        }),
        ..NewCall::new(
            "+15550101",
            "+15550100",
            Instructions::Url {
                url: "https://operator.example/t".to_owned(),
                method: Some(CallbackMethod::Get),
            },
        )
    };
    let made = scene
        .client
        .create_call(&main_credentials(), &account(SUB), &new)
        .await
        .unwrap();
    assert_eq!(
        (made.status, made.queue_time),
        (CallStatus::Queued, Some(0))
    );
    assert_eq!((made.trunk_sid, made.price), (None, None));
    let (line, body) = scene.only(MAIN);
    assert_eq!(line, format!("POST /2010-04-01/Accounts/{SUB}/Calls.json"));
    assert_eq!(
        body,
        "To=%2B15550101&From=%2B15550100&Url=https%3A%2F%2Foperator.example%2Ft&Method=GET\
         &StatusCallback=https%3A%2F%2Foperator.example%2Fs%23rc%3D5&StatusCallbackEvent=initiated&StatusCallbackEvent=completed\
         &Timeout=30&TimeLimit=600&Record=true&RecordingChannels=dual&RecordingStatusCallbackEvent=completed\
         &RecordingStatusCallbackEvent=absent"
    );
}

#[tokio::test]
async fn a_call_may_follow_given_words_or_an_application() {
    let scene = scene([json(201, call_json()), json(201, call_json())]).await;
    let application = ApplicationSid::parse("AP11111111111111111111111111111111").unwrap();
    for instructions in [
        Instructions::Twiml("<Response/>".to_owned()),
        Instructions::Application(application),
    ] {
        let new = NewCall::new("client:a", "+15550100", instructions);
        scene
            .client
            .create_call(&main_credentials(), &account(SUB), &new)
            .await
            .unwrap();
    }
    let bodies: Vec<_> = scene.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(
        bodies,
        [
            "To=client%3Aa&From=%2B15550100&Twiml=%3CResponse%2F%3E",
            "To=client%3Aa&From=%2B15550100&ApplicationSid=AP11111111111111111111111111111111",
        ]
    );
}

#[tokio::test]
async fn calls_are_listed_with_every_filter() {
    let scene = scene([page_of("calls", &[call_json()])]).await;
    let moment = |text: &str| Some(text.parse::<Timestamp>().unwrap().into());
    let filter = CallFilter {
        to: Some("+15550101".to_owned()),
        from: Some("+15550100".to_owned()),
        parent_call_sid: Some(call()),
        status: Some(CallStatus::NoAnswer),
        started_on: Some(Date::constant(2026, 8, 1)),
        started_from: moment("2026-08-01T12:30:05Z"),
        started_before: moment("2026-08-02T00:00:00Z"),
        ended_on: Some(Date::constant(2026, 8, 2)),
        ended_from: Some(Date::constant(2026, 8, 1).into()),
        ended_before: Some(Date::constant(2026, 8, 3).into()),
    };
    let listed = scene
        .client
        .list_calls(&main_credentials(), &account(SUB), &filter)
        .await
        .unwrap();
    assert_eq!(listed[0].sid, call());
    assert_eq!(
        scene.only(MAIN).0,
        format!(
            "GET /2010-04-01/Accounts/{SUB}/Calls.json?To=%2B15550101&From=%2B15550100&ParentCallSid={CALL}&Status=no-answer\
             &StartTime=2026-08-01&StartTime%3E=2026-08-01T12%3A30%3A05Z&StartTime%3C=2026-08-02T00%3A00%3A00Z\
             &EndTime=2026-08-02&EndTime%3E=2026-08-01&EndTime%3C=2026-08-03&PageSize=1000"
        )
    );
}

/// Whoever ends calls needs the list, whatever else stands in it.
#[tokio::test]
async fn a_call_is_read_although_what_nothing_depends_on_is_not_as_documented() {
    let odd = call_json()
        .replace(r#""trunk_sid":"""#, r#""trunk_sid":"XX1""#)
        .replace(r#""queue_time":"0""#, r#""queue_time":"-1""#)
        .replace("PN7", "XX7");
    let scene = scene([page_of("calls", &[odd])]).await;
    let listed = scene
        .client
        .list_calls(&main_credentials(), &account(SUB), &CallFilter::default())
        .await
        .unwrap();
    let call = &listed[0];
    assert_eq!((&call.trunk_sid, &call.phone_number_sid), (&None, &None));
    assert_eq!(call.queue_time, None);
}

#[tokio::test]
async fn a_calls_record_is_deleted_once_it_is_over() {
    let scene = scene([error(400, 21220), json(204, ""), error(404, 20404)]).await;
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    let live = client.delete_call(&main, &sub, &call()).await.unwrap_err();
    assert_eq!(live.reject_reason(), Some(RejectReason::InvalidState));
    client.delete_call(&main, &sub, &call()).await.unwrap();
    client.delete_call(&main, &sub, &call()).await.unwrap();
}

fn conference() -> ConferenceSid {
    ConferenceSid::parse(CONFERENCE).unwrap()
}

fn conference_json(status: &str) -> String {
    format!(
        r#"{{"account_sid":"{SUB}","api_version":"2010-04-01","call_sid_ending_conference":null,
        "date_created":"Mon, 22 Aug 2011 20:58:45 +0000","date_updated":"Mon, 22 Aug 2011 20:58:46 +0000","friendly_name":"room",
        "reason_conference_ended":null,"region":"us1","sid":"{CONFERENCE}","status":"{status}","subresource_uris":{{}},"uri":"/x"}}"#
    )
}

#[tokio::test]
async fn conferences_are_listed_by_day_and_read() {
    let scene = scene([
        page_of("conferences", &[conference_json("in-progress")]),
        json(200, conference_json("init")),
    ])
    .await;
    let day = |day| Some(Date::constant(2026, 8, day));
    let filter = ConferenceFilter {
        friendly_name: Some("room".to_owned()),
        status: Some(ConferenceStatus::InProgress),
        created_on: day(1),
        created_from: day(2),
        created_until: day(3),
        updated_on: day(4),
        updated_from: day(5),
        updated_until: day(6),
    };
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    let listed = client.list_conferences(&main, &sub, &filter).await.unwrap();
    assert_eq!(listed[0].status, ConferenceStatus::InProgress);
    let fetched = client
        .fetch_conference(&main, &sub, &conference())
        .await
        .unwrap();
    assert_eq!(fetched.status, ConferenceStatus::Init);
    assert_eq!(
        scene.lines(),
        [
            format!(
                "GET /2010-04-01/Accounts/{SUB}/Conferences.json?FriendlyName=room&Status=in-progress&DateCreated=2026-08-01\
                 &DateCreated%3E=2026-08-02&DateCreated%3C=2026-08-03&DateUpdated=2026-08-04&DateUpdated%3E=2026-08-05\
                 &DateUpdated%3C=2026-08-06&PageSize=1000"
            ),
            format!("GET /2010-04-01/Accounts/{SUB}/Conferences/{CONFERENCE}.json"),
        ]
    );
}

#[tokio::test]
async fn a_conference_that_is_over_is_ended() {
    let over = || json(200, conference_json("completed"));
    for replies in [
        vec![over()],
        vec![error(500, 20500), over()],
        vec![Reply::Silence, error(400, 20001), over()],
        vec![error(404, 20404), over()],
    ] {
        let scene = scene(replies).await;
        let ended = scene
            .client
            .end_conference(&main_credentials(), &account(SUB), &conference())
            .await
            .unwrap();
        assert_eq!(ended.status, ConferenceStatus::Completed);
        assert_eq!(scene.seen()[0].body, "Status=completed");
    }
}

#[tokio::test]
async fn a_conference_that_cannot_be_ended_is_a_refusal() {
    let scene = scene([
        error(400, 20001),
        json(200, conference_json("in-progress")),
        error(404, 20404),
        error(404, 20404),
    ])
    .await;
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    let refused = client.end_conference(&main, &sub, &conference()).await;
    assert!(matches!(refused, Err(Error::Reject { status: 400, .. })));
    let unknown = client.end_conference(&main, &sub, &conference()).await;
    assert!(unknown.unwrap_err().is_not_found());
}

fn recording_json(status: &str, more: &str) -> String {
    format!(
        r#"{{"account_sid":"{SUB}","api_version":"2010-04-01","call_sid":"{CALL}","conference_sid":null,"channels":1,
        "date_created":"Wed, 09 Nov 2011 21:55:31 +0000","date_updated":"Wed, 09 Nov 2011 21:55:31 +0000","duration":"4",
        "encryption_details":null,"error_code":null,"media_url":"https://api.twilio.com/x","price":"-0.00250","price_unit":"USD",
        "sid":"{RECORDING}","source":"StartCallRecordingAPI","start_time":"Wed, 09 Nov 2011 21:55:31 +0000","status":"{status}",
        "subresource_uris":{{}},"uri":"/x"{more}}}"#
    )
}

#[tokio::test]
async fn recordings_are_listed_read_and_deleted() {
    let scene = scene([
        page_of(
            "recordings",
            &[recording_json("completed", r#","track":"both""#)],
        ),
        json(
            200,
            recording_json("absent", "").replace(r#""error_code":null"#, r#""error_code":16101"#),
        ),
        json(204, ""),
        error(404, 20404),
    ])
    .await;
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    let recording = RecordingSid::parse(RECORDING).unwrap();
    let filter = RecordingFilter {
        call_sid: Some(call()),
        conference_sid: Some(conference()),
        created_on: Some(Date::constant(2026, 8, 1)),
        created_from: Some("2026-08-01T00:00:00Z".parse::<Timestamp>().unwrap().into()),
        created_until: Some(Date::constant(2026, 8, 2).into()),
        include_deleted: Some(true),
    };
    let listed = client.list_recordings(&main, &sub, &filter).await.unwrap();
    assert_eq!(listed[0].price, parse_decimal("0.0025").ok());
    assert_eq!((listed[0].duration, listed[0].channels), (Some(4), Some(1)));
    let fetched = client
        .fetch_recording(&main, &sub, &recording)
        .await
        .unwrap();
    assert_eq!(fetched.status, RecordingStatus::Absent);
    assert_eq!(fetched.error_code.map(|code| code.0), Some(16_101));
    for _ in 0..2 {
        client
            .delete_recording(&main, &sub, &recording)
            .await
            .unwrap();
    }
    let one = format!("/2010-04-01/Accounts/{SUB}/Recordings/{RECORDING}.json");
    assert_eq!(
        scene.lines(),
        [
            format!(
                "GET /2010-04-01/Accounts/{SUB}/Recordings.json?CallSid={CALL}&ConferenceSid={CONFERENCE}&DateCreated=2026-08-01\
                 &DateCreated%3E=2026-08-01T00%3A00%3A00Z&DateCreated%3C=2026-08-02&IncludeSoftDeleted=true&PageSize=1000"
            ),
            format!("GET {one}"),
            format!("DELETE {one}"),
            format!("DELETE {one}"),
        ]
    );
}
