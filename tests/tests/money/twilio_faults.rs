//! Answers of Twilio that are no answers: rows P1 to P7 of the catalogue. Nothing is booked twice or lost.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use runtime::Environment;
use serde_json::json;
use tests::{Tenant, World};
use twilio_sim::{FaultAction, Quirks, SimConfig};

use super::support::*;

/// Twilio lists every category it ever had, so that a run reads several pages.
async fn many_pages() -> (World, Tenant) {
    let sim = SimConfig {
        quirks: Quirks::none(),
        all_categories: true,
        ..SimConfig::default()
    };
    let world = World::with(sim).await;
    let tenant = world.tenant("Acme", "100").await;
    world.pass(SignedDuration::from_hours(72)).await;
    world.use_today(&tenant, SMS, "1.23456");
    world.use_today(&tenant, "tts-google", "2");
    (world, tenant)
}

/// Under this fault the puller writes nothing; when it is over, the message comes again and books.
async fn writes_nothing_until_it_is_over(world: &World, tenant: &Tenant, action: FaultAction) {
    let earlier = books(world, tenant).await;
    strike(world, 0, action);
    let before = world.stack.aws.counters();
    world.pull(tenant).await;
    assert_eq!(spent(world, &before, PULLER).write_halves, 0);
    assert_eq!(books(world, tenant).await, earlier);
    world.stack.sim.clear_faults();
    world.pass(REDELIVERY).await;
    exact_books(world, tenant).await;
    assert_eq!(dead_pulls(world), 0);
}

/// Under this fault, so often, the same run still books.
async fn books_all_the_same(world: &World, tenant: &Tenant, count: u64, action: FaultAction) {
    strike(world, count, action);
    world.pull(tenant).await;
    world.stack.sim.clear_faults();
    exact_books(world, tenant).await;
}

#[tokio::test]
async fn p1_too_many_requests_are_waited_out_or_left_for_the_next_run() {
    let (world, tenant) = used("1").await;
    for (price, count, retry_after) in [("1", 1, None), ("2", 3, None), ("3", 2, Some("2"))] {
        world.use_today(&tenant, SMS, price);
        let headers: BTreeMap<String, String> = retry_after
            .map(|wait: &str| ("Retry-After".to_owned(), wait.to_owned()))
            .into_iter()
            .collect();
        let action = FaultAction::Status {
            status: 429,
            code: Some(20429),
            body: None,
            headers,
            after_effect: false,
        };
        books_all_the_same(&world, &tenant, count, action).await;
    }
    world.use_today(&tenant, SMS, "4");
    writes_nothing_until_it_is_over(&world, &tenant, status(429, None)).await;
}

#[tokio::test]
async fn p2_a_server_error_is_asked_again() {
    let (world, tenant) = used("1").await;
    for (price, code) in [("1.1", 500), ("2.2", 502), ("3.3", 503), ("4.4", 504)] {
        world.use_today(&tenant, SMS, price);
        books_all_the_same(&world, &tenant, 2, status(code, None)).await;
    }
    world.use_today(&tenant, SMS, "5.5");
    writes_nothing_until_it_is_over(&world, &tenant, status(503, None)).await;
}

#[tokio::test]
async fn p3_a_lost_connection_is_asked_again() {
    let (world, tenant) = used("1").await;
    let actions = [
        FaultAction::Drop {
            after_effect: false,
        },
        FaultAction::Drop { after_effect: true },
        FaultAction::Reset { keep_bytes: 100 },
    ];
    for (price, action) in ["1.1", "2.2", "3.3"].into_iter().zip(actions.clone()) {
        world.use_today(&tenant, SMS, price);
        books_all_the_same(&world, &tenant, 2, action).await;
    }
    world.use_today(&tenant, SMS, "4.4");
    writes_nothing_until_it_is_over(&world, &tenant, FaultAction::Reset { keep_bytes: 100 }).await;
}

#[tokio::test]
async fn p3_a_twilio_that_nobody_reaches_leaves_the_message() {
    let (world, tenant) = used("1").await;
    // A port that was free a moment ago and that nothing listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for base in [
        format!("http://127.0.0.1:{port}"),
        "http://tollgate.invalid".to_owned(),
    ] {
        let environment = &world.stack.environment;
        let names = [
            "TOLLGATE_STAGE",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ENDPOINT_URL",
        ];
        let mut pairs: Vec<(String, String)> = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), environment.get(name)?.to_owned())))
            .collect();
        pairs.push(("TWILIO_API_BASE".to_owned(), base));
        let function = puller(&world, &world.stack.host, &Environment::from_pairs(pairs));
        let event = serde_json::from_value(sqs_event(&[command(&tenant)])).unwrap();
        let answer = function
            .handle(lambda_runtime::LambdaEvent::new(
                event,
                lambda_runtime::Context::default(),
            ))
            .await
            .unwrap();
        assert_eq!(answer.batch_item_failures.len(), 1);
    }
    assert_eq!(books(&world, &tenant).await.seq, 2);
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn p4_a_page_that_is_no_page_is_refused_whole() {
    let (world, tenant) = used("1").await;
    let actions = [
        FaultAction::Truncate { keep_bytes: 1500 },
        status(200, Some("<html>maintenance</html>".to_owned())),
        status(200, Some(String::new())),
        status(200, Some("{}".to_owned())),
        status(200, Some(r#"{"usage_records":[]}"#.to_owned())),
    ];
    for (price, action) in ["1.1", "2.2", "3.3", "4.4", "5.5"].into_iter().zip(actions) {
        world.use_today(&tenant, SMS, price);
        writes_nothing_until_it_is_over(&world, &tenant, action).await;
    }
}

#[tokio::test]
async fn p5_a_repeated_page_is_booked_once() {
    let (world, tenant) = many_pages().await;
    strike(&world, 1, FaultAction::RepeatPage);
    strike_at(&world, "*Usage/Records*Page=1*", 1, FaultAction::RepeatPage);
    world.pull(&tenant).await;
    world.pass(REDELIVERY).await;
    let wallet = exact_books(&world, &tenant).await;
    assert_eq!(wallet.cost(), decimal("3.23456"));
}

#[tokio::test]
async fn p5_a_row_on_two_pages_is_booked_once() {
    let (world, tenant) = used("1").await;
    let day = today(&world);
    let rows = [
        (day, "totalprice", json!("1")),
        (day, "sms-outbound", json!("1")),
        (day, "sms-outbound", json!("1")),
        (day, "totalprice", json!("1")),
    ];
    books_all_the_same(&world, &tenant, 1, status(200, Some(page(&tenant, &rows)))).await;
}

#[tokio::test]
async fn p6_a_row_that_a_page_shift_hid_is_found_by_the_next_run() {
    let (world, tenant) = used("1.5").await;
    let day = today(&world);
    // The leaf is missing: the total is right at once, the next run knows what it was for.
    books_all_the_same(
        &world,
        &tenant,
        1,
        status(
            200,
            Some(page(&tenant, &[(day, "totalprice", json!("1.5"))])),
        ),
    )
    .await;
    assert_eq!(
        line_of(&sheets(&world, &tenant).await[0], "other")
            .quantities
            .cost,
        decimal("1.5")
    );
    world.pass(SignedDuration::from_mins(71)).await;
    exact_books(&world, &tenant).await;
    assert_eq!(
        sheets(&world, &tenant).await[0]
            .lines
            .keys()
            .map(|key| key.category.as_str())
            .collect::<Vec<_>>(),
        ["sms-outbound"]
    );
    // A booked day that is missing as a whole says nothing.
    strike(&world, 1, status(200, Some(page(&tenant, &[]))));
    let before = books(&world, &tenant).await;
    world.pull(&tenant).await;
    assert_eq!(books(&world, &tenant).await, before);
    // The total is missing: the day waits.
    world.use_today(&tenant, SMS, "1.75");
    strike(
        &world,
        1,
        status(
            200,
            Some(page(&tenant, &[(day, "sms-outbound", json!("1.75"))])),
        ),
    );
    world.pull(&tenant).await;
    assert_eq!(
        sheets(&world, &tenant).await[0].held.as_deref(),
        Some("no_total")
    );
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
}

#[tokio::test]
async fn p7_a_link_in_a_circle_or_to_another_host_is_not_followed() {
    let (world, tenant) = used("1").await;
    for (price, uri) in [
        ("1.1", "self"),
        ("2.2", "https://evil.example.test/2010-04-01/Accounts/x"),
        ("3.3", "//evil.example.test/x"),
        (
            "4.4",
            "/2010-04-01/Accounts/AC00000000000000000000000000000001/Usage/Records.json",
        ),
    ] {
        world.use_today(&tenant, SMS, price);
        world.stack.sim.reset_counters();
        writes_nothing_until_it_is_over(
            &world,
            &tenant,
            FaultAction::NextPageUri {
                uri: uri.to_owned(),
            },
        )
        .await;
        let own = format!("/2010-04-01/Accounts/{}/", tenant.account_sid);
        let requests = world.stack.sim.requests();
        let mut of_usage = requests
            .iter()
            .filter(|request| request.path.contains("/Usage/"));
        assert!(
            of_usage.all(|request| request.path.starts_with(&own)),
            "{requests:?}"
        );
    }
}
