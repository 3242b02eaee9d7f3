//! A billing run end to end on the local stack: pulls over HTTP, transactions, events; calls and units counted.
//!
//! `cargo bench -p tests --bench billing -- 100 1000` prints a row per number of tenants: a tenth of them have 1,000
//! records to book, the others nothing; with `all` in front, each of them has. Calls and units per tenant that has news must not grow with the
//! number of tenants, and tenants without news cost nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]

use domain::Decimal;
use domain::category::Category;
use jiff::{SignedDuration, ToSpan as _};
use serde_json::json;
use tests::{Tenant, World};
use twilio_sim::{Quirks, SimConfig};

/// Days that a tenant with news has used.
const DAYS: i64 = 77;
/// Records of such a day, the total aside.
const RECORDS: usize = 14;
/// Of so many tenants one has news.
const ONE_OF: usize = 10;
/// Messages that are waited for at once.
const AT_ONCE: usize = 50;

fn main() {
    let mut sizes: Vec<usize> = std::env::args()
        .filter_map(|size| size.parse().ok())
        .collect();
    let one_of = if std::env::args().any(|word| word == "all") {
        1
    } else {
        ONE_OF
    };
    if sizes.is_empty() {
        sizes = vec![100, 1_000];
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    println!(
        "tenants | with news | records | AWS calls each | read units each | write units each | Twilio calls each | of idle tenants | peak memory"
    );
    for size in sizes {
        println!("{}", runtime.block_on(row(size, one_of)));
    }
}

fn each(halves: u64, things: usize) -> Decimal {
    let value = Decimal::from(halves) / Decimal::from(things);
    value.trunc_with_scale(2).normalize()
}

async fn row(size: usize, one_of: usize) -> String {
    let world = World::with(SimConfig {
        quirks: Quirks::none(),
        subaccount_limit: size + 1,
        ..SimConfig::default()
    })
    .await;
    let first = world.stack.clock.now();
    let mut busy: Vec<Tenant> = Vec::new();
    for index in 0..size {
        let tenant = world.tenant(&format!("Tenant {index}"), "1000").await;
        if index % one_of == 0 {
            busy.push(tenant);
        }
    }
    let day = first.to_zoned(jiff::tz::TimeZone::UTC).date();
    // The simulator takes what is no sum of others.
    let takes = |category: &Category| {
        let sim = &world.stack.sim;
        sim.revise_usage(
            &busy[0].account_sid,
            day,
            category.as_str(),
            "0",
            None,
            None,
        )
        .is_ok()
    };
    let leaves: Vec<Category> = Category::all()
        .filter(|category| !category.is_fee() && *category != Category::OTHER && takes(category))
        .take(RECORDS)
        .collect();
    let clock = &world.stack.clock;
    clock.advance_to(clock.now() + SignedDuration::from_hours(24 * DAYS));
    world.stack.settle().await;
    for tenant in &busy {
        for offset in 0..DAYS {
            for leaf in &leaves {
                let on = day + offset.days();
                world
                    .stack
                    .sim
                    .revise_usage(
                        &tenant.account_sid,
                        on,
                        leaf.as_str(),
                        "0.01234",
                        Some("12.5"),
                        Some(7),
                    )
                    .unwrap();
            }
        }
    }
    let before = (
        world.stack.aws.counters(),
        world.stack.sim.counters().requests,
    );
    let queue = world.stack.aws.names().of("pull");
    for tenants in busy.chunks(AT_ONCE) {
        for tenant in tenants {
            let body = json!({ "tenant_id": tenant.id, "cause": "bench" }).to_string();
            world.stack.aws.send_message(&queue, &body).unwrap();
        }
        world.stack.settle().await;
    }
    let since = world.stack.aws.counters().since(&before.0);
    let puller = since.total(|key| key.caller == "tollgate-usage-puller");
    let asked = world.stack.sim.counters().requests - before.1;
    let idle = since.total(|key| {
        key.caller.starts_with("tollgate-")
            && key.caller != "tollgate-usage-puller"
            && key.caller != "tollgate-relay"
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("?")
        .trim()
        .to_owned();
    let records = busy.len() * usize::try_from(DAYS).unwrap() * leaves.len();
    format!(
        "{size} | {} | {records} | {} | {} | {} | {} | {} | {peak}",
        busy.len(),
        each(puller.calls, busy.len()),
        each(puller.read_halves, busy.len() * 2),
        each(puller.write_halves, busy.len() * 2),
        each(asked, busy.len()),
        idle.calls,
    )
}
