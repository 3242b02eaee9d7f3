//! Any sequence of revisions, runs, payments and deliveries ends with the same books.

use jiff::{SignedDuration, ToSpan as _};
use proptest::prelude::*;
use serde_json::json;
use tests::World;

use super::support::*;

#[derive(Debug, Clone)]
enum Step {
    /// Twilio says something new of a day: category, days back, price in hundred-thousandths.
    Revise(usize, i32, u32),
    Pull,
    PullTwiceAtOnce,
    TopUp(u16),
    /// Delivered twice now.
    Duplicate,
    /// Delivered when the next step settles.
    Late,
    /// Twilio is away for the next request.
    Fault(u64),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..CATEGORIES.len(), 0..4, prop_oneof![Just(0), 0_u32..2_000_000]).prop_map(|(category, back, price)| Step::Revise(category, back, price)),
        3 => Just(Step::Pull),
        2 => Just(Step::PullTwiceAtOnce),
        1 => (1_u16..5_000).prop_map(Step::TopUp),
        1 => Just(Step::Duplicate),
        2 => Just(Step::Late),
        1 => (1_u64..8).prop_map(Step::Fault),
        2 => prop_oneof![Just(1), Just(65), Just(1_440)].prop_map(Step::Pass),
    ]
}

const CATEGORIES: [&str; 4] = [SMS, VOICE, "brand-new-thing", "recordingstorage"];

async fn run(steps: &[Step]) {
    let world = World::start().await;
    let tenant = world.tenant("Acme", "50").await;
    let created = today(&world);
    for step in steps {
        match step {
            Step::Revise(category, back, price) => {
                let day = (today(&world) - back.days()).max(created);
                let price = format!("{}.{:05}", price / 100_000, price % 100_000);
                revise(&world, &tenant, day, CATEGORIES[*category], &price);
            }
            Step::Pull => world.pull(&tenant).await,
            Step::PullTwiceAtOnce => {
                let event = sqs_event(&[command(&tenant)]);
                let functions = &world.stack.functions;
                let (left, right) = tokio::join!(
                    functions.invoke("usage-puller", event.clone()),
                    functions.invoke("usage-puller", event)
                );
                assert!(left.is_ok() && right.is_ok());
            }
            Step::TopUp(cents) => {
                let amount = format!("{}.{:02}", cents / 100, cents % 100);
                let paid = world
                    .post(
                        &format!("/v1/tenants/{}/top-ups", tenant.id),
                        &json!({ "amount": amount }),
                    )
                    .await;
                assert_eq!(paid.status, 201, "{paid:?}");
            }
            Step::Duplicate => {
                world.send_pull(&tenant);
                world.pull(&tenant).await;
            }
            Step::Late => world.send_pull(&tenant),
            Step::Fault(count) => strike(&world, *count, status(503, None)),
            Step::Pass(minutes) => world.pass(SignedDuration::from_mins(*minutes)).await,
        }
        books(&world, &tenant).await;
    }
    world.stack.sim.clear_faults();
    world.pull(&tenant).await;
    exact_books(&world, &tenant).await;
    let state = world.show(&tenant).await.text("/standing/state");
    if books(&world, &tenant).await.balance() < decimal("0") {
        assert_eq!(state, "unpaid");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_deliveries_books_one_and_a_half_times_twilios_total(steps in proptest::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&steps));
    }
}
