//! The demo: a reseller's month in seconds, over HTTP, schedules and signed callbacks only.
//!
//! It signs tenants up, gives them money and traffic, lets the clock run and looks at the outcome as any
//! API client would. Who runs dry follows from balances and traffic; nothing is booked or decided here.

mod client;
mod cost;
mod life;
mod print;
mod progress;
mod report;
mod scenario;
mod statements;

use std::io::{IsTerminal as _, Write as _};

use clap::Args;
use jiff::Timestamp;

use crate::serve;
use crate::stack::{Stack, StackConfig};

pub use client::Api;

/// Any error of the demo; it ends it with a non-zero exit.
pub type DemoError = Box<dyn std::error::Error + Send + Sync>;

/// The first day of the simulated month.
const START: &str = "2026-03-01T00:00:00Z";

/// What the demo takes.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Tenants to sign up.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub tenants: u32,
    /// Days of traffic; three quiet days for late usage and revisions follow.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=90))]
    pub days: u32,
    /// Everything drawn at random comes from this number.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folder that statements are written to.
    #[arg(long, default_value = "target/statements")]
    pub statements: std::path::PathBuf,
    /// Exit after the report, also on a terminal.
    #[arg(long)]
    pub once: bool,
    /// Print one JSON object and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Runs the demo. True: every cent reconciles.
pub async fn run(options: &Options) -> Result<bool, DemoError> {
    let start: Timestamp = START.parse()?;
    let stack = Stack::start(StackConfig::manual(options.seed, start)).await?;
    let api = Api::new(&stack)?;
    let outcome = scenario::play(options, &stack, &api).await?;
    let written = statements::write(options, &stack, &api, &outcome).await?;
    let life = life::play(options.seed).await?;
    let report = report::collect(options, &stack, &api, &outcome, written, life).await?;
    let mut out = std::io::stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        writeln!(out, "{}", print::text(&report, options))?;
    }
    let reconciles = report.reconciliation.difference == "0" && report.life.is_well();
    let is_terminal = out.is_terminal();
    if is_terminal && !options.once && !options.json {
        writeln!(out, "{}", print::invitation(&stack, &report))?;
        drop(out);
        serve::until_interrupted(&stack).await?;
    }
    Ok(reconciles)
}
