//! Audit events and alerts.

use domain::Date;
use domain::ids::{AlertSid, MonitorEventSid};
use secrecy::ExposeSecret;
use twilio::ErrorCode;
use twilio::monitor::{AlertFilter, LogLevel, MonitorEventFilter};

use crate::server::{SUB, json, meta_page_of, own, scene};

const EVENT: &str = "AE88888888888888888888888888888888";
const ALERT: &str = "NO99999999999999999999999999999999";

fn event_json() -> String {
    format!(
        r#"{{"account_sid":"{SUB}","actor_sid":"US01234567890123456789012345678901","actor_type":"user","description":null,
        "event_data":{{"status":{{"previous":"active","updated":"suspended"}},"rate":0.1}},"event_date":"2026-10-03T16:48:25Z",
        "event_type":"account.updated","links":{{}},"resource_sid":"{SUB}","resource_type":"account","sid":"{EVENT}",
        "source":"web","source_ip_address":"10.86.6.250","url":"x"}}"#
    )
}

fn alert_json(more: &str) -> String {
    format!(
        r#"{{"account_sid":"{SUB}","alert_text":"Msg&quoted","api_version":"2010-04-01","date_created":"2026-07-30T20:00:00Z",
        "date_generated":"2026-07-30T19:59:00Z","date_updated":"2026-07-30T20:00:00Z","error_code":"11200","log_level":"error",
        "more_info":"x","request_method":"POST","request_url":"https://tenant.example/","resource_sid":"CA33333333333333333333333333333333",
        "sid":"{ALERT}","url":"x","service_sid":null{more}}}"#
    )
}

#[tokio::test]
async fn events_are_listed_with_every_filter_and_keep_what_changed() {
    let scene = scene([
        meta_page_of("events", &[event_json()]),
        json(200, event_json()),
    ])
    .await;
    let filter = MonitorEventFilter {
        actor_sid: Some("US01234567890123456789012345678901".to_owned()),
        event_type: Some("account.updated".to_owned()),
        resource_sid: Some(SUB.to_owned()),
        source_ip_address: Some("10.86.6.250".to_owned()),
        from: Some(Date::constant(2026, 10, 1).into()),
        until: Some(
            "2026-10-31T00:00:00Z"
                .parse::<domain::Timestamp>()
                .unwrap()
                .into(),
        ),
    };
    let (client, own) = (&scene.client, own());
    let events = client.list_monitor_events(&own, &filter).await.unwrap();
    assert_eq!(events[0].source.as_deref(), Some("web"));
    assert_eq!(
        events[0].event_data.as_ref().map(|data| data.get()),
        Some(r#"{"status":{"previous":"active","updated":"suspended"},"rate":0.1}"#)
    );
    let event = MonitorEventSid::parse(EVENT).unwrap();
    let fetched = client.fetch_monitor_event(&own, &event).await.unwrap();
    assert_eq!(
        fetched.event_date,
        Some("2026-10-03T16:48:25Z".parse().unwrap())
    );
    assert_eq!(
        scene.lines(),
        [
            format!(
                "GET /monitor/v1/Events?ActorSid=US01234567890123456789012345678901&EventType=account.updated\
                 &ResourceSid={SUB}&SourceIpAddress=10.86.6.250&StartDate=2026-10-01&EndDate=2026-10-31T00%3A00%3A00Z&PageSize=1000"
            ),
            format!("GET /monitor/v1/Events/{EVENT}"),
        ]
    );
}

#[tokio::test]
async fn an_alert_quotes_nothing_into_a_log() {
    let full = r#","request_variables":"Body=private+word","response_body":"private answer""#;
    let scene = scene([
        meta_page_of("alerts", &[alert_json("")]),
        json(200, alert_json(full)),
    ])
    .await;
    let filter = AlertFilter {
        log_level: Some(LogLevel::Error),
        ..AlertFilter::default()
    };
    let (client, own) = (&scene.client, own());
    let alerts = client.list_alerts(&own, &filter).await.unwrap();
    assert_eq!(alerts[0].error_code, Some(ErrorCode(11_200)));
    assert!(alerts[0].request_variables.is_none());
    let alert = AlertSid::parse(ALERT).unwrap();
    let fetched = client.fetch_alert(&own, &alert).await.unwrap();
    assert_eq!(
        fetched
            .request_variables
            .as_ref()
            .map(ExposeSecret::expose_secret),
        Some("Body=private+word")
    );
    let shown = format!("{fetched:?}");
    assert!(
        !shown.contains("private") && !shown.contains("quoted"),
        "{shown}"
    );
    assert_eq!(
        scene.lines(),
        [
            "GET /monitor/v1/Alerts?LogLevel=error&PageSize=1000".to_owned(),
            format!("GET /monitor/v1/Alerts/{ALERT}"),
        ]
    );
}
