//! The inventory: what a search shows can be bought until somebody does.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeSet;

use common::{MAIN, config, control, get, post, subaccount};
use serde_json::{Value, json};
use twilio_sim::{Quirks, Sim, SimConfig};

fn path(country: &str) -> String {
    format!("/Accounts/{MAIN}/AvailablePhoneNumbers/{country}.json")
}

async fn offers(sim: &Sim, country: &str, query: &str) -> Vec<Value> {
    let answer = get(sim, &format!("{}{query}", path(country))).await;
    assert_eq!(answer.status, 200, "{country}{query}: {}", answer.body);
    answer.body["available_phone_numbers"]
        .as_array()
        .unwrap()
        .clone()
}

async fn buy(sim: &Sim, account: &str, form: &[(&str, &str)]) -> common::Reply {
    let path = format!("/Accounts/{account}/IncomingPhoneNumbers.json");
    post(sim, &path, form).await
}

#[tokio::test]
async fn countries_tell_which_types_they_have() {
    let sim = Sim::new(config());
    let list = get(
        &sim,
        &format!("/Accounts/{MAIN}/AvailablePhoneNumbers.json"),
    )
    .await;
    let countries = list.body["countries"].as_array().unwrap();
    assert_eq!(countries.len(), 8);
    assert!(list.body.get("next_page_uri").is_none(), "not paged");
    let one = get(&sim, &path("US")).await;
    assert_eq!(one.body, countries[0]);
    assert_eq!(
        one.body,
        json!({
            "country_code": "US",
            "country": "United States",
            "beta": false,
            "uri": format!("/2010-04-01/Accounts/{MAIN}/AvailablePhoneNumbers/US.json"),
            "subresource_uris": {
                "local": format!("/2010-04-01/Accounts/{MAIN}/AvailablePhoneNumbers/US/Local.json"),
                "toll_free": format!("/2010-04-01/Accounts/{MAIN}/AvailablePhoneNumbers/US/TollFree.json"),
            }
        })
    );
    for missing in ["ZZ", "ZZ/Local", "US/Mobile", "US/Voip"] {
        assert_eq!(get(&sim, &path(missing)).await.code(), 20_404, "{missing}");
    }
    let mut all: BTreeSet<String> = BTreeSet::new();
    for country in countries {
        for (name, uri) in country["subresource_uris"].as_object().unwrap() {
            let uri = uri.as_str().unwrap().strip_prefix(common::API).unwrap();
            let found = get(&sim, uri).await;
            let numbers = found.body["available_phone_numbers"].as_array().unwrap();
            assert!(!numbers.is_empty(), "{uri}");
            all.insert(name.clone());
        }
    }
    assert_eq!(all.len(), 7, "every type is sold somewhere: {all:?}");
}

#[tokio::test]
async fn a_search_is_not_paged_and_shows_no_more_than_thirty() {
    let sim = Sim::new(config());
    let answer = get(&sim, &path("US/Local")).await;
    let mut names: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["available_phone_numbers", "uri"]);
    for (query, expected) in [("", 30), ("?PageSize=5", 5), ("?PageSize=1001", 30)] {
        let found = offers(&sim, "US/Local", query).await;
        assert_eq!(found.len(), expected, "{query}");
    }
    control(
        &sim,
        "POST",
        "/_sim/quirks",
        &json!({"available_numbers_max": 1000}),
    )
    .await;
    let many = offers(&sim, "US/Local", "?PageSize=1000").await;
    let distinct: BTreeSet<&str> = many
        .iter()
        .map(|offer| offer["phone_number"].as_str().unwrap())
        .collect();
    assert_eq!(distinct.len(), 1000);
}

#[tokio::test]
async fn a_number_that_is_shown_can_be_bought_once() {
    let sim = Sim::new(config());
    let (one, _) = subaccount(&sim, "one").await;
    let (two, _) = subaccount(&sim, "two").await;
    let found = offers(&sim, "US/Local", "?AreaCode=212").await;
    let number = found[0]["phone_number"].as_str().unwrap();
    assert!(number.starts_with("+1212"));
    assert_eq!(
        buy(&sim, &one, &[("PhoneNumber", number)]).await.status,
        201
    );
    assert_eq!(
        buy(&sim, &two, &[("PhoneNumber", number)]).await.code(),
        21_422
    );
    let after = offers(&sim, "US/Local", "?AreaCode=212").await;
    assert_eq!(after[0], found[1], "the others stay as they were");
    // The same seed shows the same numbers.
    let twin = Sim::new(config());
    assert_eq!(offers(&twin, "US/Local", "?AreaCode=212").await, found);
}

#[tokio::test]
async fn a_number_by_area_code_is_one_of_that_area_until_none_is_left() {
    let sim = Sim::new(config());
    let bought = buy(&sim, MAIN, &[("AreaCode", "416")]).await;
    assert_eq!(bought.status, 201);
    assert!(bought.str("phone_number").starts_with("+1416"));
    control(
        &sim,
        "POST",
        "/_sim/inventory",
        &json!({"sold_out": ["+1416"]}),
    )
    .await;
    assert_eq!(buy(&sim, MAIN, &[("AreaCode", "416")]).await.code(), 21_452);
    assert_eq!(
        buy(&sim, MAIN, &[("PhoneNumber", "+14165550100")])
            .await
            .code(),
        21_422
    );
    assert!(offers(&sim, "CA/Local", "?AreaCode=416").await.is_empty());
    control(&sim, "POST", "/_sim/inventory", &json!({"sold_out": []})).await;
    assert!(!offers(&sim, "CA/Local", "?AreaCode=416").await.is_empty());
}

#[tokio::test]
async fn searches_are_filtered_by_pattern_and_place() {
    let sim = Sim::new(config());
    let localities = |found: &[Value]| -> BTreeSet<String> {
        found
            .iter()
            .map(|offer| offer["locality"].as_str().unwrap().to_owned())
            .collect()
    };
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    for (query, expected) in [
        ("InRegion=WA", set(&["Seattle"])),
        ("InRegion=wa", set(&["Seattle"])),
        ("InRegion=%2B12065550100", set(&["Seattle"])),
        ("InPostalCode=10001", set(&["New York"])),
        ("InLocality=Boston", set(&["Boston"])),
        ("InLata=722", set(&["San Francisco", "Oakland", "San Jose"])),
        ("InLata=722&InRateCenter=OAKLAND", set(&["Oakland"])),
        (
            "NearNumber=%2B14155550100",
            set(&["San Francisco", "Oakland"]),
        ),
        (
            "NearNumber=%2B14155550100&Distance=60",
            set(&["San Francisco", "Oakland", "San Jose"]),
        ),
        ("NearLatLong=40.7,-74.0", set(&["New York"])),
        ("Contains=%2B1312", set(&["Chicago"])),
        ("AreaCode=808", set(&["Honolulu"])),
        ("InRegion=ZZ", set(&[])),
        ("NearNumber=%2B442079460000", set(&[])),
        ("AreaCode=808&InRegion=NY", set(&[])),
    ] {
        let found = offers(&sim, "US/Local", &format!("?{query}")).await;
        assert_eq!(localities(&found), expected, "{query}");
    }
    for offer in offers(&sim, "US/Local", "?Contains=%2B1415*******").await {
        assert!(offer["phone_number"].as_str().unwrap().starts_with("+1415"));
    }
    for offer in offers(&sim, "GB/Mobile", "?Contains=7%257$").await {
        assert!(offer["phone_number"].as_str().unwrap().ends_with('7'));
    }
    for (query, code) in [
        ("AreaCode=1", 21_451),
        ("Contains=5", 20_001),
        ("Contains=5-5", 20_001),
        ("Distance=501&NearNumber=%2B14155550100", 20_001),
        ("NearLatLong=north", 20_001),
        ("InRateCenter=OAKLAND", 20_001),
        ("SmsEnabled=maybe", 20_001),
    ] {
        let refused = get(&sim, &format!("{}?{query}", path("US/Local"))).await;
        assert_eq!(refused.code(), code, "{query}");
    }
}

#[tokio::test]
async fn searches_are_filtered_by_capability_requirement_and_novelty() {
    let sim = Sim::new(config());
    for (country, query, found) in [
        (
            "US/Local",
            "SmsEnabled=true&MmsEnabled=true&VoiceEnabled=true",
            true,
        ),
        ("GB/Local", "SmsEnabled=true", false),
        ("GB/Local", "SmsEnabled=false", true),
        ("FR/MachineToMachine", "VoiceEnabled=true", false),
        ("US/Local", "FaxEnabled=true", false),
        ("DE/Local", "ExcludeAllAddressRequired=true", false),
        ("DE/Local", "ExcludeAllAddressRequired=false", true),
        ("DE/Local", "ExcludeLocalAddressRequired=true", false),
        ("DE/Local", "ExcludeForeignAddressRequired=true", true),
        ("IN/Local", "ExcludeForeignAddressRequired=true", false),
        ("AU/Local", "ExcludeLocalAddressRequired=true", true),
        ("BR/Local", "Beta=false", false),
        ("BR/Local", "Beta=true", true),
        ("BR/Local", "", true),
    ] {
        let offers = offers(&sim, country, &format!("?{query}")).await;
        assert_eq!(!offers.is_empty(), found, "{country} {query}");
    }
}

#[tokio::test]
async fn an_offer_tells_place_requirement_and_capabilities() {
    let sim = Sim::new(config());
    let american = &offers(&sim, "US/Local", "?AreaCode=415").await[0];
    let mut shown = american.clone();
    for name in ["phone_number", "friendly_name"] {
        shown.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(
        shown,
        json!({
            "lata": "722", "locality": "San Francisco", "rate_center": "SNFC CNTRL", "region": "CA",
            "postal_code": "94103", "latitude": 37.7749, "longitude": -122.4194, "iso_country": "US",
            "address_requirements": "none", "beta": false,
            "capabilities": {"voice": true, "sms": true, "mms": true, "fax": false}
        })
    );
    let number = american["phone_number"].as_str().unwrap();
    assert_eq!(
        american["friendly_name"],
        format!("({}) {}-{}", &number[2..5], &number[5..8], &number[8..])
    );
    let german = &offers(&sim, "DE/Local", "?InLocality=Berlin").await[0];
    assert_eq!(german["address_requirements"], "local");
    assert_eq!(german["friendly_name"], german["phone_number"]);
    assert_eq!(
        (&german["region"], &german["latitude"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn a_flag_sells_only_what_a_search_shows() {
    let sim = Sim::new(SimConfig {
        quirks: Quirks {
            inventory_only: true,
            ..Quirks::none()
        },
        ..config()
    });
    assert_eq!(
        buy(&sim, MAIN, &[("PhoneNumber", "+14155550100")])
            .await
            .code(),
        21_422
    );
    let found = offers(&sim, "US/TollFree", "").await;
    let number = found[0]["phone_number"].as_str().unwrap();
    assert_eq!(
        buy(&sim, MAIN, &[("PhoneNumber", number)]).await.status,
        201
    );
}
