//! Usage triggers: what they take and show, when they fire, and what their callback says.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::usage::set;
use common::{API, MAIN, TOKEN, ask, config, delete, get, pass, post, receiver, subaccount};
use serde_json::{Value, json};
use twilio_sim::{Quirks, Sim, SimConfig};

const URL: (&str, &str) = ("CallbackUrl", "https://hooks.example.test/trigger");

fn triggers(sid: &str) -> String {
    format!("/Accounts/{sid}/Usage/Triggers.json")
}

async fn create(sim: &Sim, sid: &str, form: &[(&str, &str)]) -> Value {
    let made = post(sim, &triggers(sid), form).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body
}

#[tokio::test]
async fn a_trigger_has_the_fields_that_twilio_gives_it() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    set(&sim, &sid, "2026-03-01", "calls-outbound", "1.25").await;
    let form = [
        URL,
        ("TriggerValue", "1000"),
        ("UsageCategory", "calls"),
        ("TriggerBy", "price"),
        ("Recurring", "monthly"),
        ("CallbackMethod", "GET"),
        ("FriendlyName", "Too \"much\""),
    ];
    let made = create(&sim, &sid, &form).await;
    let base = format!("{API}/Accounts/{sid}/Usage");
    let ut = made["sid"].as_str().unwrap().to_owned();
    assert!(ut.starts_with("UT") && ut.len() == 34);
    let expected = json!({
        "account_sid": sid, "api_version": "2010-04-01", "callback_method": "GET", "callback_url": URL.1,
        "current_value": "1.25", "date_created": "Sun, 01 Mar 2026 00:00:00 +0000", "date_fired": null,
        "date_updated": "Sun, 01 Mar 2026 00:00:00 +0000", "friendly_name": "Too \"much\"",
        "recurring": "monthly", "sid": ut, "trigger_by": "price", "trigger_value": "1000.000000",
        "uri": format!("{base}/Triggers/{ut}.json"), "usage_category": "calls",
        "usage_record_uri": format!("{base}/Records.json?Category=calls"),
    });
    assert_eq!(made, expected);
    let own = format!("/Accounts/{sid}/Usage/Triggers/{ut}.json");
    assert_eq!(get(&sim, &own).await.body, expected);
    pass(&sim, 60).await;
    let form = [
        ("TriggerValue", "5"),
        ("FriendlyName", "Other"),
        ("CallbackMethod", "POST"),
    ];
    let updated = post(&sim, &own, &form).await;
    assert_eq!(updated.status, 200);
    assert_eq!(
        updated.str("trigger_value"),
        "1000.000000",
        "a threshold never changes"
    );
    assert_eq!(
        (updated.str("friendly_name"), updated.str("callback_method")),
        ("Other".into(), "POST".into())
    );
    assert_eq!(
        updated.str("date_updated"),
        "Sun, 01 Mar 2026 00:01:00 +0000"
    );
    let elsewhere = format!("/Accounts/{MAIN}/Usage/Triggers/{ut}.json");
    assert_eq!(get(&sim, &elsewhere).await.code(), 20_404);
    assert_eq!(delete(&sim, &own).await.status, 204);
    for gone in [
        get(&sim, &own).await,
        delete(&sim, &own).await,
        post(&sim, &own, &[]).await,
    ] {
        assert_eq!((gone.status, gone.code()), (404, 20_404));
    }
    let plain = create(
        &sim,
        &sid,
        &[URL, ("TriggerValue", "2.5"), ("UsageCategory", "sms")],
    )
    .await;
    assert_eq!(
        (&plain["recurring"], &plain["trigger_by"]),
        (&Value::Null, &json!("usage"))
    );
    assert_eq!(
        (&plain["callback_method"], &plain["friendly_name"]),
        (&json!("POST"), &Value::Null)
    );
}

#[tokio::test]
async fn a_value_may_count_from_what_has_been_used_so_far() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    set(&sim, &sid, "2026-03-01", "sms-inbound-longcode", "1.25").await;
    for (by, value, expected) in [
        ("usage", "+30", "60.000000"),
        ("count", "+3", "10.000000"),
        ("price", "+0.000001", "1.250001"),
        // A plus that was not escaped arrives as a space.
        ("usage", " 30", "30.000000"),
    ] {
        let form = [
            URL,
            ("TriggerValue", value),
            ("UsageCategory", "sms"),
            ("TriggerBy", by),
        ];
        let made = create(&sim, &sid, &form).await;
        assert_eq!(made["trigger_value"], expected, "{by} {value}");
    }
}

#[tokio::test]
async fn bad_triggers_are_refused_and_none_is_made_beyond_the_limit() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let good = [URL, ("TriggerValue", "5"), ("UsageCategory", "sms")];
    let long = "x".repeat(65);
    for (name, value, code) in [
        ("CallbackUrl", "", 21_502),
        ("CallbackUrl", "ftp://x.example.test", 21_502),
        ("TriggerValue", "", 20_001),
        ("TriggerValue", "0", 20_001),
        ("TriggerValue", "-5", 20_001),
        ("TriggerValue", "+", 20_001),
        ("TriggerValue", "99999999999999999999", 20_001),
        ("UsageCategory", "", 20_001),
        ("UsageCategory", "no-such-thing", 20_001),
        ("TriggerBy", "cost", 20_001),
        ("Recurring", "weekly", 20_001),
        ("CallbackMethod", "PUT", 20_001),
        ("FriendlyName", long.as_str(), 20_002),
    ] {
        let mut form: Vec<_> = good
            .iter()
            .copied()
            .filter(|(known, _)| *known != name)
            .collect();
        form.push((name, value));
        let answer = post(&sim, &triggers(&sid), &form).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, code),
            "{name}={value}"
        );
    }
    for _ in 0..1000 {
        create(&sim, &sid, &good).await;
    }
    let over = post(&sim, &triggers(&sid), &good).await;
    assert_eq!((over.status, over.code()), (400, 20_001));
    let last = get(&sim, &triggers(&sid)).await.body["usage_triggers"][0]["sid"].clone();
    let path = format!(
        "/Accounts/{sid}/Usage/Triggers/{}.json",
        last.as_str().unwrap()
    );
    assert_eq!(delete(&sim, &path).await.status, 204);
    create(&sim, &sid, &good).await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    for recurring in ["", "daily", "alltime"] {
        for by in ["price", "count"] {
            for category in ["sms", "totalprice"] {
                let form = [
                    URL,
                    ("TriggerValue", "5"),
                    ("UsageCategory", category),
                    ("TriggerBy", by),
                    ("Recurring", recurring),
                ];
                create(&sim, &sid, &form).await;
            }
        }
    }
    let count = async |filter: &str| {
        let page = get(&sim, &format!("{}?{filter}", triggers(&sid))).await;
        page.body["usage_triggers"].as_array().map_or(99, Vec::len)
    };
    assert_eq!(count("").await, 12);
    assert_eq!(count("Recurring=daily").await, 4);
    assert_eq!(count("TriggerBy=count&UsageCategory=sms").await, 3);
    assert_eq!(count("UsageCategory=mms").await, 0);
    assert_eq!(
        get(&sim, &format!("{}?Recurring=never", triggers(&sid)))
            .await
            .code(),
        20_001
    );
    let mut path = format!("{}?PageSize=5", triggers(&sid));
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let page = get(&sim, &path).await;
        for row in page.body["usage_triggers"].as_array().unwrap() {
            assert!(seen.insert(row["sid"].to_string()));
        }
        match page.body["next_page_uri"].as_str() {
            Some(next) => path = next.strip_prefix(API).unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 12);
}

#[tokio::test]
async fn a_trigger_fires_within_a_minute_and_tells_so_by_a_signed_callback() {
    let sim = Sim::new(config());
    let (sid, token) = subaccount(&sim, "Acme").await;
    let (base, seen) = receiver(vec![500, 503, 500]).await;
    let url = format!("{base}/fired?x=1#rc=0");
    let form = [
        ("CallbackUrl", url.as_str()),
        ("TriggerValue", "2"),
        ("UsageCategory", "sms"),
        ("TriggerBy", "price"),
    ];
    let made = create(&sim, &sid, &form).await;
    let ut = made["sid"].as_str().unwrap();
    let own = format!("/Accounts/{sid}/Usage/Triggers/{ut}.json");
    set(&sim, &sid, "2026-03-01", "sms-outbound-longcode", "1.99").await;
    pass(&sim, 120).await;
    assert_eq!(get(&sim, &own).await.body["date_fired"], Value::Null);
    assert_eq!(
        sim.next_event_at(),
        None,
        "nobody looks where nothing changes"
    );
    set(&sim, &sid, "2026-03-01", "sms-outbound-longcode", "2.00").await;
    pass(&sim, 61).await;
    let fired = get(&sim, &own).await.str("date_fired");
    assert!(fired.starts_with("Sun, 01 Mar 2026 00:0"), "{fired}");
    let arrived = seen.lock().unwrap().clone();
    assert_eq!(arrived.len(), 4, "three quick repetitions after a 5xx");
    let told = &arrived[3];
    let idempotency = format!("{sid}-FIRES-{ut}-2026-03-01");
    let record = format!("{API}/Accounts/{sid}/Usage/Records.json?Category=sms");
    let expected = [
        ("AccountSid", sid.as_str()),
        ("UsageTriggerSid", ut),
        ("DateFired", &fired),
        ("Recurring", ""),
        ("UsageCategory", "sms"),
        ("TriggerBy", "price"),
        ("TriggerValue", "2.000000"),
        ("CurrentValue", "2"),
        ("UsageRecordUri", &record),
        ("IdempotencyToken", &idempotency),
    ];
    let fields: Vec<_> = told
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(fields, expected);
    assert_eq!(told.token, idempotency);
    let address = format!("{base}/fired?x=1");
    assert_eq!(
        told.signature,
        twilio::signature::sign(&token, &address, &told.fields)
    );
    set(&sim, &sid, "2026-03-01", "sms-outbound-longcode", "90").await;
    pass(&sim, 3 * 86_400).await;
    assert_eq!(
        seen.lock().unwrap().len(),
        4,
        "one that does not recur fires once"
    );
    assert_eq!(sim.next_event_at(), None);
}

#[tokio::test]
async fn a_callback_by_get_carries_its_fields_in_a_signed_address() {
    let sim = Sim::new(config());
    let (sid, token) = subaccount(&sim, "Acme").await;
    let (base, seen) = receiver(vec![404]).await;
    let url = format!("{base}/fired");
    let form = [
        ("CallbackUrl", url.as_str()),
        ("CallbackMethod", "GET"),
        ("TriggerValue", "7"),
        ("UsageCategory", "lookups"),
        ("TriggerBy", "count"),
    ];
    create(&sim, &sid, &form).await;
    set(&sim, &sid, "2026-03-01", "carrier-lookups", "1").await;
    pass(&sim, 61).await;
    let arrived = seen.lock().unwrap().clone();
    assert_eq!(arrived.len(), 1, "a 4xx is not tried again");
    assert!(arrived[0].path.contains("CurrentValue=7") && arrived[0].fields.is_empty());
    let address = format!("{base}{}", arrived[0].path);
    assert_eq!(
        arrived[0].signature,
        twilio::signature::sign::<String, String>(&token, &address, &[])
    );
}

#[tokio::test]
async fn a_recurring_trigger_fires_once_in_each_interval() {
    let sim = Sim::new(SimConfig {
        quirks: Quirks {
            callback_duplicate_per_mille: 1000,
            ..Quirks::none()
        },
        ..config()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let (base, seen) = receiver(vec![]).await;
    for recurring in ["daily", "monthly", "yearly", "alltime"] {
        let url = format!("{base}/{recurring}");
        let form = [
            ("CallbackUrl", url.as_str()),
            ("TriggerValue", "5"),
            ("UsageCategory", "totalprice"),
            ("TriggerBy", "price"),
            ("Recurring", recurring),
        ];
        create(&sim, &sid, &form).await;
    }
    // Four a day: no day reaches five by itself until the last two.
    for (day, price) in [("01", "4"), ("02", "4"), ("03", "6"), ("04", "6")] {
        let day = format!("2026-03-{day}");
        set(&sim, &sid, &day, "carrier-lookups", price).await;
        pass(&sim, 43_200).await;
        set(&sim, &sid, &day, "calleridlookups", "0.5").await;
        pass(&sim, 43_200).await;
    }
    let arrived = seen.lock().unwrap().clone();
    let told = |path: &str| {
        let days = arrived.iter().filter(|one| one.path == path);
        days.map(|one| one.field("IdempotencyToken")[76..].to_owned())
            .collect::<Vec<_>>()
    };
    // Each comes twice: a receiver tells by the token.
    assert_eq!(
        told("/daily"),
        ["2026-03-03", "2026-03-03", "2026-03-04", "2026-03-04"]
    );
    for path in ["/monthly", "/yearly", "/alltime"] {
        assert_eq!(told(path), ["2026-03-02", "2026-03-02"], "{path}");
    }
    pass(&sim, 27 * 86_400).await;
    set(&sim, &sid, "2026-04-01", "carrier-lookups", "6").await;
    let today = get(&sim, &format!("{}?Recurring=monthly", triggers(&sid))).await;
    assert_eq!(
        today.body["usage_triggers"][0]["current_value"], "6",
        "of the month that has just begun"
    );
    pass(&sim, 86_400).await;
    let arrived = seen.lock().unwrap();
    let count = |path: &str| arrived.iter().filter(|one| one.path == path).count();
    assert_eq!((count("/monthly"), count("/yearly")), (4, 2));
}

#[tokio::test]
async fn the_main_account_s_trigger_counts_its_subaccounts() {
    let sim = Sim::new(config());
    let (one, token) = subaccount(&sim, "One").await;
    let (two, _) = subaccount(&sim, "Two").await;
    let form = [
        URL,
        ("TriggerValue", "5"),
        ("UsageCategory", "totalprice"),
        ("TriggerBy", "price"),
    ];
    let made = create(&sim, MAIN, &form).await;
    for (sid, expected) in [(&one, false), (&two, true)] {
        set(&sim, sid, "2026-03-01", "carrier-lookups", "3").await;
        pass(&sim, 60).await;
        let path = format!(
            "/Accounts/{MAIN}/Usage/Triggers/{}.json",
            made["sid"].as_str().unwrap()
        );
        assert_eq!(
            get(&sim, &path).await.body["date_fired"].is_string(),
            expected
        );
    }
    let path = format!("{API}{}", triggers(&one));
    let own = ask(&sim, "GET", &path, Some((&one, &token)), &[]).await;
    assert_eq!(own.status, 200);
    let path = format!("{API}{}", triggers(MAIN));
    let foreign = ask(&sim, "GET", &path, Some((&one, &token)), &[]).await;
    assert_eq!((foreign.status, foreign.code()), (401, 20_003));
    assert_eq!(
        ask(&sim, "GET", &path, Some((MAIN, TOKEN)), &[])
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_closed_account_s_triggers_tell_nobody() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let (base, seen) = receiver(vec![]).await;
    let form = [
        ("CallbackUrl", base.as_str()),
        ("TriggerValue", "5"),
        ("UsageCategory", "lookups"),
    ];
    create(&sim, &sid, &form).await;
    set(&sim, &sid, "2026-03-01", "carrier-lookups", "3").await;
    post(
        &sim,
        &format!("/Accounts/{sid}.json"),
        &[("Status", "closed")],
    )
    .await;
    pass(&sim, 3600).await;
    assert!(seen.lock().unwrap().is_empty());
}
