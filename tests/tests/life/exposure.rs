//! What a tenant has probably spent that no pull has seen.

use jiff::SignedDuration;
use serde_json::json;
use tests::World;

use super::support::path;

#[tokio::test]
async fn calls_since_the_last_pull_and_live_ones_are_estimated_by_the_tenants_own_average() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "500").await;
    world
        .simulate("/numbers", &json!({ "account_sid": tenant.account_sid }))
        .await;
    let call = |seconds: u32| json!({ "account_sid": tenant.account_sid, "to": "+14155550123", "duration_s": seconds, "outcome": "completed" });
    let unknown = world.get(&path(&tenant, "/exposure")).await;
    assert_eq!(unknown.status, 200, "{unknown:?}");
    assert_eq!(
        (&unknown.body["estimate"], &unknown.body["is_complete"]),
        (&json!("0"), &json!(true))
    );

    // Without a past there is nothing to judge by, which is said.
    world.simulate("/calls", &call(600)).await;
    world.pass(SignedDuration::from_mins(2)).await;
    let live = world.get(&path(&tenant, "/exposure")).await;
    assert_eq!(live.body["live"][0]["count"], 1, "{live:?}");
    assert_eq!(live.body["is_complete"], false);

    // A day later its calls are booked, and a minute has its average charge.
    world.pass(SignedDuration::from_hours(30)).await;
    world.pull(&tenant).await;
    world.simulate("/calls", &call(150)).await;
    world.pass(SignedDuration::from_mins(5)).await;
    world.simulate("/calls", &call(3_600)).await;
    world.pass(SignedDuration::from_mins(3)).await;
    let shown = world.get(&path(&tenant, "/exposure")).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let category = shown.text("/live/0/category");
    assert_eq!(category, "calls-outbound");
    assert_eq!(shown.body["recent"][0]["units"], 3, "{shown:?}");
    assert_eq!(shown.body["is_complete"], true, "{shown:?}");
    let amount = |pointer: &str| -> domain::Decimal { shown.text(pointer).parse().unwrap() };
    let parts = amount("/recent/0/estimate") + amount("/live/0/estimate");
    assert!(parts > domain::Decimal::ZERO);
    assert_eq!(amount("/estimate"), parts);
    let rest = amount("/balance") - parts;
    assert_eq!(amount("/balance_less_estimate"), rest);
}

#[tokio::test]
async fn nobody_elses_calls_are_in_it() {
    let world = World::start().await;
    let (one, two) = (
        world.tenant("One", "50").await,
        world.tenant("Two", "50").await,
    );
    world.call(&one, 3_600).await;
    let shown = world.get(&path(&two, "/exposure")).await;
    assert_eq!(shown.body["live"], json!([]), "{shown:?}");
    assert_eq!(shown.body["recent"], json!([]));
}
