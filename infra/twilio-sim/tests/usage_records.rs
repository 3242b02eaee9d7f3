//! What usage lists say where Twilio is awkward: overlap, ranges, subresources, accounts without records.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use common::usage::{decimal, price, rows, set, sim_with};
use common::{API, MAIN, control, get, pass, subaccount};
use domain::Decimal;
use domain::money::parse_decimal;
use serde_json::json;
use twilio_sim::Quirks;

/// Rollups and what Twilio says they contain.
const ROLLUPS: [(&str, &[&str]); 17] = [
    ("calls", &["calls-inbound", "calls-outbound"]),
    (
        "calls-inbound",
        &[
            "calls-inbound-local",
            "calls-inbound-mobile",
            "calls-inbound-tollfree",
        ],
    ),
    ("calls-sip", &["calls-sip-inbound", "calls-sip-outbound"]),
    ("recordings", &["calls-recordings", "trunking-recordings"]),
    ("sms", &["sms-inbound", "sms-outbound"]),
    (
        "sms-inbound",
        &[
            "sms-inbound-longcode",
            "sms-inbound-shortcode",
            "sms-inbound-tollfree",
        ],
    ),
    (
        "sms-outbound",
        &[
            "sms-outbound-longcode",
            "sms-outbound-shortcode",
            "sms-outbound-tollfree",
        ],
    ),
    ("mms", &["mms-inbound", "mms-outbound"]),
    (
        "mms-inbound",
        &[
            "mms-inbound-longcode",
            "mms-inbound-shortcode",
            "mms-inbound-toll-free",
        ],
    ),
    (
        "mms-outbound",
        &[
            "mms-outbound-longcode",
            "mms-outbound-shortcode",
            "mms-outbound-tollfree",
        ],
    ),
    (
        "phonenumbers",
        &[
            "phonenumbers-local",
            "phonenumbers-mobile",
            "phonenumbers-tollfree",
        ],
    ),
    (
        "shortcodes",
        &[
            "shortcodes-customerowned",
            "shortcodes-random",
            "shortcodes-uk",
            "shortcodes-vanity",
        ],
    ),
    (
        "lookups",
        &[
            "carrier-lookups",
            "calleridlookups",
            "number-format-lookups",
            "call-forwarding-lookups",
            "sim-swap-lookups",
            "live-activity-lookups",
            "enhanced-line-type-lookups",
        ],
    ),
    (
        "trunking-origination",
        &[
            "trunking-origination-local",
            "trunking-origination-mobile",
            "trunking-origination-tollfree",
        ],
    ),
    (
        "pstnconnectivity",
        &["pstnconnectivity-inbound", "pstnconnectivity-outbound"],
    ),
    (
        "programmablevoiceconnectivity",
        &[
            "pstnconnectivity",
            "programmablevoiceconn-sip",
            "programmablevoiceconn-clientsdk",
        ],
    ),
    (
        "voice-intelligence",
        &[
            "voice-intelligence-transcription",
            "voice-intelligence-operators",
        ],
    ),
];
/// What no rollup but the total contains, however its name begins.
const ALONE: [&str; 9] = [
    "calls-client",
    "sms-messages-carrierfees",
    "mms-messages-carrierfees",
    "phonenumbers-setups",
    "phonenumbers-cps",
    "shortcodes-mps",
    "trunking-termination",
    "failed-message-processing-fee",
    "brand-new-thing",
];
const VIDEO: [&str; 4] = [
    "pv-rooms",
    "group-rooms-media-stored",
    "turnmegabytes-germany",
    "video-recordings",
];

#[tokio::test]
async fn every_rollup_is_the_sum_of_its_documented_parts_and_of_nothing_else() {
    let sim = sim_with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let is_rollup = |name: &str| ROLLUPS.iter().any(|(rollup, _)| *rollup == name);
    let parts = ROLLUPS.iter().flat_map(|(_, parts)| parts.iter().copied());
    let leaves: Vec<&str> = parts
        .filter(|name| !is_rollup(name))
        .chain(ALONE)
        .chain(VIDEO)
        .collect();
    for (at, leaf) in leaves.iter().enumerate() {
        set(&sim, &sid, "2026-03-01", leaf, &(at * at + 1).to_string()).await;
    }
    let prices: BTreeMap<String, Decimal> = rows(&sim, &sid, ".json?PageSize=1000")
        .await
        .iter()
        .map(|row| {
            (
                row["category"].as_str().unwrap().to_owned(),
                decimal(&row["price"]),
            )
        })
        .collect();
    for (rollup, parts) in ROLLUPS {
        let sum: Decimal = parts.iter().map(|part| prices[*part]).sum();
        assert_eq!(prices[rollup], sum, "{rollup}");
    }
    let video: Decimal = VIDEO.iter().map(|part| prices[*part]).sum();
    assert_eq!(prices["pv"], video);
    let all: Decimal = leaves.iter().map(|leaf| prices[*leaf]).sum();
    assert_eq!(prices["totalprice"], all);
    let nested = json!({"unclear_inside_rollups": true});
    control(&sim, "POST", "/_sim/quirks", &nested).await;
    let unclear = price(&sim, &sid, ".json?Category=phonenumbers").await;
    let more = prices["phonenumbers-setups"] + prices["phonenumbers-cps"];
    assert_eq!(unclear, prices["phonenumbers"] + more);
    assert_eq!(price(&sim, &sid, ".json?Category=totalprice").await, all);
}

#[tokio::test]
async fn a_range_that_ends_before_it_begins_and_an_unknown_category_have_no_rows_or_are_refused() {
    let sim = sim_with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    pass(&sim, 3 * 86_400).await;
    let odd = [
        "/Daily.json?StartDate=2026-03-03&EndDate=2026-03-01",
        ".json?StartDate=%2B1day",
        ".json?Category=no-such-thing",
    ];
    for path in odd {
        assert!(rows(&sim, &sid, path).await.is_empty(), "{path}");
    }
    let refused = json!({"reversed_range_refused": true, "unknown_category_refused": true});
    control(&sim, "POST", "/_sim/quirks", &refused).await;
    for path in odd {
        let answer = get(&sim, &format!("/Accounts/{sid}/Usage/Records{path}")).await;
        assert_eq!((answer.status, answer.code()), (400, 20_001), "{path}");
    }
    for path in [
        ".json?EndDate=soon",
        "/Today.json?StartDate=2026-02-30",
        ".json?IncludeSubaccounts=no",
    ] {
        let answer = get(&sim, &format!("/Accounts/{sid}/Usage/Records{path}")).await;
        assert_eq!((answer.status, answer.code()), (400, 20_001), "{path}");
    }
    let relative = rows(
        &sim,
        &sid,
        "/Daily.json?Category=sms&StartDate=-30days&EndDate=%2B1day",
    )
    .await;
    assert_eq!(relative.len(), 31);
    assert_eq!(relative[0]["start_date"], "2026-03-04");
    let yearly = rows(&sim, &sid, "/Yearly.json?Category=sms&StartDate=2025-06-01").await;
    let dates: Vec<_> = yearly
        .iter()
        .map(|row| (&row["start_date"], &row["end_date"]))
        .collect();
    assert_eq!(
        dates,
        [
            (&json!("2026-01-01"), &json!("2026-03-04")),
            (&json!("2025-06-01"), &json!("2025-12-31")),
        ]
    );
}

#[tokio::test]
async fn subresources_may_ignore_that_subaccounts_are_not_wanted() {
    let sim = sim_with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    set(&sim, &sid, "2026-03-01", "carrier-lookups", "3").await;
    let path = |span: &str| format!("{span}.json?Category=totalprice&IncludeSubaccounts=false");
    for span in ["", "/Daily", "/Today", "/ThisMonth", "/AllTime"] {
        assert!(price(&sim, MAIN, &path(span)).await.is_zero(), "{span}");
    }
    let ignored = json!({"include_subaccounts_ignored_on_subresources": true});
    control(&sim, "POST", "/_sim/quirks", &ignored).await;
    for (span, expected) in [
        ("", "0"),
        ("/Daily", "0"),
        ("/Today", "3"),
        ("/ThisMonth", "3"),
        ("/AllTime", "3"),
    ] {
        assert_eq!(
            price(&sim, MAIN, &path(span)).await,
            parse_decimal(expected).unwrap(),
            "{span}"
        );
    }
}

#[tokio::test]
async fn the_records_of_chosen_accounts_are_not_found_while_those_of_last_month_are() {
    let sim = sim_with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let (other, _) = subaccount(&sim, "Other").await;
    let quirk = json!({"usage_not_found": [sid]});
    control(&sim, "POST", "/_sim/quirks", &quirk).await;
    for span in ["", "/Daily", "/Monthly"] {
        let answer = get(&sim, &format!("/Accounts/{sid}/Usage/Records{span}.json")).await;
        assert_eq!((answer.status, answer.code()), (404, 20_404));
        let message = format!(
            "The requested resource {API}/Accounts/{sid}/Usage/Records{span}.json was not found"
        );
        assert_eq!(answer.str("message"), message);
        rows(&sim, &other, &format!("{span}.json")).await;
    }
    rows(&sim, &sid, "/LastMonth.json").await;
}

#[tokio::test]
async fn a_flex_project_s_calls_are_in_categories_of_their_own() {
    let sim = sim_with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    let quirk = json!({"flex_accounts": [sid]});
    control(&sim, "POST", "/_sim/quirks", &quirk).await;
    let number = control(&sim, "POST", "/_sim/numbers", &json!({"account_sid": sid})).await;
    assert_eq!(number.status, 200, "{}", number.body);
    for direction in ["inbound", "outbound-api"] {
        let call = json!({"account_sid": sid, "direction": direction, "duration_s": 50});
        assert_eq!(
            control(&sim, "POST", "/_sim/calls", &call).await.status,
            200
        );
    }
    pass(&sim, 6 * 3600).await;
    let of = async |category: &str| price(&sim, &sid, &format!(".json?Category={category}")).await;
    assert!(of("calls").await.is_zero());
    let (inbound, outbound) = (
        of("pstnconnectivity-inbound").await,
        of("pstnconnectivity-outbound").await,
    );
    assert!(!inbound.is_zero() && !outbound.is_zero());
    assert_eq!(
        of("programmablevoiceconnectivity").await,
        inbound + outbound
    );
}
