//! The product against the oracle: seeded worlds are played to both, and every figure must be the same to the
//! last digit.

mod compare;
mod player;
mod translate;
mod wire;

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use oracle::generate::{Size, world};
use serde_json::Value;

/// Worlds that are compared.
const WORLDS: u64 = 220;
/// As large as the promise says.
const SIZE: Size = Size {
    tenants: 30,
    days: 40,
};
/// Differences that are told.
const TOLD_MAX: usize = 20;

#[test]
fn the_oracle_and_the_product_agree_to_the_last_digit_over_seeded_worlds() {
    let (next, compared) = (AtomicU64::new(0), AtomicU64::new(0));
    let differences: Mutex<Vec<String>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= WORLDS {
                        break;
                    }
                    let world = world(seed, SIZE);
                    let ours = player::play(&world);
                    let theirs = oracle::books::play(&world);
                    let found = compare::all(&world, &ours, &theirs);
                    let mut all = differences.lock().unwrap_or_else(PoisonError::into_inner);
                    all.extend(found);
                    compared.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let differences = differences
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let compared = compared.into_inner();
    println!(
        "worlds compared: {compared}, differences: {}",
        differences.len()
    );
    for difference in differences.iter().take(TOLD_MAX) {
        println!("  {difference}");
    }
    assert!(compared >= 200, "{compared}");
    assert_eq!(differences.len(), 0);
}

#[test]
fn a_comparison_with_the_oracle_finds_a_digit_that_is_wrong() {
    let world = world(1, SIZE);
    let ours = player::play(&world);
    let mut theirs = oracle::books::play(&world);
    let day = theirs[0]
        .days
        .values_mut()
        .find(|day| !day.lines.is_empty())
        .unwrap();
    let line = day.lines.values_mut().next().unwrap();
    line.charge += domain::Decimal::new(1, 9);
    let found = compare::all(&world, &ours, &theirs);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn the_oracle_shares_no_code_with_the_product() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: Vec<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let oracle = packages
        .iter()
        .find(|package| package["name"] == "oracle")
        .unwrap();
    let known = oracle["dependencies"].as_array().unwrap();
    let known: Vec<&str> = known
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert!(ours.len() > 5 && !known.is_empty());
    assert!(known.iter().all(|name| !ours.contains(name)), "{known:?}");
}
