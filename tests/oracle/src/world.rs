//! What happens to tenants, as plain data.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

/// Everything that a comparison plays.
#[derive(Debug, Clone)]
pub struct World {
    /// What it was made from.
    pub seed: u64,
    /// Plan versions; tenants name them by index.
    pub plans: Vec<Plan>,
    /// Tenants.
    pub tenants: Vec<Tenant>,
    /// What happens, in order, each to one tenant or two.
    pub steps: Vec<Step>,
}

/// A plan version.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Multiplier for what no rule matches.
    pub default: Decimal,
    /// In order.
    pub rules: Vec<Rule>,
    /// Least margin on cost.
    pub floor: Option<Decimal>,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// A leaf, a group, a fee or `any`.
    pub category: String,
    /// `inbound` or `outbound`.
    pub direction: Option<&'static str>,
    /// ISO 3166.
    pub country: Option<&'static str>,
    /// Leading digits.
    pub prefixes: Vec<&'static str>,
    /// Type of the tenant's number.
    pub number_type: Option<&'static str>,
    /// Least margin, before the plan's.
    pub floor: Option<Decimal>,
    /// How it charges.
    pub model: Model,
    /// Are units counted, not measured?
    pub per_count: bool,
}

/// A step of prices.
#[derive(Debug, Clone)]
pub struct Tier {
    /// Last quantity of it.
    pub up_to: Option<Decimal>,
    /// Price of a unit.
    pub price: Decimal,
    /// Once, if reached.
    pub fee: Decimal,
}

/// How a rule charges.
#[derive(Debug, Clone)]
pub enum Model {
    /// Times cost, at least so much a unit.
    Multiplier(Decimal, Option<Decimal>),
    /// A price a unit; calls in steps of seconds: the first, the next.
    Unit(Decimal, Option<(u64, u64)>),
    /// Each unit by its tier.
    Graduated(Vec<Tier>),
    /// All by one tier.
    Volume(Vec<Tier>),
    /// Size and price.
    Package(Decimal, Decimal),
    /// Included, and the price beyond.
    Allowance(Decimal, Decimal),
    /// A month's fee.
    Fee(Decimal),
}

/// A rule of one tenant for some days.
#[derive(Debug, Clone)]
pub struct Own {
    /// From 1.
    pub number: u32,
    /// First day.
    pub from: Date,
    /// First day behind.
    pub until: Option<Date>,
    /// The rule; its id is `override-<number>`.
    pub rule: Rule,
}

/// A tenant.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// IANA name.
    pub zone: &'static str,
    /// Day of the month that periods begin on.
    pub billing_day: i8,
    /// As a share.
    pub tax: Decimal,
    /// No tax.
    pub is_exempt: bool,
    /// First day in service.
    pub since: Date,
    /// Plan versions by index, each from a day on.
    pub plans: Vec<(Date, usize)>,
    /// Own rules.
    pub own: Vec<Own>,
}

/// One of Twilio's daily records.
#[derive(Debug, Clone)]
pub struct Record {
    /// Day.
    pub day: Date,
    /// Twilio's name.
    pub category: String,
    /// How many.
    pub count: Decimal,
    /// How much.
    pub usage: Decimal,
    /// What it cost.
    pub price: Decimal,
}

/// A call or a message.
#[derive(Debug, Clone)]
pub struct Item {
    /// Name.
    pub sid: String,
    /// `calls`, `sms` or `mms`.
    pub family: &'static str,
    /// `inbound` or `outbound`.
    pub direction: &'static str,
    /// When it was over.
    pub at: Timestamp,
    /// Who called or wrote.
    pub from: String,
    /// Who was called or written to.
    pub to: String,
    /// Segments; calls are counted from their length.
    pub segments: u64,
    /// Length of a call.
    pub seconds: u64,
    /// What it cost, if that is known.
    pub price: Option<Decimal>,
}

/// What Twilio said at a moment.
#[derive(Debug, Clone)]
pub struct Said {
    /// Days that were asked for.
    pub days: Vec<Date>,
    /// Freshness mark of all records.
    pub as_of: Timestamp,
    /// Daily records.
    pub records: Vec<Record>,
    /// Calls and messages.
    pub items: Vec<Item>,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// To whom, by index.
    pub tenant: usize,
    /// What.
    pub act: Act,
}

/// What happens.
#[derive(Debug, Clone)]
pub enum Act {
    /// Amount, priority, expiry.
    TopUp(Decimal, u8, Option<Timestamp>),
    /// Amount, priority, first moment, expiry.
    Credit(Decimal, u8, Option<Timestamp>, Option<Timestamp>),
    /// Paid back, if there is so much.
    Refund(Decimal),
    /// In the tenant's favour, or not.
    Adjust(Decimal),
    /// To another tenant, if there is so much.
    Transfer(usize, Decimal),
    /// Of what is owed, if it is so much.
    WriteOff(Decimal),
    /// Usage is pulled; numbers held by day.
    Usage(Said, Vec<(Date, u32)>),
    /// Periods that are over are stated.
    Close,
}
