//! What usage lists say where Twilio is awkward: overlap, ranges, freshness, lateness, rows that move.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use common::{API, MAIN, config, control, get, pass, subaccount};
use domain::Decimal;
use domain::money::parse_decimal;
use jiff::Timestamp;
use serde_json::{Value, json};
use twilio_sim::{Quirks, Sim, SimConfig, TrafficProfile};

fn decimal(value: &Value) -> Decimal {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    parse_decimal(&text).unwrap()
}

fn sim_with(quirks: Quirks) -> Sim {
    Sim::new(SimConfig { quirks, ..config() })
}

/// The rows of one page below an account's usage.
async fn rows(sim: &Sim, sid: &str, path: &str) -> Vec<Value> {
    let page = get(sim, &format!("/Accounts/{sid}/Usage/Records{path}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.body["usage_records"].as_array().unwrap().clone()
}

async fn price(sim: &Sim, sid: &str, path: &str) -> Decimal {
    decimal(&rows(sim, sid, path).await[0]["price"])
}

async fn set(sim: &Sim, sid: &str, day: &str, category: &str, price: &str) {
    let body = json!({"account_sid": sid, "day": day, "category": category, "price": price, "count": 2, "usage": "2"});
    assert_eq!(control(sim, "POST", "/_sim/usage", &body).await.status, 204);
}

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
async fn as_of_lags_in_each_category_s_turn_and_never_goes_back() {
    let sim = sim_with(Quirks {
        as_of_lag_ms: [600_000, 900_000],
        ..Quirks::none()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let mut known: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut moved = 0;
    for _ in 0..40 {
        pass(&sim, 120).await;
        let now = sim.clock().now();
        for row in rows(&sim, &sid, ".json?PageSize=1000").await {
            let as_of: Timestamp = row["as_of"].as_str().unwrap().parse().unwrap();
            assert!(
                as_of <= now && now.duration_since(as_of).as_secs() <= 900,
                "{as_of} {now}"
            );
            let before = known.insert(row["category"].as_str().unwrap().to_owned(), as_of);
            assert!(before.is_none_or(|before| before <= as_of));
            moved += usize::from(before.is_some_and(|before| before < as_of));
        }
    }
    assert!(moved > 100 && moved < known.len() * 39, "{moved}");
    let distinct: std::collections::BTreeSet<_> = known.values().collect();
    assert!(distinct.len() > 10, "categories have turns of their own");
}

#[tokio::test]
async fn a_replica_that_is_behind_says_so_and_shows_older_numbers() {
    let sim = sim_with(Quirks {
        as_of_disorder_per_mille: 300,
        ..Quirks::none()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let mut written: BTreeMap<Timestamp, u32> = BTreeMap::new();
    let (mut latest, mut back) = (Timestamp::MIN, 0);
    for step in 1..=60_u32 {
        set(
            &sim,
            &sid,
            "2026-03-01",
            "carrier-lookups",
            &step.to_string(),
        )
        .await;
        written.insert(sim.clock().now(), step);
        pass(&sim, 120).await;
        for (whose, path) in [
            (sid.as_str(), ".json?Category=lookups"),
            (MAIN, ".json?Category=totalprice"),
        ] {
            let row = &rows(&sim, whose, path).await[0];
            let as_of: Timestamp = row["as_of"].as_str().unwrap().parse().unwrap();
            let end = as_of + std::time::Duration::from_secs(1);
            let known = written
                .range(..end)
                .next_back()
                .map_or(0, |(_, step)| *step);
            assert_eq!(decimal(&row["price"]), Decimal::from(known));
            back += usize::from(as_of < latest);
            latest = latest.max(as_of);
        }
    }
    assert!(back > 20, "{back} of 120 readings were behind");
}

#[tokio::test]
async fn some_usage_shows_days_late_and_nothing_else_changes() {
    let total = async |late_per_mille| {
        let sim = sim_with(Quirks {
            late_usage_per_mille: late_per_mille,
            ..Quirks::none()
        });
        let (sid, _) = subaccount(&sim, "Acme").await;
        let profile = TrafficProfile {
            messages_per_day: 80,
            ..TrafficProfile::default()
        };
        sim.start_traffic(&sid, profile).unwrap();
        pass(&sim, 86_400).await;
        sim.stop_traffic(&sid).unwrap();
        pass(&sim, 86_400).await;
        let early = sim.usage_price(&sid).unwrap();
        pass(&sim, 5 * 86_400).await;
        (
            parse_decimal(&early).unwrap(),
            parse_decimal(&sim.usage_price(&sid).unwrap()).unwrap(),
        )
    };
    let (early, last) = total(0).await;
    assert_eq!(early, last);
    let (early, late_last) = total(200).await;
    assert!(early < late_last);
    assert_eq!(late_last, last);
}

#[tokio::test]
async fn records_are_revised_up_down_to_nothing_and_several_times() {
    let sim = sim_with(Quirks {
        revision_per_mille: 1000,
        revision_again_per_mille: 700,
        ..Quirks::none()
    });
    let (sid, _) = subaccount(&sim, "Acme").await;
    let profile = TrafficProfile {
        messages_per_day: 200,
        calls_per_day: 100,
        ..TrafficProfile::default()
    };
    sim.start_traffic(&sid, profile).unwrap();
    pass(&sim, 3 * 86_400).await;
    sim.stop_traffic(&sid).unwrap();
    pass(&sim, 4 * 3600).await;
    let (mut ups, mut downs, mut gone) = (0, 0, 0);
    let mut changes: BTreeMap<(String, String), (Decimal, usize)> = BTreeMap::new();
    for _ in 0..200 {
        pass(&sim, 7200).await;
        for row in rows(&sim, &sid, "/Daily.json?PageSize=1000&EndDate=2026-03-03").await {
            let price = decimal(&row["price"]);
            let name = |key: &str| row[key].as_str().unwrap().to_owned();
            let (known, times) = changes
                .entry((name("start_date"), name("category")))
                .or_insert((price, 0));
            *times += usize::from(*known != price);
            ups += usize::from(*known < price);
            downs += usize::from(*known > price && !price.is_zero());
            gone += usize::from(*known > price && price.is_zero());
            *known = price;
        }
    }
    assert!(ups > 5 && downs > 5 && gone > 0, "{ups} {downs} {gone}");
    assert!(changes.values().any(|(_, times)| *times >= 3));
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

/// Reads a list page by page; something happens after the first page.
async fn walk(sim: &Sim, sid: &str, meanwhile: impl AsyncFnOnce()) -> Vec<(String, String)> {
    let mut path = format!("/Accounts/{sid}/Usage/Records/Daily.json?PageSize=50");
    let mut meanwhile = Some(meanwhile);
    let mut seen = Vec::new();
    loop {
        let page = get(sim, &path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for row in page.body["usage_records"].as_array().unwrap() {
            let name = |key: &str| row[key].as_str().unwrap().to_owned();
            seen.push((name("start_date"), name("category")));
        }
        let Some(next) = page.body["next_page_uri"].as_str() else {
            return seen;
        };
        path = next.strip_prefix(API).unwrap().to_owned();
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile().await;
        }
    }
}

#[tokio::test]
async fn rows_that_come_between_two_pages_shift_the_others_only_if_asked() {
    for shifts in [false, true] {
        let sim = sim_with(Quirks {
            usage_rows_shift: shifts,
            ..Quirks::none()
        });
        let (sid, _) = subaccount(&sim, "Acme").await;
        pass(&sim, 2 * 86_400 + 80_000).await;
        let before = walk(&sim, &sid, async || ()).await;
        // A new day begins, and a category that was never seen appears.
        let after = walk(&sim, &sid, async || {
            set(&sim, &sid, "2026-03-02", "brand-new-thing", "1").await;
            pass(&sim, 10_000).await;
        })
        .await;
        let distinct: std::collections::BTreeSet<_> = after.iter().collect();
        let missed = before.iter().filter(|row| !distinct.contains(row)).count();
        let twice = after.len() - distinct.len();
        assert_eq!(twice > 0, shifts, "{twice}");
        assert_eq!(missed, 0);
    }
    let sim = sim_with(Quirks::none());
    let (sid, _) = subaccount(&sim, "Acme").await;
    for token in ["APeA==", "AP%21", "PAnonsense", "APMjAyNi0wMy0wMTp4"] {
        let path = format!("/Accounts/{sid}/Usage/Records.json?Page=1&PageToken={token}");
        assert_eq!(get(&sim, &path).await.code(), 21_481, "{token}");
    }
}
