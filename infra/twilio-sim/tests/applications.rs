//! Applications, and what they answer for in a number's place.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{
    MAIN, bought, config, delete, get, moved, number_path, number_state, post, subaccount,
};
use serde_json::{Value, json};
use twilio_sim::Sim;

#[tokio::test]
async fn an_application_beats_the_number_s_urls_and_dangles_after_a_transfer() {
    let sim = Sim::new(config());
    let (one, _) = subaccount(&sim, "one").await;
    let (two, _) = subaccount(&sim, "two").await;
    let made = post(
        &sim,
        &format!("/Accounts/{one}/Applications.json"),
        &[
            ("FriendlyName", "desk"),
            ("VoiceUrl", "https://app.example.test/voice"),
            ("StatusCallback", "https://app.example.test/status"),
            ("StatusCallbackMethod", "GET"),
            ("SmsUrl", "https://app.example.test/sms"),
        ],
    )
    .await;
    let application = made.str("sid");
    let number = bought(
        &sim,
        &one,
        &[
            ("PhoneNumber", "+14155550100"),
            ("VoiceUrl", "https://number.example.test/voice"),
            ("SmsUrl", "https://number.example.test/sms"),
            ("VoiceApplicationSid", &application),
        ],
    )
    .await;
    let shown = number_state(&sim).await;
    assert_eq!(shown["voice"]["url"], "https://app.example.test/voice");
    assert_eq!(
        shown["status_callback"],
        json!({"url": "https://app.example.test/status", "method": "GET"})
    );
    assert_eq!(shown["sms"]["url"], "https://number.example.test/sms");
    // Another account's Application is not accessible.
    let other = post(&sim, &format!("/Accounts/{two}/Applications.json"), &[]).await;
    let refused = post(
        &sim,
        &number_path(&one, &number),
        &[("SmsApplicationSid", &other.str("sid"))],
    )
    .await;
    assert_eq!(refused.code(), 21_420);
    // The losing account's Application goes along by name only.
    let answer = moved(&sim, &one, &number, &two).await;
    assert_eq!(answer.str("voice_application_sid"), application);
    let shown = number_state(&sim).await;
    assert_eq!(
        (&shown["voice"], &shown["status_callback"]),
        (&Value::Null, &Value::Null)
    );
    // Given in the same request, the gaining account's own answers.
    moved(&sim, &two, &number, &one).await;
    let both = [
        ("AccountSid", two.as_str()),
        ("VoiceApplicationSid", &other.str("sid")),
    ];
    let answer = post(&sim, &number_path(&one, &number), &both).await;
    assert_eq!(answer.str("voice_application_sid"), other.str("sid"));
    let answer = post(
        &sim,
        &number_path(&two, &number),
        &[("VoiceApplicationSid", "")],
    )
    .await;
    assert_eq!(answer.body["voice_application_sid"], Value::Null);
    assert_eq!(
        number_state(&sim).await["voice"]["url"],
        "https://number.example.test/voice"
    );
}

#[tokio::test]
async fn an_application_is_created_listed_updated_and_deleted() {
    let sim = Sim::new(config());
    let of = format!("/Accounts/{MAIN}/Applications.json");
    let made = post(
        &sim,
        &of,
        &[
            ("FriendlyName", "desk"),
            ("VoiceUrl", "https://example.test/voice"),
            ("VoiceFallbackUrl", "https://example.test/voice2"),
            ("MessageStatusCallback", "https://example.test/messages"),
            ("SmsStatusCallback", "https://example.test/sms"),
            ("PublicApplicationConnectEnabled", "true"),
            ("VoiceCallerIdLookup", "true"),
        ],
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.body["public_application_connect_enabled"], true);
    assert_eq!(made.body["voice_caller_id_lookup"], true);
    assert_eq!(
        made.str("message_status_callback"),
        "https://example.test/messages"
    );
    assert_eq!(made.body["sms_url"], Value::Null);
    let sid = made.str("sid");
    let one = format!("/Accounts/{MAIN}/Applications/{sid}.json");
    assert_eq!(get(&sim, &one).await.body, made.body);
    post(&sim, &of, &[("FriendlyName", "other")]).await;
    let list = get(&sim, &format!("{of}?FriendlyName=desk")).await;
    assert_eq!(list.body["applications"].as_array().unwrap().len(), 1);
    for (field, code) in [
        (("VoiceUrl", "nowhere"), 21_402),
        (("SmsStatusCallback", "nowhere"), 21_609),
        (("SmsMethod", "PUT"), 21_403),
        (("ApiVersion", "2030-01-01"), 20_001),
    ] {
        let refused = post(&sim, &one, &[("FriendlyName", "changed"), field]).await;
        assert_eq!(refused.code(), code, "{field:?}");
    }
    assert_eq!(get(&sim, &one).await.str("friendly_name"), "desk");
    let number = bought(
        &sim,
        MAIN,
        &[
            ("PhoneNumber", "+14155550100"),
            ("SmsUrl", "https://number.example.test/sms"),
            ("SmsApplicationSid", &sid),
        ],
    )
    .await;
    assert_eq!(delete(&sim, &one).await.status, 204);
    assert_eq!(get(&sim, &one).await.code(), 20_404);
    let left = get(&sim, &number_path(MAIN, &number)).await;
    assert_eq!(left.str("sms_application_sid"), sid);
    assert_eq!(number_state(&sim).await["sms"], Value::Null);
}
