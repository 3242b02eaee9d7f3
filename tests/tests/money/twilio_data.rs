//! What Twilio's rows may say: rows P8 to P12 of the catalogue. Nothing is guessed.

use jiff::SignedDuration;
use serde_json::json;
use twilio_sim::FaultAction;

use super::support::*;

#[tokio::test]
async fn p8_a_day_without_prices_is_held_and_told_once_and_booked_when_they_come() {
    let (world, tenant) = used("2.5").await;
    strike(&world, 0, FaultAction::PriceNull);
    for _ in 0..3 {
        world.pull(&tenant).await;
        world.pass(SignedDuration::from_mins(1)).await;
    }
    let held = books(&world, &tenant).await;
    assert_eq!(held.cost(), decimal("0"));
    assert_eq!(
        sheets(&world, &tenant).await[0].held.as_deref(),
        Some("unpriced")
    );
    let told = events(&world, &tenant, "usage.held");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["data"]["day"], json!(today(&world).to_string()));
    world.stack.sim.clear_faults();
    // Nobody has to ask: the run comes again by itself.
    world.pass(SignedDuration::from_mins(71)).await;
    exact_books(&world, &tenant).await;
    assert_eq!(sheets(&world, &tenant).await[0].held, None);
    assert_eq!(events(&world, &tenant, "usage.held").len(), 1);
}

#[tokio::test]
async fn p10_an_older_reading_that_arrives_after_a_newer_one_is_ignored() {
    let (world, tenant) = used("1").await;
    let functions = &world.stack.functions;
    let event = sqs_event(&[command(&tenant)]);
    let mut older = Box::pin(functions.invoke("usage-puller", event.clone()));
    // Twilio has answered, and the answer is on its way.
    while usage_requests(&world, &tenant) == 0 {
        assert!(futures::poll!(&mut older).is_pending());
        tokio::task::yield_now().await;
    }
    world
        .stack
        .clock
        .advance_to(world.stack.clock.now() + SignedDuration::from_mins(10));
    world.use_today(&tenant, SMS, "7");
    functions.invoke("usage-puller", event).await.unwrap();
    assert_eq!(exact_books(&world, &tenant).await.cost(), decimal("7"));
    assert_eq!(older.await.unwrap()["batchItemFailures"], json!([]));
    assert_eq!(exact_books(&world, &tenant).await.cost(), decimal("7"));
}

#[tokio::test]
async fn p11_a_price_is_kept_exactly_or_refused() {
    let (world, tenant) = used("1").await;
    let day = today(&world);
    let serve = |price: serde_json::Value| {
        let rows = [
            (day, "totalprice", price.clone()),
            (day, "sms-outbound", price),
        ];
        strike(&world, 1, status(200, Some(page(&tenant, &rows))));
    };
    let kept = [
        (json!("0.0075"), "0.0075"),
        (json!("-0.0075"), "-0.0075"),
        (json!("1e-7"), "0.0000001"),
        (json!("123456.78901"), "123456.78901"),
    ];
    for (price, cost) in kept {
        serve(price);
        world.pull(&tenant).await;
        assert_eq!(books(&world, &tenant).await.cost(), decimal(cost));
    }
    // A raw number, as some rows have it.
    let raw = page(
        &tenant,
        &[
            (day, "totalprice", json!("@")),
            (day, "sms-outbound", json!("@")),
        ],
    )
    .replace("\"@\"", "0.30000000");
    strike(&world, 1, status(200, Some(raw)));
    world.pull(&tenant).await;
    assert_eq!(books(&world, &tenant).await.cost(), decimal("0.3"));
    let before = books(&world, &tenant).await;
    for price in [
        "NaN",
        "1_000",
        "0x10",
        "Infinity",
        "1.2.3",
        "0.1234567890123456789012345678901234567890",
        "9999999999999999999999999999999999999999",
        "10000000000",
        "0.00000000001",
    ] {
        world.stack.sim.clear_faults();
        let rows = [
            (day, "totalprice", json!(price)),
            (day, "sms-outbound", json!(price)),
        ];
        strike(&world, 0, status(200, Some(page(&tenant, &rows))));
        world.pull(&tenant).await;
        let after = books(&world, &tenant).await;
        assert_eq!(
            (after.balance(), after.seq),
            (before.balance(), before.seq),
            "{price}"
        );
    }
    world.stack.sim.clear_faults();
    world.pass(REDELIVERY).await;
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn p12_prices_in_another_currency_are_held_apart() {
    let (world, tenant) = used("2").await;
    strike(
        &world,
        2,
        FaultAction::PriceUnit {
            unit: "eur".to_owned(),
        },
    );
    world.pull(&tenant).await;
    world.pull(&tenant).await;
    let wallet = books(&world, &tenant).await;
    assert_eq!(
        (wallet.cost(), wallet.balance()),
        (decimal("0"), decimal("100"))
    );
    assert_eq!(
        sheets(&world, &tenant).await[0].held.as_deref(),
        Some("other_currency")
    );
    assert_eq!(events(&world, &tenant, "usage.held").len(), 1);
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
}
