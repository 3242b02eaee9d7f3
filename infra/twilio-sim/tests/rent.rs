//! The rent of numbers: by type and country, to whoever holds them, until they are given back.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Reply, control, delete, get, pass, post, quick_config, subaccount};
use serde_json::json;
use twilio_sim::{Quirks, Rent, Sim, SimConfig};

fn path(account: &str, number: &str) -> String {
    format!("/Accounts/{account}/IncomingPhoneNumbers/{number}.json")
}

async fn bought(sim: &Sim, account: &str, form: &[(&str, &str)]) -> String {
    let path = format!("/Accounts/{account}/IncomingPhoneNumbers.json");
    let made = post(sim, &path, form).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.str("sid")
}

async fn moved(sim: &Sim, from: &str, number: &str, to: &str) -> Reply {
    post(sim, &path(from, number), &[("AccountSid", to)]).await
}

#[tokio::test]
async fn rent_is_by_type_and_country_and_stops_with_the_number() {
    let sim = Sim::new(SimConfig {
        quirks: Quirks {
            rent: Rent::Monthly,
            ..Quirks::none()
        },
        ..quick_config()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let mut released = Vec::new();
    for (iso, kind) in [("US", "local"), ("US", "toll_free"), ("AU", "mobile")] {
        let made = control(
            &sim,
            "POST",
            "/_sim/numbers",
            &json!({"account_sid": sid, "iso_country": iso, "type": kind}),
        )
        .await;
        released.push(made.str("sid"));
    }
    let price = async |category: &str| {
        get(
            &sim,
            &format!("/Accounts/{sid}/Usage/Records.json?Category={category}"),
        )
        .await
        .body["usage_records"][0]["price"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    pass(&sim, 60).await;
    assert_eq!(price("phonenumbers-local").await, "1.15");
    assert_eq!(price("phonenumbers-tollfree").await, "2.15");
    assert_eq!(price("phonenumbers-mobile").await, "6");
    assert_eq!(price("phonenumbers").await, "9.3");
    // Suspension stops no rent, release does.
    let account = format!("/Accounts/{sid}.json");
    post(&sim, &account, &[("Status", "suspended")]).await;
    let path = format!("/Accounts/{sid}/IncomingPhoneNumbers/{}.json", released[2]);
    assert_eq!(delete(&sim, &path).await.status, 204);
    pass(&sim, 32 * 86_400).await;
    assert_eq!(price("phonenumbers-local").await, "2.3");
    assert_eq!(price("phonenumbers-tollfree").await, "4.3");
    assert_eq!(price("phonenumbers-mobile").await, "6");
}

#[tokio::test]
async fn rent_is_the_holder_s_of_the_day_on_which_it_is_due() {
    let sim = Sim::new(quick_config());
    let (one, _) = subaccount(&sim, "one").await;
    let (two, _) = subaccount(&sim, "two").await;
    let number = bought(&sim, &one, &[("PhoneNumber", "+14155550100")]).await;
    let price = async |account: &str| {
        let path = format!("/Accounts/{account}/Usage/Records.json?Category=phonenumbers-local");
        get(&sim, &path).await.body["usage_records"][0]["price"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    pass(&sim, 10 * 86_400).await;
    moved(&sim, &one, &number, &two).await;
    pass(&sim, 3600).await;
    assert_eq!(
        (price(&one).await, price(&two).await),
        ("1.15".into(), "0".into())
    );
    pass(&sim, 25 * 86_400).await;
    assert_eq!(
        (price(&one).await, price(&two).await),
        ("1.15".into(), "1.15".into())
    );
    // Closing releases it, and the rent ends.
    post(
        &sim,
        &format!("/Accounts/{two}.json"),
        &[("Status", "closed")],
    )
    .await;
    pass(&sim, 29 * 86_400).await; // a day before it is deleted, two after the rent would be due
    assert_eq!(price(&two).await, "1.15");
}
