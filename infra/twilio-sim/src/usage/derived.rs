//! Usage that nobody booked: what a populated account used on a day, computed from the seed when it is read.
//!
//! It is a pure function of seed, account, day and moment, so a hundred thousand accounts with months of
//! usage cost no memory. During a day it only grows; it shows late, and is revised afterwards, by the same
//! settings as what is booked.

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;

use super::book::Cell;
use super::catalogue::{Catalogue, CategoryId};
use super::revision;
use crate::amount::UNIT;
use crate::config::{Rent, TrafficProfile};
use crate::rng::Rng;
use crate::world::start_of;
use crate::world::tariff::{self, Country};

const DAY_S: i64 = 86_400;
const DAY_MINUTES: i64 = 1440;

/// What decides how derived usage shows; a change of settings changes it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) usage_ms: [u64; 2],
    pub(crate) revisions: revision::Rules,
    pub(crate) unknown_category_per_mille: u64,
    pub(crate) rent: Rent,
}

/// A span in which an account uses nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause {
    pub(crate) from_s: i64,
    /// `i64::MAX` while it goes on.
    pub(crate) until_s: i64,
    /// Numbers are gone, and with them their rent.
    pub(crate) closed: bool,
}

/// What an account's derived usage follows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life {
    /// Which population it belongs to.
    pub(crate) population: Option<u16>,
    /// What everything about it is drawn from.
    pub(crate) seed: u64,
    pub(crate) pauses: Vec<Pause>,
}

/// A day, seen at a moment.
pub(crate) struct Look<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) day: Date,
    start_s: i64,
    at_s: i64,
}

impl<'a> Look<'a> {
    pub(crate) fn new(rules: &'a Rules, day: Date, at: Timestamp) -> Self {
        Self {
            rules,
            day,
            start_s: start_of(day).as_second(),
            at_s: at.as_second(),
        }
    }

    /// What readings of this day have in common: equal stages show equal usage.
    pub(crate) fn stage(&self) -> Stage {
        let since_end = self.at_s - (self.start_s + DAY_S);
        let shown_s = seconds(self.rules.usage_ms[1]) + 60;
        let revised_s = self.rules.revisions.last_ms().div_ceil(1000) + 3600;
        let last_s = shown_s.max(i64::try_from(revised_s).unwrap_or(i64::MAX));
        if since_end >= last_s {
            Stage::Final
        } else if since_end >= shown_s {
            Stage::Hour(self.at_s.div_euclid(3600))
        } else {
            Stage::Minute(self.at_s.div_euclid(60))
        }
    }
}

/// How far a day's usage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Minute(i64),
    Hour(i64),
    Final,
}

/// Accounts that are made together, and what their end users do.
#[derive(Clone)]
pub(crate) struct Population {
    pub(crate) since: Date,
    profile: TrafficProfile,
    countries: Vec<&'static Country>,
    ids: Ids,
}

/// The categories that derived usage falls in.
#[derive(Clone)]
struct Ids {
    sms_in: CategoryId,
    sms_out: CategoryId,
    sms_fee: CategoryId,
    mms_in: CategoryId,
    mms_out: CategoryId,
    mms_fee: CategoryId,
    calls_in: CategoryId,
    calls_out: CategoryId,
    recordings: CategoryId,
    failed: CategoryId,
    rent: CategoryId,
    unlisted: CategoryId,
}

/// One category's usage of a whole day.
struct Whole {
    count: i64,
    usage_each: i64,
    price_each: i64,
}

impl Population {
    pub(crate) fn new(since: Date, profile: TrafficProfile, catalogue: &mut Catalogue) -> Self {
        let mut id = |name| catalogue.intern(name);
        let ids = Ids {
            sms_in: id("sms-inbound-longcode"),
            sms_out: id("sms-outbound-longcode"),
            sms_fee: id("sms-messages-carrierfees"),
            mms_in: id("mms-inbound-longcode"),
            mms_out: id("mms-outbound-longcode"),
            mms_fee: id("mms-messages-carrierfees"),
            calls_in: id("calls-inbound-local"),
            calls_out: id("calls-outbound"),
            recordings: id("calls-recordings"),
            failed: id("failed-message-processing-fee"),
            rent: id("phonenumbers-local"),
            unlisted: id("sim-unlisted-product"),
        };
        let countries = profile
            .countries
            .iter()
            .filter_map(|iso| tariff::country(iso))
            .collect();
        Self {
            since,
            profile,
            countries,
            ids,
        }
    }

    /// What an account used on the day, category by category, as it shows at the moment.
    pub(crate) fn each(
        &self,
        look: &Look<'_>,
        life: &Life,
        main: &Life,
        mut each: impl FnMut(CategoryId, Cell),
    ) {
        let rules = look.rules;
        if look.day < self.since || look.at_s < look.start_s {
            return;
        }
        let lives = [life, main];
        let mut own = Rng::drawn(life.seed);
        let size = size(&mut own);
        let rent = self.rent(look, lives);
        if size == 0 && rent.is_none() {
            return;
        }
        let country = index(own.quick(count(self.countries.len())));
        let country = self.countries.get(country).copied();
        let country = country.unwrap_or(&tariff::COUNTRIES[0]);
        // In whole minutes, so that all readings within a minute agree.
        let late = seconds(within(&mut own, rules.usage_ms)).div_euclid(60);
        let elapsed = (look.at_s - look.start_s).div_euclid(60) - late;
        let elapsed = elapsed.clamp(0, DAY_MINUTES);
        let active = elapsed - paused(look.start_s, elapsed, lives);
        let mut rng = Rng::of(life.seed, &[&look.start_s.to_le_bytes()]);
        let mut put = |rng: &mut Rng, id: CategoryId, whole: &Whole, minutes: i64| {
            if whole.count == 0 {
                return;
            }
            // Drawn for every cell, so that what one shows does not hang on the moment.
            let fate = Rng::drawn(rng.next());
            let count = whole.count.saturating_mul(minutes) / DAY_MINUTES;
            let cell = Cell {
                count,
                usage: count.saturating_mul(whole.usage_each),
                price: count.saturating_mul(whole.price_each),
            };
            let since_end_s = look.at_s - look.start_s - DAY_S;
            let cell = rules.revisions.applied(cell, fate, since_end_s);
            if !cell.is_zero() {
                each(id, cell);
            }
        };
        if let Some((id, whole)) = rent {
            let minutes = if elapsed > 0 { DAY_MINUTES } else { 0 };
            put(&mut rng, id, &whole, minutes);
        }
        if size > 0 {
            self.messages(&mut rng, size, country, |rng, id, whole| {
                put(rng, id, &whole, active);
            });
            self.calls(&mut rng, size, country, |rng, id, whole| {
                put(rng, id, &whole, active);
            });
            if rng.quick(1000) < rules.unknown_category_per_mille {
                let price_each = 10_000 * signed(within(&mut rng, [100, 5000]));
                let whole = Whole {
                    count: 1,
                    usage_each: UNIT,
                    price_each,
                };
                put(&mut rng, self.ids.unlisted, &whole, active);
            }
        }
    }

    fn messages(
        &self,
        rng: &mut Rng,
        size: u64,
        country: &Country,
        mut put: impl FnMut(&mut Rng, CategoryId, Whole),
    ) {
        let (profile, ids) = (&self.profile, &self.ids);
        let all = often(rng, profile.messages_per_day, size);
        let inbound = portion(rng, all, profile.inbound_per_mille);
        let outbound = all - inbound;
        let mms_in = portion(rng, inbound, profile.mms_per_mille);
        let mms_out = portion(rng, outbound, profile.mms_per_mille);
        let failed = portion(rng, outbound - mms_out, profile.failed_per_mille);
        let sms_out = outbound - mms_out - failed;
        for (id, count, price_each) in [
            (ids.sms_in, inbound - mms_in, country.sms_in),
            (ids.sms_out, sms_out, country.sms_out),
            (ids.sms_fee, free(sms_out, country.sms_fee), country.sms_fee),
            (ids.mms_in, mms_in, country.mms_in),
            (ids.mms_out, mms_out, country.mms_out),
            (ids.mms_fee, free(mms_out, country.mms_fee), country.mms_fee),
            (ids.failed, failed, tariff::FAILED_FEE),
        ] {
            let whole = Whole {
                count,
                usage_each: UNIT,
                price_each,
            };
            put(rng, id, whole);
        }
    }

    fn calls(
        &self,
        rng: &mut Rng,
        size: u64,
        country: &Country,
        mut put: impl FnMut(&mut Rng, CategoryId, Whole),
    ) {
        let (profile, ids) = (&self.profile, &self.ids);
        let all = often(rng, profile.calls_per_day, size);
        let answered = all - portion(rng, all, profile.unanswered_per_mille);
        let inbound = portion(rng, answered, profile.inbound_per_mille);
        let recorded = portion(rng, answered, profile.recorded_per_mille);
        let minutes = signed(within(rng, profile.call_seconds).div_ceil(60).max(1));
        for (id, count, price) in [
            (ids.calls_in, inbound, country.voice_in),
            (ids.calls_out, answered - inbound, country.voice_out),
            (ids.recordings, recorded, tariff::RECORDING_MINUTE),
        ] {
            let whole = Whole {
                count,
                usage_each: minutes.saturating_mul(UNIT),
                price_each: minutes.saturating_mul(price),
            };
            put(rng, id, whole);
        }
    }

    /// The rent of its numbers, if any is due on the day: it goes on while an account is suspended.
    fn rent(&self, look: &Look<'_>, lives: [&Life; 2]) -> Option<(CategoryId, Whole)> {
        let month = tariff::COUNTRIES[0].number_month;
        let (due, price_each) = match look.rules.rent {
            Rent::Daily => (true, month / 30),
            Rent::Monthly => (is_monthly(self.since, look.day), month),
        };
        let closed = lives
            .iter()
            .flat_map(|life| &life.pauses)
            .any(|pause| pause.closed && pause.from_s < look.start_s);
        let count = i64::from(self.profile.numbers);
        let whole = Whole {
            count,
            usage_each: UNIT,
            price_each,
        };
        (due && !closed && count > 0).then_some((self.ids.rent, whole))
    }
}

/// How large an account is, in per cent: some are idle, most small, a few large.
fn size(rng: &mut Rng) -> u64 {
    match rng.quick(100) {
        0..=29 => 0,
        30..=79 => within(rng, [20, 120]),
        80..=97 => within(rng, [120, 300]),
        _ => within(rng, [300, 2000]),
    }
}

/// How often something happens on a day: half to one and a half times as often as asked, by size.
fn often(rng: &mut Rng, per_day: u32, size: u64) -> i64 {
    let share = u64::from(per_day) * size * within(rng, [500, 1500]) / 100;
    signed(share / 1000 + u64::from(rng.quick(1000) < share % 1000))
}

/// So many in a thousand of them, the rest by chance.
fn portion(rng: &mut Rng, of: i64, per_mille: u64) -> i64 {
    let share = of * signed(per_mille.min(1000));
    let rest = u64::try_from(share % 1000).unwrap_or(0);
    share / 1000 + i64::from(rng.quick(1000) < rest)
}

/// Nobody pays a fee of nothing.
fn free(count: i64, fee: i64) -> i64 {
    if fee == 0 { 0 } else { count }
}

/// Whether a monthly rent that began on `since` is due on a day.
fn is_monthly(since: Date, day: Date) -> bool {
    if day.day() != since.day() && day != day.last_of_month() {
        return false;
    }
    let months = (i64::from(day.year()) - i64::from(since.year())) * 12 + i64::from(day.month())
        - i64::from(since.month());
    since
        .checked_add(months.months())
        .is_ok_and(|due| due == day)
}

/// Minutes of `[start, start + elapsed)` in which the account or its parent was not active.
fn paused(start_s: i64, elapsed: i64, lives: [&Life; 2]) -> i64 {
    if lives.iter().all(|life| life.pauses.is_empty()) {
        return 0;
    }
    let mut spans: Vec<(i64, i64)> = lives
        .iter()
        .flat_map(|life| &life.pauses)
        .map(|pause| {
            let minute = |at_s: i64| {
                at_s.saturating_sub(start_s)
                    .div_euclid(60)
                    .clamp(0, elapsed)
            };
            (minute(pause.from_s), minute(pause.until_s))
        })
        .collect();
    spans.sort_unstable();
    let (mut sum, mut reached) = (0, 0);
    for (from, until) in spans {
        sum += (until - from.max(reached)).max(0);
        reached = reached.max(until);
    }
    sum
}

/// A number in `[least, most]`.
fn within(rng: &mut Rng, [least, most]: [u64; 2]) -> u64 {
    least + rng.quick(most.saturating_sub(least).saturating_add(1))
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

fn index(of: u64) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

fn seconds(milliseconds: u64) -> i64 {
    signed(milliseconds / 1000)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
