//! Price lists, and that they say what is really charged.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{MAIN, Reply, TOKEN, ask, control, get, pass, quick_config, subaccount};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use twilio_sim::Sim;

async fn price(sim: &Sim, path: &str, who: (&str, &str)) -> Reply {
    let answer = ask(sim, "GET", &format!("/pricing{path}"), Some(who), &[]).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_country_of_a_list_has_its_prices() {
    let sim = Sim::new(quick_config());
    let main = (MAIN, TOKEN);
    for list in [
        "/v1/Messaging/Countries",
        "/v1/PhoneNumbers/Countries",
        "/v1/Voice/Countries",
        "/v2/Voice/Countries",
        "/v2/Trunking/Countries",
    ] {
        let page = price(&sim, &format!("{list}?PageSize=3"), main).await;
        assert_eq!(page.body["meta"]["key"], "countries");
        let next = page.body["meta"]["next_page_url"].as_str().unwrap();
        let next = next.strip_prefix("https://pricing.twilio.com").unwrap();
        let second = price(&sim, next, main).await;
        let rows = |page: &Reply| page.body["countries"].as_array().unwrap().clone();
        assert_eq!(rows(&page).len(), 3);
        for row in rows(&page).into_iter().chain(rows(&second)) {
            let url = row["url"].as_str().unwrap();
            let path = url.strip_prefix("https://pricing.twilio.com").unwrap();
            let one = price(&sim, path, main).await;
            assert_eq!(one.body["country"], row["country"]);
            assert_eq!(one.body["price_unit"], "USD");
            assert_eq!(one.body["url"], row["url"]);
        }
        let unknown = ask(&sim, "GET", &format!("/pricing{list}/ZZ"), Some(main), &[]).await;
        assert_eq!(unknown.code(), 20_404);
    }
}

#[tokio::test]
async fn price_lists_have_twilio_s_shape() {
    let sim = Sim::new(quick_config());
    let main = (MAIN, TOKEN);
    assert_eq!(
        price(&sim, "/v1/PhoneNumbers/Countries/US", main)
            .await
            .body,
        json!({
            "country": "United States",
            "iso_country": "US",
            "phone_number_prices": [
                {"base_price": "1.15", "current_price": "1.15", "number_type": "local"},
                {"base_price": "1.15", "current_price": "1.15", "number_type": "toll free"}
            ],
            "price_unit": "USD",
            "url": "https://pricing.twilio.com/v1/PhoneNumbers/Countries/US"
        })
    );
    let number = price(
        &sim,
        "/v2/Voice/Numbers/%2B442079460000?OriginationNumber=%2B14155550100",
        main,
    )
    .await;
    assert_eq!(
        number.body,
        json!({
            "destination_number": "+442079460000",
            "origination_number": "+14155550100",
            "country": "United Kingdom",
            "iso_country": "GB",
            "outbound_call_prices": [
                {"base_price": "0.0158", "current_price": "0.0158", "origination_prefixes": ["ALL"]}
            ],
            "inbound_call_price": null,
            "price_unit": "USD",
            "url": "https://pricing.twilio.com/v2/Voice/Numbers/+442079460000"
        })
    );
    for path in [
        "/v1/Voice/Numbers/+442079460000",
        "/v2/Trunking/Numbers/+442079460000",
    ] {
        assert_eq!(price(&sim, path, main).await.body["iso_country"], "GB");
    }
    for path in ["/v2/Voice/Numbers/442079460000", "/v1/Voice/Numbers/nobody"] {
        let refused = ask(&sim, "GET", &format!("/pricing{path}"), Some(main), &[]).await;
        assert_eq!(refused.code(), 20_404, "{path}");
    }
    let path = "/pricing/v2/Voice/Numbers/+442079460000?OriginationNumber=me";
    assert_eq!(ask(&sim, "GET", path, Some(main), &[]).await.code(), 20_001);
}

/// What one call, one message each way and a number cost, as the account's own records say.
async fn charged(sim: &Sim, sid: &str) -> [Decimal; 5] {
    let bought = control(sim, "POST", "/_sim/numbers", &json!({"account_sid": sid})).await;
    let own = bought.str("phone_number");
    for asked in [
        json!({"account_sid": sid, "from": own, "to": "+442079460000", "duration_s": 90}),
        json!({"account_sid": sid, "to": own, "from": "+442079460000", "direction": "inbound", "duration_s": 90}),
    ] {
        control(sim, "POST", "/_sim/calls", &asked).await;
    }
    for asked in [
        json!({"account_sid": sid, "from": own, "to": "+442079460000"}),
        json!({"account_sid": sid, "to": own, "from": "+442079460000", "direction": "inbound"}),
    ] {
        control(sim, "POST", "/_sim/messages", &asked).await;
    }
    pass(sim, 600).await;
    let absolute = |value: &Value| decimal(value).abs();
    let calls = get(sim, &format!("/Accounts/{sid}/Calls.json")).await;
    let messages = get(sim, &format!("/Accounts/{sid}/Messages.json")).await;
    let rent = get(
        sim,
        &format!("/Accounts/{sid}/Usage/Records.json?Category=phonenumbers-local"),
    )
    .await;
    let rent = &rent.body["usage_records"][0]["price"];
    [
        absolute(&calls.body["calls"][1]["price"]) / Decimal::TWO,
        absolute(&calls.body["calls"][0]["price"]) / Decimal::TWO,
        absolute(&messages.body["messages"][1]["price"]),
        absolute(&messages.body["messages"][0]["price"]),
        decimal(rent),
    ]
}

/// The same from the price lists: current prices.
async fn listed(sim: &Sim, who: (&str, &str)) -> [Decimal; 5] {
    let voice = price(sim, "/v2/Voice/Countries/GB", who).await;
    let own_voice = price(sim, "/v1/Voice/Countries/US", who).await;
    let sms = price(sim, "/v1/Messaging/Countries/GB", who).await;
    let own_sms = price(sim, "/v1/Messaging/Countries/US", who).await;
    let rent = price(sim, "/v1/PhoneNumbers/Countries/US", who).await;
    [
        &voice.body["outbound_prefix_prices"][0],
        &own_voice.body["inbound_call_prices"][0],
        &sms.body["outbound_sms_prices"][0]["prices"][0],
        &own_sms.body["inbound_sms_prices"][0],
        &rent.body["phone_number_prices"][0],
    ]
    .map(|price| decimal(&price["current_price"]))
}

#[tokio::test]
async fn what_is_listed_is_what_is_charged_with_and_without_a_discount() {
    let sim = Sim::new(common::quick_config());
    let (plain, plain_token) = subaccount(&sim, "plain").await;
    let (cheap, cheap_token) = subaccount(&sim, "cheap").await;
    let set = control(
        &sim,
        "POST",
        &format!("/_sim/accounts/{cheap}"),
        &json!({"discount_per_mille": 125}),
    )
    .await;
    assert_eq!(set.status, 204);
    let full = listed(&sim, (&plain, &plain_token)).await;
    assert_eq!(charged(&sim, &plain).await, full);
    let less = listed(&sim, (&cheap, &cheap_token)).await;
    let share = Decimal::new(875, 3);
    assert_eq!(less, full.map(|price| price * share));
    assert_eq!(charged(&sim, &cheap).await, less);
    // Base prices are the same for everybody.
    let path = "/v2/Voice/Countries/GB";
    let base = |page: &Reply| page.body["outbound_prefix_prices"][0]["base_price"].clone();
    let (one, other) = (
        price(&sim, path, (&plain, &plain_token)).await,
        price(&sim, path, (&cheap, &cheap_token)).await,
    );
    assert_eq!(base(&one), base(&other));
    let refused = json!({"discount_per_mille": 1001});
    let path = format!("/_sim/accounts/{cheap}");
    assert_eq!(control(&sim, "POST", &path, &refused).await.status, 400);
}

#[tokio::test]
async fn calls_to_an_own_number_have_a_price_for_their_holder_only() {
    let sim = Sim::new(quick_config());
    let (own, token) = subaccount(&sim, "own").await;
    let bought = control(&sim, "POST", "/_sim/numbers", &json!({"account_sid": own})).await;
    let path = format!("/v1/Voice/Numbers/{}", bought.str("phone_number"));
    let mine = price(&sim, &path, (&own, &token)).await;
    assert_eq!(
        mine.body["inbound_call_price"],
        json!({"base_price": "0.0085", "current_price": "0.0085", "number_type": "local"})
    );
    let others = price(&sim, &path, (MAIN, TOKEN)).await;
    assert_eq!(others.body["inbound_call_price"], json!(null));
}
