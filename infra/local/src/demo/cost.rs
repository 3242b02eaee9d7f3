//! Dollars from counts: what the counted calls and units cost at AWS's list prices.
//!
//! us-east-1, arm64, on-demand, list prices of 2026; amounts are per million unless said otherwise.

use rust_decimal::Decimal;
use serde::Serialize;

/// HTTP API, per million requests.
const HTTP_API: Decimal = Decimal::from_parts(100, 0, 0, false, 2);
/// Lambda, per million requests.
const LAMBDA_REQUESTS: Decimal = Decimal::from_parts(20, 0, 0, false, 2);
/// Lambda arm64, per million GB-seconds.
const LAMBDA_GB_S: Decimal = Decimal::from_parts(133_334, 0, 0, false, 4);
/// DynamoDB write request units, per million.
const WRITE_UNITS: Decimal = Decimal::from_parts(625, 0, 0, false, 3);
/// DynamoDB read request units, per million.
const READ_UNITS: Decimal = Decimal::from_parts(125, 0, 0, false, 3);
/// SQS standard, per million requests.
const SQS_REQUESTS: Decimal = Decimal::from_parts(40, 0, 0, false, 2);
/// One secret for a month; each tenant has one.
const SECRET_MONTH: Decimal = Decimal::from_parts(40, 0, 0, false, 2);
/// CloudWatch Logs, per GB taken in.
const LOGS_GB: Decimal = Decimal::from_parts(50, 0, 0, false, 2);

/// Assumed, not measured here: billed milliseconds of a warm callback at 128 MB.
const CALLBACK_MS: u32 = 5;
/// Assumed: log bytes of a callback (access log and function line).
const CALLBACK_LOG_BYTES: u32 = 400;
/// Assumed: billed milliseconds of one run at 256 MB, nearly all of it waiting for Twilio.
const RUN_MS: u32 = 300;
/// SQS requests of one run: its share of send, receive and delete, each taken as one.
const RUN_SQS_REQUESTS: u32 = 3;
/// The load that the monthly figure is stated for, in percent of tenant-hours.
const DIRTY_HOURS_PERCENT: u32 = 30;
/// Hours and days of the month that the figure is for.
const MONTH_HOURS: u32 = 720;
const MONTH_DAYS: u32 = 30;

/// Units counted for a number of equal things.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Units {
    pub(crate) things: u64,
    pub(crate) calls: u64,
    pub(crate) read_halves: u64,
    pub(crate) write_halves: u64,
}

impl Units {
    pub(crate) fn calls_each(self) -> Decimal {
        self.each(self.calls)
    }

    pub(crate) fn reads_each(self) -> Decimal {
        self.each(self.read_halves) / Decimal::TWO
    }

    pub(crate) fn writes_each(self) -> Decimal {
        self.each(self.write_halves) / Decimal::TWO
    }

    fn each(self, count: u64) -> Decimal {
        if self.things == 0 {
            Decimal::ZERO
        } else {
            Decimal::from(count) / Decimal::from(self.things)
        }
    }

    /// Dollars per million things for DynamoDB.
    fn dynamodb(self) -> Decimal {
        self.reads_each() * READ_UNITS + self.writes_each() * WRITE_UNITS
    }
}

/// The demo's cost figures.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    /// One million callbacks: HTTP API, function, put, the relay's share, logs.
    pub(crate) dollars_per_million_callbacks: String,
    /// Pull, rate and book for 1,000 tenants and a month.
    pub(crate) dollars_per_thousand_tenants_month: String,
    /// The load that this is for.
    pub(crate) load: String,
    /// What is counted and what is assumed.
    pub(crate) basis: String,
    /// Secrets for 1,000 tenants and a month, printed apart.
    pub(crate) secrets_per_thousand_tenants_month: String,
}

/// What was counted in the run.
pub(crate) struct Counted {
    /// Per callback: the webhook and the relay's marks.
    pub(crate) callbacks: Units,
    /// Per run that booked something.
    pub(crate) booked: Units,
    /// Per run that found nothing new.
    pub(crate) unchanged: Units,
}

/// Computes the figures from the counts.
pub(crate) fn cost(counted: &Counted) -> Cost {
    let callback_lambda = LAMBDA_REQUESTS + gb_seconds(128, CALLBACK_MS) * LAMBDA_GB_S;
    let callback_logs = Decimal::from(CALLBACK_LOG_BYTES) / Decimal::ONE_THOUSAND * LOGS_GB;
    let callbacks = HTTP_API + callback_lambda + callback_logs + counted.callbacks.dynamodb();

    // Pulls run five to an invocation at most; one each is the dearest case.
    let run = LAMBDA_REQUESTS
        + gb_seconds(256, RUN_MS) * LAMBDA_GB_S
        + Decimal::from(RUN_SQS_REQUESTS) * SQS_REQUESTS;
    let million = Decimal::from(1_000_000);
    let dirty_runs = Decimal::from(1_000 * MONTH_HOURS * DIRTY_HOURS_PERCENT / 100);
    let daily_runs = Decimal::from(1_000 * MONTH_DAYS);
    let month = (dirty_runs * (run + counted.booked.dynamodb())
        + daily_runs * (run + counted.unchanged.dynamodb()))
        / million;
    Cost {
        dollars_per_million_callbacks: dollars(callbacks),
        dollars_per_thousand_tenants_month: dollars(month),
        load: format!(
            "{DIRTY_HOURS_PERCENT} % of tenant-hours book usage, and every tenant has its daily turn"
        ),
        basis: format!(
            "units counted in this run; list prices us-east-1, arm64; assumed {CALLBACK_MS} ms at 128 MB and {CALLBACK_LOG_BYTES} log bytes a callback, {RUN_MS} ms at 256 MB and {RUN_SQS_REQUESTS} SQS requests a run"
        ),
        secrets_per_thousand_tenants_month: dollars(Decimal::ONE_THOUSAND * SECRET_MONTH),
    }
}

/// GB-seconds of one invocation.
fn gb_seconds(megabytes: u32, milliseconds: u32) -> Decimal {
    Decimal::from(megabytes) / Decimal::from(1024) * Decimal::from(milliseconds)
        / Decimal::ONE_THOUSAND
}

#[expect(
    clippy::disallowed_methods,
    reason = "a figure for people, not money that is booked"
)]
fn dollars(value: Decimal) -> String {
    format!("{:.2}", value.round_dp(2))
}
