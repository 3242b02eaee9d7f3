//! Twilio's total against the ledger's, and subaccounts that nobody owns.

use serde_json::{Value, json};
use tests::World;

const DAY: &str = "/v1/reconciliation?from=2026-03-01&to=2026-03-01";

fn row<'a>(answer: &'a tests::Answer, category: &str) -> &'a Value {
    let rows = answer.body["by_category"].as_array().expect("rows");
    rows.iter()
        .find(|row| row["category"] == category)
        .unwrap_or_else(|| panic!("no {category} in {answer:?}"))
}

#[tokio::test]
async fn a_record_revised_without_a_pull_is_exactly_the_difference_and_none_after_it() {
    let world = World::start().await;
    let (a, b) = (world.tenant("A", "50").await, world.tenant("B", "50").await);
    for tenant in [&a, &b] {
        world.use_today(tenant, "sms-outbound-longcode", "2.5");
        world.use_today(tenant, "amazon-polly", "1.00005");
        world.use_today(tenant, "carrier-pigeons", "0.25");
        world.pull(tenant).await;
    }
    // The main account's own use is nobody's charge.
    let main = world.stack.main_credentials().0;
    let usage = json!({
        "account_sid": main, "day": "2026-03-01", "category": "amazon-polly", "price": "9.75",
    });
    world.simulate("/usage", &usage).await;
    let even = world.get(DAY).await;
    assert_eq!(even.text("/difference"), "0", "{even:?}");
    assert_eq!(even.text("/twilio_total"), "17.2501");
    assert_eq!(even.text("/main_account_own"), "9.75");
    assert_eq!(even.text("/ledger_cost_total"), "7.5001");
    for (revised, difference) in [("2.7501", "0.2501"), ("1", "-1.5"), ("0", "-2.5")] {
        world.use_today(&a, "sms-outbound-longcode", revised);
        let found = world.get(DAY).await;
        assert_eq!(found.text("/difference"), difference, "{found:?}");
        for category in found.body["by_category"].as_array().unwrap() {
            let expected = if category["category"] == "sms-outbound" {
                difference
            } else {
                "0"
            };
            assert_eq!(category["difference"], expected, "{category}");
        }
        assert_eq!(row(&found, "sms-outbound")["ledger"], "5");
        world.use_today(&a, "sms-outbound-longcode", "2.5");
    }
    world.use_today(&a, "sms-outbound-longcode", "2.7501");
    world.pull(&a).await;
    let even = world.get(DAY).await;
    assert_eq!(even.text("/difference"), "0", "{even:?}");
    assert_eq!(row(&even, "sms-outbound")["ledger"], "5.2501");
    assert_eq!(even.body["held_days_count"], 0);
    for (query, code) in [
        ("", "invalid_range"),
        ("?from=2026-03-02&to=2026-03-01", "invalid_range"),
        ("?from=x&to=2026-03-01", "invalid_range"),
        ("?from=2026-03-01&to=2026-03-01&by=day", "query_invalid"),
    ] {
        let answer = world.get(&format!("/v1/reconciliation{query}")).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{query}");
    }
}

#[tokio::test]
async fn usage_of_an_unowned_subaccount_is_a_difference_and_the_subaccount_is_named() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    let none = world.get("/v1/subaccounts/unowned").await;
    assert_eq!(none.body, json!({ "subaccounts": [] }));
    let stray = world.make_subaccount("made by hand").await;
    let gone = world.make_subaccount("closed by hand").await;
    let (sid, token) = world.stack.main_credentials();
    let path = format!("/2010-04-01/Accounts/{gone}.json");
    let closed = [("Status", "closed")];
    let closed = world
        .twilio((&sid, &token), reqwest::Method::POST, &path, &closed)
        .await;
    assert_eq!(closed.status, 200, "{closed:?}");
    let usage = json!({
        "account_sid": stray, "day": "2026-03-01", "category": "amazon-polly", "price": "1.5",
    });
    world.simulate("/usage", &usage).await;
    let found = world.get("/v1/subaccounts/unowned").await;
    let listed = found.body["subaccounts"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "{found:?}");
    assert_eq!(found.text("/subaccounts/0/account_sid"), stray);
    assert_eq!(found.text("/subaccounts/0/friendly_name"), "made by hand");
    assert!(!found.body.to_string().contains(&tenant.account_sid));
    assert_eq!(world.get(DAY).await.text("/difference"), "1.5");
}
