//! Observed usage becomes booked differences, exactly.

use aws::UsageRead;
use domain::Decimal;
use jiff::SignedDuration;
use jiff::ToSpan as _;
use tests::World;

use super::support::*;

#[tokio::test]
async fn p9_a_revision_up_down_and_to_zero_books_the_difference_only() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    let day = today(&world);
    let mut entries = 1;
    for (price, delta) in [
        ("0.00790", "0.0079"),
        ("1.23457", "1.22667"),
        ("0.5", "-0.73457"),
        ("0", "-0.5"),
    ] {
        world.use_today(&tenant, SMS, price);
        world.pull(&tenant).await;
        let wallet = exact_books(&world, &tenant).await;
        entries += 1;
        let chain = store(&world).entry_chain(&id(&tenant)).await.unwrap();
        let last = chain.last().unwrap();
        assert_eq!((last.lines.len(), last.lines[0].cost), (1, decimal(delta)));
        assert_eq!(last.lines[0].charge, decimal(delta) * decimal("1.5"));
        assert_eq!(wallet.cost(), decimal(price));
        assert_eq!(last.lines[0].day, day);
        assert_eq!(
            chain.iter().filter(|entry| !entry.lines.is_empty()).count(),
            entries - 1
        );
        world.pass(SignedDuration::from_mins(1)).await;
    }
    assert_eq!(books(&world, &tenant).await.balance(), decimal("100"));
}

#[tokio::test]
async fn a_repeated_run_writes_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    world.use_today(&tenant, SMS, "1.00001");
    world.use_today(&tenant, VOICE, "2");
    world.pull(&tenant).await;
    let first = exact_books(&world, &tenant).await;
    let before = world.stack.aws.counters();
    for _ in 0..3 {
        world.pull(&tenant).await;
    }
    let spent = spent(&world, &before, PULLER);
    assert_eq!((spent.calls, spent.write_halves), (3, 0));
    assert_eq!(exact_books(&world, &tenant).await, first);
}

#[tokio::test]
async fn p21_what_no_leaf_holds_is_booked_as_other_and_leaves_and_other_sum_to_the_total() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    world.use_today(&tenant, "brand-new-thing", "3.14159");
    world.use_today(&tenant, "calls-inbound-local", "0.0085");
    world.use_today(&tenant, "calls-inbound-mobile", "0.0015");
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
    let sheet = sheets(&world, &tenant).await.remove(0);
    assert_eq!(line_of(&sheet, "other").quantities.cost, decimal("3.14159"));
    assert_eq!(
        line_of(&sheet, "calls-inbound").quantities.cost,
        decimal("0.01")
    );
    assert_eq!(sheet.lines.len(), 2);

    // The day comes when its name is known, or it is taken back.
    world.use_today(&tenant, "brand-new-thing", "0");
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
    assert_eq!(sheets(&world, &tenant).await[0].lines.len(), 1);
}

#[tokio::test]
async fn revisions_of_earlier_days_are_booked_on_their_day() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    let first = today(&world);
    world.use_today(&tenant, SMS, "1");
    world.pull(&tenant).await;
    world.pass(SignedDuration::from_hours(3 * 24)).await;
    revise(&world, &tenant, first, SMS, "0.75");
    revise(&world, &tenant, first + 1.day(), VOICE, "0.12345");
    revise(&world, &tenant, first + 3.days(), VOICE, "5");
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
    let days: Vec<_> = sheets(&world, &tenant)
        .await
        .into_iter()
        .map(|sheet| (sheet.day, sheet.cost()))
        .collect();
    let expected = [
        (first, decimal("0.75")),
        (first + 1.day(), decimal("0.12345")),
        (first + 3.days(), decimal("5")),
    ];
    assert_eq!(days, expected);
}

#[tokio::test]
async fn a_gap_longer_than_the_hot_window_is_closed() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "1000").await;
    world.pull(&tenant).await;
    // Nothing runs for three weeks.
    let first = today(&world);
    world
        .stack
        .clock
        .advance_to(world.stack.clock.now() + SignedDuration::from_hours(21 * 24));
    for back in 0..=21 {
        revise(&world, &tenant, first + back.days(), SMS, "0.33333");
    }
    world.pull(&tenant).await;
    let wallet = exact_books(&world, &tenant).await;
    assert_eq!(wallet.cost(), decimal("0.33333") * Decimal::from(22));
    assert_eq!(wallet.completed_through, Some(first + 20.days()));
}

#[tokio::test]
async fn a_gap_longer_than_one_run_may_read_is_closed_by_several_and_today_is_not_forgotten() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "1000").await;
    world.pull(&tenant).await;
    let first = today(&world);
    world
        .stack
        .clock
        .advance_to(world.stack.clock.now() + SignedDuration::from_hours(200 * 24));
    for back in 0..=200 {
        revise(&world, &tenant, first + back.days(), SMS, "0.33333");
    }
    world.pull(&tenant).await;
    assert!(
        sheets(&world, &tenant)
            .await
            .iter()
            .any(|sheet| sheet.day == today(&world))
    );
    for _ in 0..3 {
        world.pull(&tenant).await;
    }
    let wallet = exact_books(&world, &tenant).await;
    assert_eq!(wallet.completed_through, Some(first + 199.days()));
}

#[tokio::test]
async fn a_day_that_is_held_for_ever_does_not_stop_later_days() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "1000").await;
    let first = today(&world);
    world.use_today(&tenant, SMS, "1");
    strike(
        &world,
        1,
        twilio_sim::FaultAction::PriceUnit {
            unit: "eur".to_owned(),
        },
    );
    world.pull(&tenant).await;
    let UsageRead { sheets, .. } = store(&world)
        .read_usage(&id(&tenant), &[first], true)
        .await
        .unwrap();
    assert_eq!(sheets[0].held.as_deref(), Some("other_currency"));
    strike_at(
        &world,
        &format!("*StartDate={first}*"),
        0,
        twilio_sim::FaultAction::PriceUnit {
            unit: "eur".to_owned(),
        },
    );
    world
        .stack
        .clock
        .advance_to(world.stack.clock.now() + SignedDuration::from_hours(120 * 24));
    revise(&world, &tenant, today(&world), SMS, "2");
    world.pull(&tenant).await;
    assert_eq!(books(&world, &tenant).await.cost(), decimal("2"));
}

#[tokio::test]
async fn charge_is_one_and_a_half_times_cost_to_the_last_digit() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100000").await;
    for (category, price) in [
        (SMS, "0.00001"),
        (VOICE, "98765.43211"),
        ("recordingstorage", "0.00003"),
        ("calls-client", "7.77777"),
    ] {
        world.use_today(&tenant, category, price);
    }
    world.pull(&tenant).await;
    let wallet = exact_books(&world, &tenant).await;
    assert_eq!(wallet.charged(), decimal("148159.81488"));
}

#[tokio::test]
async fn l5_more_than_31_days_and_1000_lines_are_booked_in_complete_pieces() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "10000").await;
    world.pull(&tenant).await;
    let first = today(&world);
    world
        .stack
        .clock
        .advance_to(world.stack.clock.now() + SignedDuration::from_hours(44 * 24));
    for back in 0..45 {
        for category in LEAVES {
            revise(&world, &tenant, first + back.days(), category, "0.12345");
        }
    }
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
    let chain = store(&world).entry_chain(&id(&tenant)).await.unwrap();
    let pieces: Vec<usize> = chain
        .iter()
        .map(|entry| entry.lines.len())
        .filter(|lines| *lines > 0)
        .collect();
    assert!(
        pieces.len() > 1 && pieces.iter().all(|lines| *lines <= 1000),
        "{pieces:?}"
    );
    assert_eq!(pieces.iter().sum::<usize>(), 45 * 25);
    let days = |index: usize| {
        chain
            .iter()
            .filter(|entry| !entry.lines.is_empty())
            .nth(index)
            .unwrap()
            .lines
            .iter()
            .map(|line| line.day)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert!(days(0).is_disjoint(&days(1)), "a day was cut in two");
}

#[tokio::test]
async fn l8_each_line_keeps_the_plan_version_that_was_in_force_on_its_day() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "1000").await;
    let (first, store) = (today(&world), store(&world));
    world.use_today(&tenant, SMS, "1");
    world.pull(&tenant).await;
    let row = store.tenant(&id(&tenant)).await.unwrap().unwrap();
    let mut plan = store.plan(&row.plans[0].plan).await.unwrap().unwrap();
    plan.reference.version += 1;
    plan.default_multiplier = Some(decimal("2"));
    store.put_plan(&plan).await.unwrap();
    let mut changed = row.clone();
    changed.plans.push(domain::tenant::PlanAssignment {
        from: first + 2.days(),
        plan: plan.reference.clone(),
    });
    store.update_tenant(&changed).await.unwrap();
    world.pass(SignedDuration::from_hours(48)).await;
    revise(&world, &tenant, first, SMS, "1.5");
    revise(&world, &tenant, first + 2.days(), SMS, "10");
    world.pull(&tenant).await;
    let wallet = books(&world, &tenant).await;
    assert_eq!(wallet.charged(), decimal("2.25") + decimal("20"));
    let chain = store.entry_chain(&id(&tenant)).await.unwrap();
    let lines: Vec<_> = chain
        .iter()
        .flat_map(|entry| &entry.lines)
        .map(|line| (line.day, version_of(line)))
        .collect();
    assert_eq!(lines, [(first, 1), (first, 1), (first + 2.days(), 2)]);
}

#[tokio::test]
async fn l9_many_runs_and_payments_of_one_tenant_at_once_are_all_in() {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "100").await;
    world.use_today(&tenant, SMS, "10");
    let path = format!("/v1/tenants/{}/top-ups", tenant.id);
    let pay = |number: usize| {
        let (world, path) = (&world, &path);
        async move {
            // Whoever is told to ask again asks again, with the same key.
            for _ in 0..60 {
                let paid = world
                    .post_as(
                        path,
                        &format!("hot-{number}"),
                        &serde_json::json!({ "amount": "1.01" }),
                    )
                    .await;
                if paid.status == 201 {
                    return;
                }
                assert_eq!(paid.status, 503, "{paid:?}");
            }
            panic!("a payment was never taken");
        }
    };
    for _ in 0..12 {
        world.send_pull(&tenant);
    }
    let payments = futures::future::join_all((0..40).map(pay));
    tokio::join!(payments, pull_at_once_or_later(&world, &tenant));
    world.pass(REDELIVERY).await;
    world.pull(&tenant).await;
    let wallet = exact_books(&world, &tenant).await;
    assert_eq!(
        wallet.paid_in(),
        decimal("100") + decimal("1.01") * Decimal::from(40)
    );
    assert_eq!(dead_pulls(&world), 0);
}

async fn pull_at_once_or_later(world: &World, tenant: &tests::Tenant) {
    for step in 1..=10 {
        world.use_today(tenant, SMS, &format!("{step}.00007"));
        world.stack.settle().await;
        world.send_pull(tenant);
    }
}

/// One leaf of the simulator for each line that we book, the last one unknown to us.
pub const LEAVES: [&str; 25] = [
    "a2p-registration-fees",
    "amazon-polly",
    "answering-machine-detection",
    "calls-client",
    "calls-inbound-local",
    "calls-outbound",
    "calls-sip-inbound",
    "failed-message-processing-fee",
    "carrier-lookups",
    "mediastorage",
    "mms-inbound-longcode",
    "mms-messages-carrierfees",
    "mms-outbound-longcode",
    "phonenumbers-local",
    "calls-recordings",
    "recordingstorage",
    "shortcodes-random",
    "sms-inbound-longcode",
    "sms-messages-carrierfees",
    "sms-outbound-longcode",
    "transcriptions",
    "trunking-origination-local",
    "trunking-termination",
    "tts-google",
    "brand-new-thing",
];
