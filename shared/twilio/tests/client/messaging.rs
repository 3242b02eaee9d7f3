//! Messages, and messaging services.

use domain::ids::{MessageSid, MessagingServiceSid, PhoneNumberSid};
use domain::money::parse_decimal;
use domain::{Date, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use twilio::messages::{MessageDirection, NewMessage, Sender};
use twilio::messaging_services::MessagingServiceSettings;
use twilio::{
    CallbackMethod, Error, ErrorCode, MessageFilter, MessageStatus, RejectReason, RetryReason,
};

use crate::server::{
    MAIN, SUB, account, error, json, main_credentials, meta_page_of, own, page_of, scene,
};

const MESSAGE: &str = "SM55555555555555555555555555555555";
const SERVICE: &str = "MG66666666666666666666666666666666";
const NUMBER: &str = "PN77777777777777777777777777777777";

fn message() -> MessageSid {
    MessageSid::parse(MESSAGE).unwrap()
}

fn service() -> MessagingServiceSid {
    MessagingServiceSid::parse(SERVICE).unwrap()
}

fn number() -> PhoneNumberSid {
    PhoneNumberSid::parse(NUMBER).unwrap()
}

/// A message as Twilio writes it, with its price (JSON) and status.
fn message_json(status: &str, price: &str) -> String {
    format!(
        r#"{{"account_sid":"{SUB}","api_version":"2010-04-01","body":"a private word","date_created":"Thu, 24 Aug 2023 05:01:45 +0000",
        "date_sent":null,"date_updated":"Thu, 24 Aug 2023 05:01:45 +0000","direction":"outbound-api","error_code":null,
        "error_message":null,"from":null,"messaging_service_sid":"{SERVICE}","num_media":"0","num_segments":"2","price":{price},
        "price_unit":"USD","sid":"{MESSAGE}","status":"{status}","subresource_uris":{{"media":"/x"}},"tags":null,"to":"+15550101","uri":"/x"}}"#
    )
}

#[tokio::test]
async fn a_message_is_sent_by_its_service() {
    let scene = scene([json(201, message_json("accepted", "null"))]).await;
    let new = NewMessage {
        status_callback: Some("https://operator.example/twilio?a=1#rc=5".to_owned()),
        media_urls: vec![
            "https://m.example/1".to_owned(),
            "https://m.example/2".to_owned(),
        ],
        validity_period_s: Some(600),
        send_at: Some("2026-08-01T12:30:05.5Z".parse().unwrap()),
        smart_encoded: Some(true),
        ..NewMessage::text(
            "+15550101",
            Sender::ServiceFrom(service(), "+15550100".to_owned()),
            SecretString::from("ä & +"),
        )
    };
    assert!(!format!("{new:?}").contains("ä"), "a text is in no log");
    let sent = scene
        .client
        .create_message(&main_credentials(), &account(SUB), &new)
        .await
        .unwrap();
    assert_eq!(sent.status, MessageStatus::Accepted);
    assert_eq!((sent.price, sent.from), (None, None));
    assert_eq!((sent.num_segments, sent.num_media), (Some(2), Some(0)));
    let (line, body) = scene.only(MAIN);
    assert_eq!(
        line,
        format!("POST /2010-04-01/Accounts/{SUB}/Messages.json")
    );
    assert_eq!(
        body,
        format!(
            "To=%2B15550101&MessagingServiceSid={SERVICE}&From=%2B15550100&Body=%C3%A4+%26+%2B\
             &MediaUrl=https%3A%2F%2Fm.example%2F1&MediaUrl=https%3A%2F%2Fm.example%2F2\
             &StatusCallback=https%3A%2F%2Foperator.example%2Ftwilio%3Fa%3D1%23rc%3D5&ValidityPeriod=600\
             &SmartEncoded=true&ScheduleType=fixed&SendAt=2026-08-01T12%3A30%3A06Z"
        )
    );
}

#[tokio::test]
async fn messages_are_listed_with_every_filter() {
    let priced = message_json("delivered", "\"-0.00750\"").replace(
        r#""date_sent":null"#,
        r#""date_sent":"Thu, 24 Aug 2023 05:01:46 +0000""#,
    );
    let failed = message_json("failed", "null")
        .replace(MESSAGE, "MM55555555555555555555555555555555")
        .replace(r#""error_code":null"#, r#""error_code":30003"#);
    let scene = scene([page_of("messages", &[priced, failed])]).await;
    let filter = MessageFilter {
        to: Some("+15550101".to_owned()),
        from: Some("+15550100".to_owned()),
        sent_on: Some(Date::constant(2023, 8, 24)),
        sent_from: Some(Date::constant(2023, 8, 1).into()),
        sent_until: Some("2023-08-31T12:00:00Z".parse::<Timestamp>().unwrap().into()),
    };
    let listed = scene
        .client
        .list_messages(&own().into(), &account(SUB), &filter)
        .await
        .unwrap();
    let [first, second] = &listed[..] else {
        panic!("two messages");
    };
    assert_eq!(first.price, parse_decimal("0.0075").ok());
    assert_eq!(first.direction, Some(MessageDirection::OutboundApi));
    assert_eq!(
        first.date_sent,
        Some("2023-08-24T05:01:46Z".parse().unwrap())
    );
    assert_eq!(
        first.body.as_ref().map(ExposeSecret::expose_secret),
        Some("a private word")
    );
    assert!(!format!("{listed:?}").contains("private"));
    assert_eq!(second.error_code, Some(ErrorCode::DELIVERY_UNREACHABLE));
    let (line, _) = scene.only(SUB);
    assert_eq!(
        line,
        format!(
            "GET /2010-04-01/Accounts/{SUB}/Messages.json?To=%2B15550101&From=%2B15550100&DateSent=2023-08-24\
             &DateSent%3E=2023-08-01&DateSent%3C=2023-08-31T12%3A00%3A00Z&PageSize=1000"
        )
    );
}

#[tokio::test]
async fn a_message_is_read_redacted_and_deleted() {
    let redacted = message_json("delivered", "null").replace("a private word", "");
    let scene = scene([
        json(200, message_json("sent", "null")),
        json(200, redacted),
        json(204, ""),
        error(404, 20404),
    ])
    .await;
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    client.fetch_message(&main, &sub, &message()).await.unwrap();
    let redacted = client
        .redact_message(&main, &sub, &message())
        .await
        .unwrap();
    assert!(redacted.body.is_none());
    client
        .delete_message(&main, &sub, &message())
        .await
        .unwrap();
    client
        .delete_message(&main, &sub, &message())
        .await
        .unwrap();
    assert_eq!(scene.seen()[1].body, "Body=");
    let path = format!("/2010-04-01/Accounts/{SUB}/Messages/{MESSAGE}.json");
    assert_eq!(
        scene.lines(),
        ["GET", "POST", "DELETE", "DELETE"].map(|method| format!("{method} {path}"))
    );
}

#[tokio::test]
async fn a_message_that_is_taken_back_already_is_taken_back() {
    let scene = scene([
        error(400, 20001),
        json(200, message_json("canceled", "null")),
        error(400, 20001),
        json(200, message_json("sent", "null")),
    ])
    .await;
    let (client, main, sub) = (&scene.client, main_credentials(), account(SUB));
    let canceled = client
        .cancel_message(&main, &sub, &message())
        .await
        .unwrap();
    assert_eq!(canceled.status, MessageStatus::Canceled);
    let too_late = client.cancel_message(&main, &sub, &message()).await;
    assert!(matches!(too_late, Err(Error::Reject { .. })));
    assert_eq!(scene.seen()[0].body, "Status=canceled");
}

#[tokio::test]
async fn what_a_recipient_or_a_queue_does_not_take_is_told_apart() {
    let scene = scene([
        error(400, 21610),
        error(400, 21408),
        error(400, 21611),
        error(400, 21608),
    ])
    .await;
    let new = NewMessage::text(
        "+15550101",
        Sender::From("+15550100".to_owned()),
        SecretString::from("hi"),
    );
    let send = || async {
        scene
            .client
            .create_message(&main_credentials(), &account(SUB), &new)
            .await
            .unwrap_err()
    };
    assert_eq!(
        send().await.reject_reason(),
        Some(RejectReason::Unsubscribed)
    );
    assert_eq!(
        send().await.reject_reason(),
        Some(RejectReason::NotPermitted)
    );
    let later = send().await;
    assert!(
        matches!(
            later,
            Error::Retry {
                reason: RetryReason::QueueFull,
                ..
            }
        ),
        "{later}"
    );
    assert_eq!(
        send().await.reject_reason(),
        Some(RejectReason::TrialAccount)
    );
    assert_eq!(scene.seen().len(), 4, "none of them is asked again here");
}

fn service_json(name: &str) -> String {
    format!(
        r#"{{"account_sid":"{SUB}","sid":"{SERVICE}","friendly_name":"{name}","date_created":"2026-07-30T20:12:31Z",
        "date_updated":"2026-07-30T20:12:33Z","inbound_request_url":null,"inbound_method":"POST","fallback_url":null,
        "fallback_method":"GET","status_callback":"https://operator.example/","sticky_sender":true,"mms_converter":true,
        "smart_encoding":false,"scan_message_content":"inherit","fallback_to_long_code":true,"area_code_geomatch":null,
        "synchronous_validation":false,"validity_period":14400,"usecase":"notifications","us_app_to_person_registered":false,
        "use_inbound_webhook_on_number":true,"links":{{}},"url":"https://messaging.twilio.com/v1/Services/{SERVICE}"}}"#
    )
}

fn sender_json() -> String {
    format!(
        r#"{{"sid":"{NUMBER}","account_sid":"{SUB}","service_sid":"{SERVICE}","date_created":"2026-07-30T20:12:31Z",
        "date_updated":"2026-07-30T20:12:33Z","phone_number":"+15550100","country_code":"US","capabilities":["SMS","Voice"],"url":"x"}}"#
    )
}

#[tokio::test]
async fn a_messaging_service_is_made_read_changed_and_deleted() {
    let scene = scene([
        json(201, service_json("n")),
        meta_page_of("services", &[service_json("n")]),
        json(200, service_json("n")),
        json(200, service_json("m")),
        json(204, ""),
    ])
    .await;
    let (client, own) = (&scene.client, own());
    let settings = MessagingServiceSettings {
        status_callback: Some("https://operator.example/".to_owned()),
        inbound_method: Some(CallbackMethod::Post),
        use_inbound_webhook_on_number: Some(true),
        ..MessagingServiceSettings::default()
    };
    let made = client
        .create_messaging_service(&own, "n", &settings)
        .await
        .unwrap();
    assert_eq!(made.use_inbound_webhook_on_number, Some(true));
    assert_eq!(
        (made.validity_period, made.area_code_geomatch),
        (Some(14_400), None)
    );
    assert_eq!(client.list_messaging_services(&own).await.unwrap(), [made]);
    client
        .fetch_messaging_service(&own, &service())
        .await
        .unwrap();
    let settings = MessagingServiceSettings::default();
    client
        .update_messaging_service(&own, &service(), Some("m"), &settings)
        .await
        .unwrap();
    client
        .delete_messaging_service(&own, &service())
        .await
        .unwrap();
    let one = format!("/messaging/v1/Services/{SERVICE}");
    assert_eq!(
        scene.lines(),
        [
            "POST /messaging/v1/Services".to_owned(),
            "GET /messaging/v1/Services?PageSize=1000".to_owned(),
            format!("GET {one}"),
            format!("POST {one}"),
            format!("DELETE {one}"),
        ]
    );
    let seen = scene.seen();
    assert_eq!(
        seen[0].body,
        "FriendlyName=n&InboundMethod=POST&StatusCallback=https%3A%2F%2Foperator.example%2F&UseInboundWebhookOnNumber=true"
    );
    assert_eq!(seen[3].body, "FriendlyName=m");
    for seen in seen {
        seen.assert_from(SUB);
    }
}

#[tokio::test]
async fn a_number_that_is_a_sender_already_stays_one() {
    let scene = scene([
        json(201, sender_json()),
        error(409, 21710),
        json(200, sender_json()),
        error(409, 21712),
        error(404, 20404),
        meta_page_of("phone_numbers", &[sender_json()]),
        json(204, ""),
    ])
    .await;
    let (client, own) = (&scene.client, own());
    for _ in 0..2 {
        let added = client
            .add_service_number(&own, &service(), &number())
            .await
            .unwrap();
        assert_eq!(added.capabilities, ["SMS", "Voice"]);
    }
    let elsewhere = client.add_service_number(&own, &service(), &number()).await;
    assert_eq!(
        elsewhere.unwrap_err().code(),
        Some(ErrorCode(21712)),
        "the refusal, not what was looked up"
    );
    let listed = client.list_service_numbers(&own, &service()).await.unwrap();
    assert_eq!(listed[0].sid, number());
    client
        .remove_service_number(&own, &service(), &number())
        .await
        .unwrap();
    let all = format!("/messaging/v1/Services/{SERVICE}/PhoneNumbers");
    let lines = scene.lines();
    assert_eq!(lines[0], format!("POST {all}"));
    assert_eq!(lines[2], format!("GET {all}/{NUMBER}"));
    assert_eq!(lines[6], format!("DELETE {all}/{NUMBER}"));
    assert_eq!(scene.seen()[0].body, format!("PhoneNumberSid={NUMBER}"));
}
