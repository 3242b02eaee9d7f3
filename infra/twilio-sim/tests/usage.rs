//! Usage records: overlap, lateness, revisions, ranges.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use common::{MAIN, config, control, get, pass, subaccount};
use domain::Decimal;
use domain::money::parse_decimal;
use serde_json::{Value, json};
use twilio_sim::{Quirks, Rent, Sim, SimConfig, TrafficProfile};

/// Leaves that do not overlap, as a biller would take them.
const LEAVES: [&str; 13] = [
    "calls-inbound",
    "calls-outbound",
    "recordings",
    "recordingstorage",
    "sms-inbound",
    "sms-outbound",
    "sms-messages-carrierfees",
    "mms-inbound",
    "mms-outbound",
    "mms-messages-carrierfees",
    "failed-message-processing-fee",
    "phonenumbers",
    "lookups",
];

fn decimal(value: &Value) -> Decimal {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    parse_decimal(&text).unwrap()
}

async fn prices(sim: &Sim, path: &str) -> BTreeMap<String, Decimal> {
    let page = get(sim, path).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(page.body["next_page_uri"], Value::Null);
    let rows = page.body["usage_records"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            (
                row["category"].as_str().unwrap().to_owned(),
                decimal(&row["price"]),
            )
        })
        .collect()
}

async fn busy_sim(quirks: Quirks) -> (Sim, String) {
    let sim = Sim::new(SimConfig { quirks, ..config() });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let profile = TrafficProfile {
        messages_per_day: 60,
        calls_per_day: 30,
        failed_per_mille: 100,
        ..TrafficProfile::default()
    };
    sim.start_traffic(&sid, profile).unwrap();
    (sim, sid)
}

#[tokio::test]
async fn rollups_agree_with_their_parts_and_the_total_with_leaves_and_residual() {
    let (sim, sid) = busy_sim(Quirks {
        unknown_category_per_mille: 1000,
        ..Quirks::none()
    })
    .await;
    pass(&sim, 5 * 86_400).await;
    let rows = prices(
        &sim,
        &format!("/Accounts/{sid}/Usage/Records.json?PageSize=1000"),
    )
    .await;
    let of = |name: &str| rows[name];
    assert!(of("calls") > Decimal::ZERO && of("sms") > Decimal::ZERO && of("mms") > Decimal::ZERO);
    assert_eq!(of("calls"), of("calls-inbound") + of("calls-outbound"));
    assert_eq!(
        of("calls-inbound"),
        of("calls-inbound-local") + of("calls-inbound-mobile") + of("calls-inbound-tollfree")
    );
    assert_eq!(of("sms"), of("sms-inbound") + of("sms-outbound"));
    assert_eq!(of("phonenumbers"), parse_decimal("1.15").unwrap());
    let leaves: Decimal = LEAVES.iter().map(|name| of(name)).sum();
    let residual = of("totalprice") - leaves;
    assert!(residual > Decimal::ZERO);
    assert_eq!(residual, of("sim-unlisted-product"));
    assert_eq!(
        of("totalprice"),
        parse_decimal(&sim.usage_price(&sid).unwrap()).unwrap()
    );
    assert!(
        rows.values().filter(|price| price.is_zero()).count() > 40,
        "categories without usage have rows"
    );
    let main = prices(
        &sim,
        &format!("/Accounts/{MAIN}/Usage/Records.json?PageSize=1000"),
    )
    .await;
    assert_eq!(
        main["totalprice"],
        of("totalprice"),
        "the main account includes its subaccounts"
    );
    let alone = prices(
        &sim,
        &format!("/Accounts/{MAIN}/Usage/Records.json?PageSize=1000&IncludeSubaccounts=false"),
    )
    .await;
    assert!(alone["totalprice"].is_zero());
}

#[tokio::test]
async fn daily_records_sum_to_the_range_and_page_by_token() {
    let (sim, sid) = busy_sim(Quirks {
        as_of_lag_ms: [0, 0],
        ..Quirks::default()
    })
    .await;
    pass(&sim, 4 * 86_400 + 43_200).await;
    let whole = prices(
        &sim,
        &format!("/Accounts/{sid}/Usage/Records.json?Category=totalprice"),
    )
    .await["totalprice"];
    let mut path = format!(
        "/Accounts/{sid}/Usage/Records/Daily.json?PageSize=100&StartDate=2026-03-01&EndDate=2026-03-05"
    );
    let (mut total, mut rows, mut pages) = (Decimal::ZERO, 0, 0);
    loop {
        let page = get(&sim, &path).await;
        pages += 1;
        for row in page.body["usage_records"].as_array().unwrap() {
            rows += 1;
            assert_eq!(row["start_date"], row["end_date"]);
            assert_eq!(row["price_unit"], "usd");
            if row["category"] == "totalprice" {
                total += decimal(&row["price"]);
            }
        }
        match page.body["next_page_uri"].as_str() {
            Some(next) => next
                .strip_prefix(common::API)
                .unwrap()
                .clone_into(&mut path),
            None => break,
        }
    }
    assert_eq!(total, whole);
    assert!(pages > 3 && rows % 5 == 0, "{pages} {rows}");
    for (span, expected) in [
        ("Today", "2026-03-05"),
        ("Yesterday", "2026-03-04"),
        ("ThisMonth", "2026-03-01"),
        ("LastMonth", "2026-02-01"),
        ("AllTime", "2026-03-01"),
        ("Monthly", "2026-03-01"),
    ] {
        let page = get(
            &sim,
            &format!("/Accounts/{sid}/Usage/Records/{span}.json?Category=sms"),
        )
        .await;
        assert_eq!(
            page.body["usage_records"][0]["start_date"], expected,
            "{span}"
        );
        assert_eq!(
            page.body["usage_records"][0]["as_of"],
            "2026-03-05T12:00:00+00:00"
        );
    }
    let relative = get(
        &sim,
        &format!("/Accounts/{sid}/Usage/Records/Daily.json?Category=sms&StartDate=-2days"),
    )
    .await;
    assert_eq!(relative.body["usage_records"].as_array().unwrap().len(), 3);
    assert_eq!(
        get(
            &sim,
            &format!("/Accounts/{sid}/Usage/Records.json?StartDate=soon")
        )
        .await
        .status,
        400
    );
}

#[tokio::test]
async fn usage_shows_late_and_a_revision_comes_within_three_days_of_its_day() {
    let (sim, sid) = busy_sim(Quirks {
        revision_per_mille: 1000,
        rent: Rent::Daily,
        ..Quirks::none()
    })
    .await;
    let day = format!(
        "/Accounts/{sid}/Usage/Records/Daily.json?PageSize=1000&StartDate=2026-03-01&EndDate=2026-03-01"
    );
    pass(&sim, 60).await;
    assert!(
        prices(&sim, &day).await["totalprice"].is_zero(),
        "nothing shows at once"
    );
    pass(&sim, 86_400 + 4 * 3600).await;
    let first = prices(&sim, &day).await;
    assert!(first["totalprice"] > Decimal::ZERO);
    pass(&sim, 3 * 86_400 - 4 * 3600).await;
    let last = prices(&sim, &day).await;
    assert_ne!(first, last);
    assert_eq!(last["sms"], last["sms-inbound"] + last["sms-outbound"]);
    pass(&sim, 10 * 86_400).await;
    assert_eq!(prices(&sim, &day).await, last, "final after three days");
}

#[tokio::test]
async fn a_record_is_revised_by_hand_up_down_and_to_nothing() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let day = format!(
        "/Accounts/{sid}/Usage/Records/Daily.json?StartDate=2026-03-01&EndDate=2026-03-01&Category="
    );
    for price in ["1.5", "0.25", "0"] {
        let body = json!({"account_sid": sid, "day": "2026-03-01", "category": "sms-outbound-longcode", "price": price, "usage": "3", "count": 3});
        assert_eq!(
            control(&sim, "POST", "/_sim/usage", &body).await.status,
            204
        );
        for category in ["sms-outbound-longcode", "sms", "totalprice"] {
            assert_eq!(
                prices(&sim, &format!("{day}{category}")).await[category],
                parse_decimal(price).unwrap()
            );
        }
    }
    let body =
        json!({"account_sid": sid, "day": "2026-03-01", "category": "totalprice", "price": "1"});
    assert_eq!(
        control(&sim, "POST", "/_sim/usage", &body).await.status,
        400
    );
    let body = json!({"account_sid": sid, "day": "2026-03-01", "category": "brand-new-thing", "price": "2"});
    control(&sim, "POST", "/_sim/usage", &body).await;
    assert_eq!(
        prices(&sim, &format!("{day}totalprice")).await["totalprice"],
        parse_decimal("2").unwrap()
    );
}

#[tokio::test]
async fn rows_look_like_twilio_s_and_some_prices_are_bare_numbers() {
    let sim = Sim::new(SimConfig {
        all_categories: true,
        quirks: Quirks {
            number_price_per_mille: 500,
            ..Quirks::none()
        },
        ..config()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let page = get(
        &sim,
        &format!("/Accounts/{sid}/Usage/Records.json?PageSize=1000"),
    )
    .await;
    let rows = page.body["usage_records"].as_array().unwrap();
    assert!(rows.len() >= 643, "{}", rows.len());
    assert!(
        rows.iter().any(|row| row["price"].is_string())
            && rows.iter().any(|row| row["price"].is_number())
    );
    let sms = rows
        .iter()
        .find(|row| row["category"] == "sms-inbound-shortcode")
        .unwrap();
    let base = format!("/2010-04-01/Accounts/{sid}/Usage/Records");
    assert_eq!(
        sms["uri"],
        format!(
            "{base}.json?Category=sms-inbound-shortcode&StartDate=2026-03-01&EndDate=2026-03-01"
        )
    );
    assert_eq!(
        sms["subresource_uris"]["all_time"],
        format!("{base}/AllTime.json?Category=sms-inbound-shortcode")
    );
    assert_eq!(sms["subresource_uris"].as_object().unwrap().len(), 8);
    assert_eq!(
        (&sms["count"], &sms["usage"], &sms["count_unit"]),
        (&json!("0"), &json!("0"), &json!("messages"))
    );
    let total = rows
        .iter()
        .find(|row| row["category"] == "totalprice")
        .unwrap();
    assert_eq!(
        (&total["count"], &total["count_unit"]),
        (&Value::Null, &json!(""))
    );
}
