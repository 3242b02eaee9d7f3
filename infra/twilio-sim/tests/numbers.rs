//! Phone numbers: bought, set up, listed and given back.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{API, MAIN, TOKEN, ask, config, control, delete, get, pass, post, subaccount};
use serde_json::{Value, json};
use twilio_sim::{Quirks, Sim, SimConfig};

fn numbers_of(sid: &str) -> String {
    format!("/Accounts/{sid}/IncomingPhoneNumbers.json")
}

async fn bought(sim: &Sim, sid: &str, form: &[(&str, &str)]) -> Value {
    let answer = post(sim, &numbers_of(sid), form).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body
}

fn listed(body: &Value) -> Vec<&str> {
    body["incoming_phone_numbers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["phone_number"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn everything_that_is_set_at_purchase_is_shown() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let application = post(
        &sim,
        &format!("/Accounts/{sid}/Applications.json"),
        &[("FriendlyName", "sms")],
    )
    .await;
    let application = application.str("sid");
    let identity = format!("RI{}", "a".repeat(32));
    let trunk = format!("TK{}", "b".repeat(32));
    let body = bought(
        &sim,
        &sid,
        &[
            ("PhoneNumber", "+14155550100"),
            ("FriendlyName", "front desk"),
            ("VoiceUrl", "https://example.test/voice"),
            ("VoiceMethod", "GET"),
            ("VoiceFallbackUrl", "https://example.test/voice2"),
            ("VoiceFallbackMethod", "GET"),
            ("VoiceCallerIdLookup", "true"),
            ("StatusCallback", "https://example.test/status#rc=3"),
            ("StatusCallbackMethod", "GET"),
            ("SmsUrl", "https://example.test/sms"),
            ("SmsMethod", "GET"),
            ("SmsFallbackUrl", "https://example.test/sms2"),
            ("SmsFallbackMethod", "GET"),
            ("SmsApplicationSid", &application),
            ("IdentitySid", &identity),
            ("TrunkSid", &trunk),
            ("VoiceReceiveMode", "fax"),
            ("ApiVersion", "2008-08-01"),
        ],
    )
    .await;
    for (name, value) in [
        ("account_sid", sid.as_str()),
        ("phone_number", "+14155550100"),
        ("friendly_name", "front desk"),
        ("voice_url", "https://example.test/voice"),
        ("voice_method", "GET"),
        ("voice_fallback_url", "https://example.test/voice2"),
        ("voice_fallback_method", "GET"),
        ("status_callback", "https://example.test/status#rc=3"),
        ("status_callback_method", "GET"),
        ("sms_url", "https://example.test/sms"),
        ("sms_method", "GET"),
        ("sms_fallback_url", "https://example.test/sms2"),
        ("sms_fallback_method", "GET"),
        ("sms_application_sid", &application),
        ("identity_sid", &identity),
        ("trunk_sid", &trunk),
        ("voice_receive_mode", "fax"),
        ("api_version", "2008-08-01"),
        ("address_requirements", "none"),
        ("origin", "twilio"),
        ("status", "in-use"),
        ("type", "local"),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    assert_eq!(body["voice_caller_id_lookup"], true);
    assert_eq!(
        body["capabilities"],
        json!({"voice": true, "sms": true, "mms": true, "fax": false})
    );
    let path = format!("/Accounts/{sid}/IncomingPhoneNumbers.json");
    assert_eq!(
        get(&sim, &path).await.body["incoming_phone_numbers"][0],
        body
    );
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_keeps_the_rest() {
    let sim = Sim::new(config());
    let body = bought(
        &sim,
        MAIN,
        &[
            ("PhoneNumber", "+14155550100"),
            ("VoiceUrl", "https://example.test/voice"),
            ("SmsUrl", "https://example.test/sms"),
        ],
    )
    .await;
    assert_eq!(body["friendly_name"], "(415) 555-0100");
    assert_eq!(body["voice_fallback_url"], Value::Null);
    let path = format!(
        "/Accounts/{MAIN}/IncomingPhoneNumbers/{}.json",
        body["sid"].as_str().unwrap()
    );
    pass(&sim, 60).await;
    let updated = post(&sim, &path, &[("VoiceUrl", ""), ("FriendlyName", "x")]).await;
    assert_eq!(updated.status, 200);
    assert_eq!(updated.body["voice_url"], Value::Null);
    assert_eq!(updated.str("sms_url"), "https://example.test/sms");
    assert_eq!(updated.str("friendly_name"), "x");
    assert_ne!(updated.body["date_updated"], body["date_updated"]);
    assert_eq!(updated.body["date_created"], body["date_created"]);
    let trunk = format!("TK{}", "b".repeat(32));
    let application = post(&sim, &format!("/Accounts/{MAIN}/Applications.json"), &[]).await;
    let application = application.str("sid");
    post(&sim, &path, &[("TrunkSid", &trunk)]).await;
    let answering = post(&sim, &path, &[("VoiceApplicationSid", &application)]).await;
    assert_eq!(answering.body["trunk_sid"], Value::Null);
    let trunked = post(&sim, &path, &[("TrunkSid", &trunk)]).await;
    assert_eq!(trunked.body["voice_application_sid"], Value::Null);
}

#[tokio::test]
async fn what_twilio_refuses_is_refused_with_its_code_and_changes_nothing() {
    let sim = Sim::new(config());
    let number = ("PhoneNumber", "+14155550100");
    let app = format!("AP{}", "0".repeat(32));
    let table: &[(&[(&str, &str)], u64)] = &[
        (&[], 21_421),
        (&[("PhoneNumber", "555")], 21_421),
        (&[("PhoneNumber", "+1415555")], 21_421),
        (&[("PhoneNumber", "+34600000000")], 21_422),
        (&[("AreaCode", "12")], 21_451),
        (&[("AreaCode", "abc")], 21_451),
        (&[("AreaCode", "999")], 21_452),
        (&[number, ("VoiceUrl", "not a url")], 21_402),
        (&[number, ("SmsUrl", "ftp://example.test")], 21_402),
        (&[number, ("StatusCallback", "/relative")], 21_502),
        (&[number, ("VoiceMethod", "PUT")], 21_403),
        (
            &[number, ("VoiceFallbackUrl", "https://example.test")],
            21_405,
        ),
        (
            &[number, ("SmsFallbackUrl", "https://example.test")],
            21_406,
        ),
        (&[number, ("VoiceApplicationSid", &app)], 21_420),
        (&[number, ("SmsApplicationSid", "AP1")], 21_420),
        (&[number, ("IdentitySid", "RI1")], 21_651),
        (&[number, ("TrunkSid", "TK1")], 20_001),
        (&[number, ("VoiceReceiveMode", "telex")], 20_001),
        (&[number, ("EmergencyStatus", "Active")], 20_001),
        (&[number, ("EmergencyAddressSid", "AD1")], 20_001),
        (&[number, ("AddressSid", "AD1")], 20_001),
        (&[number, ("BundleSid", "BU1")], 21_649),
        (&[number, ("FriendlyName", &"x".repeat(65))], 20_002),
        (
            &[
                ("PhoneNumber", "+442079460000"),
                ("SmsUrl", "https://example.test"),
            ],
            21_407,
        ),
        (
            &[
                ("PhoneNumber", "+442079460000"),
                ("VoiceCallerIdLookup", "true"),
            ],
            21_409,
        ),
    ];
    for (form, code) in table {
        let answer = post(&sim, &numbers_of(MAIN), form).await;
        assert_eq!((answer.status, answer.code()), (400, *code), "{form:?}");
    }
    assert!(sim.accounts()[0].numbers.is_empty());
    bought(&sim, MAIN, &[number]).await;
    let again = post(&sim, &numbers_of(MAIN), &[number]).await;
    assert_eq!(again.code(), 21_422, "somebody holds it");
}

#[tokio::test]
async fn a_suspended_account_buys_no_number() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let account = format!("/Accounts/{sid}.json");
    post(&sim, &account, &[("Status", "suspended")]).await;
    let refused = post(&sim, &numbers_of(&sid), &[("PhoneNumber", "+14155550100")]).await;
    assert_eq!((refused.status, refused.code()), (401, 20_005));
    post(&sim, &account, &[("Status", "active")]).await;
    bought(&sim, &sid, &[("PhoneNumber", "+14155550100")]).await;
}

#[tokio::test]
async fn the_lists_of_one_type_hold_and_sell_that_type_alone() {
    let sim = Sim::new(config());
    let path = |kind: &str| format!("/Accounts/{MAIN}/IncomingPhoneNumbers/{kind}.json");
    for (kind, number, code) in [
        ("Local", "+14155550100", 0),
        ("TollFree", "+18005550100", 0),
        ("Local", "+18005550101", 21_458),
        ("TollFree", "+14155550101", 21_458),
        ("Mobile", "+14155550101", 21_458),
    ] {
        let answer = post(&sim, &path(kind), &[("PhoneNumber", number)]).await;
        assert_eq!(answer.code(), code, "{kind} {number}");
        assert!(answer.body.get("type").is_none(), "the list says it");
    }
    let by_area = post(&sim, &path("Local"), &[("AreaCode", "415")]).await;
    assert_eq!(by_area.code(), 21_457);
    for (kind, expected) in [
        ("Local", vec!["+14155550100"]),
        ("TollFree", vec!["+18005550100"]),
        ("Mobile", vec![]),
    ] {
        let list = get(&sim, &path(kind)).await;
        assert_eq!(listed(&list.body), expected, "{kind}");
    }
    let all = get(&sim, &numbers_of(MAIN)).await;
    assert_eq!(listed(&all.body), ["+18005550100", "+14155550100"]);
    assert_eq!(
        all.body["incoming_phone_numbers"][0]["type"], "toll free",
        "the general list tells the type"
    );
}

#[tokio::test]
async fn lists_are_filtered_by_number_name_origin_and_novelty() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    for number in ["+14155550100", "+14155550199", "+12125550100"] {
        bought(&sim, &sid, &[("PhoneNumber", number)]).await;
    }
    control(
        &sim,
        "POST",
        "/_sim/numbers",
        &json!({"account_sid": sid, "phone_number": "+551132000000", "hosted": true}),
    )
    .await;
    for (query, expected) in [
        ("", 4),
        ("?PhoneNumber=%2B14155550100", 1),
        ("?PhoneNumber=%2B1415", 2),
        ("?PhoneNumber=5550100", 2),
        ("?PhoneNumber=415***01**", 2),
        ("?PhoneNumber=%2B415", 0),
        ("?FriendlyName=(415)%20555-0100", 1),
        ("?FriendlyName=(415)", 0),
        ("?Origin=hosted", 1),
        ("?Origin=twilio", 3),
        ("?Beta=false", 3),
        ("?Beta=true", 4),
    ] {
        let list = get(&sim, &format!("{}{query}", numbers_of(&sid))).await;
        assert_eq!(listed(&list.body).len(), expected, "{query}");
    }
    for query in ["?Origin=mars", "?Beta=perhaps"] {
        let refused = get(&sim, &format!("{}{query}", numbers_of(&sid))).await;
        assert_eq!(refused.code(), 20_001, "{query}");
    }
}

#[tokio::test]
async fn numbers_page_by_token() {
    let sim = Sim::new(config());
    for last in 0..7 {
        bought(
            &sim,
            MAIN,
            &[("PhoneNumber", &format!("+1415555010{last}"))],
        )
        .await;
    }
    let mut path = format!("{}?PageSize=3", numbers_of(MAIN));
    let mut seen = Vec::new();
    loop {
        let page = get(&sim, &path).await;
        seen.extend(listed(&page.body).into_iter().map(str::to_owned));
        match page.body["next_page_uri"].as_str() {
            Some(next) => next.strip_prefix(API).unwrap().clone_into(&mut path),
            None => break,
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 7);
}

#[tokio::test]
async fn a_released_number_is_gone_from_its_account_and_back_in_the_inventory() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let body = bought(&sim, &sid, &[("PhoneNumber", "+14155550100")]).await;
    let path = format!(
        "/Accounts/{sid}/IncomingPhoneNumbers/{}.json",
        body["sid"].as_str().unwrap()
    );
    let search =
        format!("/Accounts/{sid}/AvailablePhoneNumbers/US/Local.json?Contains=%2B14155550100");
    let shown = |body: &Value| body["available_phone_numbers"].as_array().unwrap().len();
    assert_eq!(shown(&get(&sim, &search).await.body), 0);
    assert_eq!(delete(&sim, &path).await.status, 204);
    assert_eq!(get(&sim, &path).await.code(), 20_404);
    assert_eq!(delete(&sim, &path).await.code(), 20_404);
    assert_eq!(post(&sim, &path, &[]).await.code(), 20_404);
    assert_eq!(shown(&get(&sim, &search).await.body), 1);
    let again = bought(&sim, MAIN, &[("PhoneNumber", "+14155550100")]).await;
    assert_ne!(again["sid"], body["sid"]);
    assert_eq!(shown(&get(&sim, &search).await.body), 0);
}

#[tokio::test]
async fn another_account_s_number_is_not_found() {
    let sim = Sim::new(config());
    let (one, token) = subaccount(&sim, "one").await;
    let (two, _) = subaccount(&sim, "two").await;
    let body = bought(&sim, &two, &[("PhoneNumber", "+14155550100")]).await;
    let path = format!(
        "{API}/Accounts/{one}/IncomingPhoneNumbers/{}.json",
        body["sid"].as_str().unwrap()
    );
    for method in ["GET", "POST", "DELETE"] {
        let answer = ask(&sim, method, &path, Some((&one, &token)), &[]).await;
        assert_eq!(answer.code(), 20_404, "{method}");
        let answer = ask(&sim, method, &path, Some((MAIN, TOKEN)), &[]).await;
        assert_eq!(answer.code(), 20_404, "{method}");
    }
}

#[tokio::test]
async fn a_flag_shows_unset_values_as_twilio_s_examples_do() {
    let sim = Sim::new(SimConfig {
        quirks: Quirks {
            numbers_as_in_examples: true,
            ..Quirks::none()
        },
        ..config()
    });
    let body = bought(&sim, MAIN, &[("PhoneNumber", "+14155550100")]).await;
    for name in [
        "sms_url",
        "sms_fallback_url",
        "sms_application_sid",
        "voice_application_sid",
        "status_callback",
    ] {
        assert_eq!(body[name], "", "{name}");
    }
    assert_eq!(body["voice_url"], Value::Null);
    let path = format!("/Accounts/{MAIN}/AvailablePhoneNumbers/US/Local.json?AreaCode=415");
    let offers = get(&sim, &path).await.body;
    assert_eq!(
        offers["available_phone_numbers"][0]["latitude"],
        "37.774900"
    );
}
