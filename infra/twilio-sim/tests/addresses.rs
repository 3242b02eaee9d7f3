//! Addresses and Bundles: kept, checked, and asked for by the numbers that need them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{MAIN, Reply, config, control, delete, get, pass, post, subaccount};
use serde_json::{Value, json};
use twilio_sim::{Quirks, Sim, SimConfig};

const BERLIN: [(&str, &str); 6] = [
    ("CustomerName", "Acme GmbH"),
    ("Street", "Unter den Linden 1"),
    ("City", "Berlin"),
    ("Region", "BE"),
    ("PostalCode", "10117"),
    ("IsoCountry", "DE"),
];
const SYDNEY: [(&str, &str); 6] = [
    ("CustomerName", "Acme Pty"),
    ("Street", "1 George St"),
    ("City", "Sydney"),
    ("Region", "NSW"),
    ("PostalCode", "2000"),
    ("IsoCountry", "AU"),
];
const MUMBAI: [(&str, &str); 6] = [
    ("CustomerName", "Acme Ltd"),
    ("Street", "1 Marine Drive"),
    ("City", "Mumbai"),
    ("Region", "MH"),
    ("PostalCode", "400020"),
    ("IsoCountry", "IN"),
];

fn of(account: &str) -> String {
    format!("/Accounts/{account}/Addresses.json")
}

async fn address(sim: &Sim, account: &str, form: &[(&str, &str)]) -> String {
    let made = post(sim, &of(account), form).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.str("sid")
}

async fn buy(sim: &Sim, account: &str, form: &[(&str, &str)]) -> Reply {
    let path = format!("/Accounts/{account}/IncomingPhoneNumbers.json");
    post(sim, &path, form).await
}

fn with<'a>(base: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    // The first field of a name counts.
    more.iter().chain(base).copied().collect()
}

#[tokio::test]
async fn an_address_is_created_listed_updated_and_deleted() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let form = with(
        &BERLIN,
        &[("FriendlyName", "HQ"), ("StreetSecondary", "3rd floor")],
    );
    let made = post(&sim, &of(&sid), &form).await;
    let address = made.str("sid");
    let mut shown = made.body.clone();
    for name in ["date_created", "date_updated"] {
        assert_eq!(shown[name], "Sun, 01 Mar 2026 00:00:00 +0000");
        shown.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(
        shown,
        json!({
            "sid": address, "account_sid": sid, "friendly_name": "HQ", "customer_name": "Acme GmbH",
            "street": "Unter den Linden 1", "street_secondary": "3rd floor", "city": "Berlin",
            "region": "BE", "postal_code": "10117", "iso_country": "DE", "emergency_enabled": false,
            "validated": true, "verified": false,
            "uri": format!("/2010-04-01/Accounts/{sid}/Addresses/{address}.json")
        })
    );
    post(&sim, &of(&sid), &SYDNEY).await;
    for (query, count) in [
        ("", 2),
        ("?IsoCountry=DE", 1),
        ("?FriendlyName=HQ", 1),
        ("?CustomerName=Acme%20Pty", 1),
        ("?EmergencyEnabled=true", 0),
        ("?EmergencyEnabled=false", 2),
    ] {
        let list = get(&sim, &format!("{}{query}", of(&sid))).await;
        let found = list.body["addresses"].as_array().unwrap().len();
        assert_eq!(found, count, "{query}");
    }
    let path = format!("/Accounts/{sid}/Addresses/{address}.json");
    let updated = post(&sim, &path, &[("City", "Potsdam"), ("FriendlyName", "")]).await;
    assert_eq!(
        (updated.status, updated.str("city")),
        (200, "Potsdam".to_owned())
    );
    assert_eq!(updated.body["friendly_name"], Value::Null);
    assert_eq!(updated.str("street"), "Unter den Linden 1");
    assert_eq!(delete(&sim, &path).await.status, 204);
    assert_eq!(get(&sim, &path).await.code(), 20_404);
    let elsewhere = format!("/Accounts/{MAIN}/Addresses/{address}.json");
    assert_eq!(get(&sim, &elsewhere).await.code(), 20_404);
}

#[tokio::test]
async fn an_address_is_complete_and_exists() {
    let sim = Sim::new(config());
    for missing in BERLIN {
        let form: Vec<_> = BERLIN
            .into_iter()
            .filter(|field| *field != missing)
            .collect();
        let refused = post(&sim, &of(MAIN), &form).await;
        assert_eq!(refused.code(), 20_001, "{missing:?}");
    }
    let long = "x".repeat(65);
    for (field, code) in [
        (("IsoCountry", "Germany"), 20_001),
        (("PostalCode", "1011"), 21_628),
        (("CustomerName", long.as_str()), 20_001),
        (("FriendlyName", long.as_str()), 20_002),
        (("EmergencyEnabled", "perhaps"), 20_001),
    ] {
        let refused = post(&sim, &of(MAIN), &with(&BERLIN, &[field])).await;
        assert_eq!(refused.code(), code, "{field:?}");
    }
    let misspelt = with(&BERLIN, &[("Street", "Unter  den Linden 1 ")]);
    let corrected = post(&sim, &of(MAIN), &misspelt).await;
    assert_eq!(corrected.str("street"), "Unter den Linden 1");
    let as_given = with(&misspelt, &[("AutoCorrectAddress", "false")]);
    let refused = post(&sim, &of(MAIN), &as_given).await;
    assert_eq!(refused.code(), 21_629);
    assert!(
        refused
            .str("message")
            .contains("Unter den Linden 1, Berlin")
    );
}

#[tokio::test]
async fn an_address_that_a_number_needs_is_kept() {
    let sim = Sim::new(config());
    let sydney = address(&sim, MAIN, &SYDNEY).await;
    let path = format!("/Accounts/{MAIN}/Addresses/{sydney}.json");
    let dependents = format!("/Accounts/{MAIN}/Addresses/{sydney}/DependentPhoneNumbers.json");
    let number = buy(
        &sim,
        MAIN,
        &[("PhoneNumber", "+61400000001"), ("AddressSid", &sydney)],
    )
    .await;
    assert_eq!(number.str("address_sid"), sydney);
    // One that only names it can go without.
    let loose = buy(
        &sim,
        MAIN,
        &[("PhoneNumber", "+14155550100"), ("AddressSid", &sydney)],
    )
    .await;
    let list = get(&sim, &dependents).await;
    let rows = list.body["dependent_phone_numbers"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["sid"], number.body["sid"]);
    assert_eq!(
        rows[1]["capabilities"],
        json!({"Voice": true, "SMS": true, "MMS": true})
    );
    assert_eq!(delete(&sim, &path).await.code(), 21_625);
    let of_number = |sid: &str| format!("/Accounts/{MAIN}/IncomingPhoneNumbers/{sid}.json");
    let cleared = post(&sim, &of_number(&number.str("sid")), &[("AddressSid", "")]).await;
    assert_eq!(cleared.code(), 21_625);
    assert_eq!(
        delete(&sim, &of_number(&number.str("sid"))).await.status,
        204
    );
    assert_eq!(delete(&sim, &path).await.status, 204);
    let after = get(&sim, &of_number(&loose.str("sid"))).await;
    assert_eq!(after.body["address_sid"], Value::Null);
    assert_eq!(get(&sim, &dependents).await.code(), 20_404);
}

#[tokio::test]
async fn a_number_is_bought_only_with_the_address_that_it_asks_for() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let berlin = address(&sim, &sid, &BERLIN).await;
    let sydney = address(&sim, &sid, &SYDNEY).await;
    let mumbai = address(&sim, &sid, &MUMBAI).await;
    let foreign = address(&sim, MAIN, &SYDNEY).await;
    let (any, local, outside) = ("+61280000001", "+61400000001", "+912240000001");
    for (number, named, code) in [
        (any, None, 21_631),
        (any, Some(&foreign), 21_613),
        (any, Some(&"AD1".to_owned()), 21_613),
        (any, Some(&berlin), 0),
        (local, None, 21_631),
        (local, Some(&berlin), 21_615),
        (local, Some(&sydney), 0),
        (outside, Some(&mumbai), 21_624),
        (outside, Some(&berlin), 0),
    ] {
        let mut form = vec![("PhoneNumber", number)];
        form.extend(named.map(|named| ("AddressSid", named.as_str())));
        let answer = buy(&sim, &sid, &form).await;
        assert_eq!(answer.code(), code, "{number} {named:?}");
    }
}

#[tokio::test]
async fn a_flag_finds_the_address_by_itself_as_twilio_once_did() {
    let sim = Sim::new(SimConfig {
        quirks: Quirks {
            address_looked_up: true,
            ..Quirks::none()
        },
        ..config()
    });
    let form = [("PhoneNumber", "+61400000001")];
    assert_eq!(buy(&sim, MAIN, &form).await.code(), 21_613);
    address(&sim, MAIN, &BERLIN).await;
    assert_eq!(buy(&sim, MAIN, &form).await.code(), 21_615);
    let sydney = address(&sim, MAIN, &SYDNEY).await;
    let bought = buy(&sim, MAIN, &form).await;
    assert_eq!(bought.str("address_sid"), sydney);
}

#[tokio::test]
async fn some_numbers_need_a_bundle_that_twilio_approved() {
    let sim = Sim::new(config());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let london = with(
        &SYDNEY,
        &[
            ("City", "London"),
            ("PostalCode", "EC1A 1BB"),
            ("IsoCountry", "GB"),
        ],
    );
    let london = address(&sim, &sid, &london).await;
    let bundle = async |account: &str, kind: &str, status: &str| {
        let asked = json!({
            "account_sid": account, "iso_country": "GB", "type": kind, "status": status
        });
        let made = control(&sim, "POST", "/_sim/bundles", &asked).await;
        assert_eq!(made.status, 200, "{}", made.body);
        made.str("sid")
    };
    let approved = bundle(&sid, "mobile", "twilio-approved").await;
    let pending = bundle(&sid, "mobile", "pending-review").await;
    let others = bundle(MAIN, "mobile", "twilio-approved").await;
    let local = bundle(&sid, "local", "twilio-approved").await;
    let attempt = async |named: Option<&str>| {
        let mut form = vec![
            ("PhoneNumber", "+447700900001"),
            ("AddressSid", london.as_str()),
        ];
        form.extend(named.map(|named| ("BundleSid", named)));
        buy(&sim, &sid, &form).await
    };
    for refused in [
        None,
        Some("BU1"),
        Some(&pending),
        Some(&others),
        Some(&local),
    ] {
        let answer = attempt(refused).await;
        assert_eq!((answer.status, answer.code()), (400, 21_649), "{refused:?}");
    }
    let reviewed = json!({"status": "twilio-approved"});
    let path = format!("/_sim/bundles/{pending}");
    assert_eq!(control(&sim, "POST", &path, &reviewed).await.status, 204);
    let bought = attempt(Some(&pending)).await;
    assert_eq!((bought.status, bought.str("bundle_sid")), (201, pending));
    let path = format!(
        "/Accounts/{sid}/IncomingPhoneNumbers/{}.json",
        bought.str("sid")
    );
    assert_eq!(post(&sim, &path, &[("BundleSid", "")]).await.code(), 21_649);
    let changed = post(&sim, &path, &[("BundleSid", &approved)]).await;
    assert_eq!(changed.str("bundle_sid"), approved);
}

#[tokio::test]
async fn an_emergency_address_is_registered_after_a_while() {
    let sim = Sim::new(config());
    let form = with(
        &SYDNEY,
        &[
            ("PostalCode", "94103"),
            ("IsoCountry", "US"),
            ("EmergencyEnabled", "true"),
        ],
    );
    let place = address(&sim, MAIN, &form).await;
    let plain = address(&sim, MAIN, &SYDNEY).await;
    let number = buy(&sim, MAIN, &[("PhoneNumber", "+14155550100")]).await;
    let path = format!(
        "/Accounts/{MAIN}/IncomingPhoneNumbers/{}.json",
        number.str("sid")
    );
    let shown = async || get(&sim, &path).await.str("emergency_address_status");
    assert_eq!(shown().await, "unregistered");
    let refused = post(&sim, &path, &[("EmergencyAddressSid", &plain)]).await;
    assert_eq!(refused.code(), 20_001, "not an emergency address");
    let set = [
        ("EmergencyAddressSid", place.as_str()),
        ("EmergencyStatus", "Active"),
    ];
    let answer = post(&sim, &path, &set).await;
    assert_eq!(answer.str("emergency_status"), "Active");
    assert_eq!(shown().await, "pending-registration");
    pass(&sim, 60).await;
    assert_eq!(shown().await, "registered");
    let of_place = format!("/Accounts/{MAIN}/Addresses/{place}.json");
    assert_eq!(delete(&sim, &of_place).await.code(), 21_625);
    let answer = post(&sim, &path, &[("EmergencyAddressSid", "")]).await;
    assert_eq!(answer.str("emergency_status"), "Inactive");
    assert_eq!(shown().await, "pending-unregistration");
    pass(&sim, 60).await;
    assert_eq!(shown().await, "unregistered");
    assert_eq!(delete(&sim, &of_place).await.status, 204);
}
