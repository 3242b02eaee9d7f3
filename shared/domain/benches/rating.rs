//! Rating: a tenant's month of usage records, folded and rated against empty and against booked sheets.
//!
//! `cargo bench -p domain` prints time by criterion, and allocations per record. The budget is 600 ns and 0.1
//! allocations a record of an unchanged day, which is what nearly every run reads.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::alloc::System;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use domain::category::Category;
use domain::ids::{PlanId, ulid};
use domain::money::Currency;
use domain::plan::{Payment, PlanRef, PricePlan, Rule, RuleSet, TenantDefaults};
use domain::rating::{DaySheet, rate_day};
use domain::standing::StandingPolicy;
use domain::usage::{DayContext, UsageRecord, fold_day};
use domain::{Date, Decimal};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Days of 25 records: 1,000 in all.
const DAYS: i8 = 40;
const PER_DAY: usize = 25;

fn plan() -> PricePlan {
    let calls = Category::leaf("calls-outbound").unwrap();
    PricePlan {
        reference: PlanRef {
            id: PlanId::from_ulid(ulid(1, 1)),
            version: 1,
        },
        name: "Bench".to_owned(),
        currency: Currency::USD,
        default_multiplier: Some(Decimal::new(13, 1)),
        rules: vec![Rule::multiplier(calls, Decimal::new(15, 1))],
        margin_floor: None,
        payment: Payment::Prepaid,
        due_days: 14,
        standing: StandingPolicy::default(),
        guards: domain::guards::GuardPolicy::default(),
        defaults: TenantDefaults::default(),
    }
}

type Day<'a> = (Date, Vec<&'a UsageRecord>);

fn days() -> Vec<(Date, Vec<UsageRecord>)> {
    let leaves: Vec<Category> = Category::all()
        .filter(|category| !category.is_fee() && *category != Category::OTHER)
        .take(PER_DAY - 1)
        .collect();
    let first = jiff::civil::date(2026, 3, 1);
    (0..DAYS)
        .map(|offset| {
            let day = first.saturating_add(jiff::Span::new().days(offset));
            let record = |category: &str, price: i64| UsageRecord {
                category: category.to_owned(),
                day,
                count: Some(Decimal::from(7)),
                usage: Some(Decimal::new(125, 1)),
                price: Some(Decimal::new(price, 5)),
                price_unit: Some("USD".to_owned()),
                as_of: None,
            };
            let mut records: Vec<UsageRecord> = leaves
                .iter()
                .zip(1_234_i64..)
                .map(|(leaf, price)| record(leaf.as_str(), price))
                .collect();
            let total: i64 = (1_234_i64..).take(leaves.len()).sum();
            records.push(record("totalprice", total));
            (day, records)
        })
        .collect()
}

fn run(days: &[Day<'_>], sheets: &[DaySheet], rules: &RuleSet<'_>) -> usize {
    let mut changed = 0;
    for ((day, records), sheet) in days.iter().zip(sheets) {
        let context = DayContext {
            day: *day,
            currency: Currency::USD,
            rules,
            items: &[],
            in_service: true,
            numbers: 0,
            rate: &|_| None,
        };
        let usage = fold_day(&context, records).unwrap();
        changed += usize::from(rate_day(sheet, &usage, rules).is_some());
    }
    changed
}

#[expect(clippy::print_stdout, reason = "the numbers are the result")]
fn main() {
    let (plan, kept) = (plan(), days());
    let days: Vec<Day<'_>> = kept
        .iter()
        .map(|(day, records)| (*day, records.iter().collect()))
        .collect();
    let rules = RuleSet::new(&plan, &[], Date::MIN);
    let empty: Vec<DaySheet> = days.iter().map(|(day, _)| DaySheet::empty(*day)).collect();
    let booked: Vec<DaySheet> = days
        .iter()
        .zip(&empty)
        .map(|((day, records), sheet)| {
            let context = DayContext {
                day: *day,
                currency: Currency::USD,
                rules: &rules,
                items: &[],
                in_service: true,
                numbers: 0,
                rate: &|_| None,
            };
            let usage = fold_day(&context, records).unwrap();
            rate_day(sheet, &usage, &rules).unwrap().sheet
        })
        .collect();
    let records: usize = days.iter().map(|(_, records)| records.len()).sum();
    let mut criterion = Criterion::default().configure_from_args();
    for (name, sheets) in [("first", &empty), ("unchanged", &booked)] {
        let region = Region::new(ALLOCATOR);
        let changed = run(&days, sheets, &rules);
        let allocations = Decimal::from(region.change().allocations) / Decimal::from(records);
        println!(
            "{name}: {records} records, {changed} days change, {allocations} allocations a record"
        );
        let mut group = criterion.benchmark_group("rating");
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| run(black_box(&days), black_box(sheets), &rules));
        });
        group.finish();
    }
}
