//! Billing periods: from a day of one month to that day of the next, in the tenant's own time zone.
//!
//! Usage is known per GMT day, so a day belongs to the period that holds its noon: within twelve hours of
//! GMT that is the period of the same civil date, and every day belongs to exactly one period.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use crate::money;

/// Decimals of a tax rate.
const TAX_SCALE_MAX: u32 = 6;

/// When a tenant's billing periods begin.
#[derive(Debug, Clone)]
pub struct BillingCalendar {
    time_zone: TimeZone,
    billing_day: i8,
}

/// One billing period, `[from, until)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// Civil date of its start: its name.
    pub start: Date,
    /// Civil date of the next one's start.
    pub end: Date,
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
    /// First GMT day that belongs to it.
    pub first_day: Date,
    /// Last GMT day that belongs to it.
    pub last_day: Date,
}

impl Period {
    /// GMT days that belong to it.
    pub fn days(&self) -> i64 {
        let span = self.first_day.until(self.last_day);
        span.map_or(1, |span| i64::from(span.get_days()) + 1)
    }

    /// Does a GMT day belong to it?
    pub fn holds_day(&self, day: Date) -> bool {
        self.first_day <= day && day <= self.last_day
    }

    /// Does an instant lie in it?
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// Noon of a GMT day: the moment at which all of its usage counts as having happened.
pub fn noon(day: Date) -> Timestamp {
    let noon = day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC);
    noon.map_or(Timestamp::MAX, |noon| noon.timestamp())
}

/// The GMT day of a moment.
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// When a GMT day is over.
pub fn end_of(day: Date) -> Timestamp {
    day.tomorrow()
        .and_then(|next| next.to_zoned(TimeZone::UTC))
        .map_or(Timestamp::MAX, |midnight| midnight.timestamp())
}

impl BillingCalendar {
    /// A calendar. The zone's name must be known and the day between 1 and 31.
    pub fn new(time_zone: &str, billing_day: i8) -> Result<Self, &'static str> {
        check_billing_day(billing_day)?;
        Ok(Self {
            time_zone: zone(time_zone)?,
            billing_day,
        })
    }

    /// The time zone that periods follow.
    pub fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// The period that holds an instant.
    pub fn period_at(&self, at: Timestamp) -> Period {
        let civil = at.to_zoned(self.time_zone.clone()).date();
        let mut start = self.begin_in(civil.year(), civil.month());
        // Where a zone skips a day, the instant may still lie on the other side of the beginning.
        while self.instant(start) > at {
            start = self.step(start, -1);
        }
        let mut next = self.step(start, 1);
        while self.instant(next) <= at {
            start = next;
            next = self.step(start, 1);
        }
        self.period(start, next)
    }

    /// The period that a GMT day belongs to.
    pub fn period_of(&self, day: Date) -> Period {
        self.period_at(noon(day))
    }

    /// The period after this one.
    pub fn after(&self, period: &Period) -> Period {
        self.period(period.end, self.step(period.end, 1))
    }

    /// The period with this name, if there is one.
    pub fn named(&self, start: Date) -> Option<Period> {
        let period = self.period(start, self.step(start, 1));
        (self.begin_in(start.year(), start.month()) == start).then_some(period)
    }

    fn period(&self, start: Date, end: Date) -> Period {
        let (from, until) = (self.instant(start), self.instant(end));
        let first = |at: Timestamp| {
            let day = day_of(at);
            if noon(day) >= at {
                day
            } else {
                day.tomorrow().unwrap_or(day)
            }
        };
        let behind = first(until);
        Period {
            start,
            end,
            from,
            until,
            first_day: first(from),
            last_day: behind.yesterday().unwrap_or(behind),
        }
    }

    /// The billing day of a month: its last day where the month is shorter.
    fn begin_in(&self, year: i16, month: i8) -> Date {
        let first = Date::new(year, month, 1).unwrap_or(Date::MIN);
        let day = self.billing_day.min(first.days_in_month());
        Date::new(year, month, day).unwrap_or(first)
    }

    fn step(&self, start: Date, months: i32) -> Date {
        let first = start.first_of_month();
        let moved = first.saturating_add(jiff::Span::new().months(months));
        self.begin_in(moved.year(), moved.month())
    }

    /// Midnight of a civil date; where clocks skip it, the first instant after the gap; of two, the earlier.
    fn instant(&self, date: Date) -> Timestamp {
        let midnight: DateTime = date.at(0, 0, 0, 0);
        let zoned = self.time_zone.to_ambiguous_zoned(midnight);
        match zoned.offset() {
            jiff::tz::AmbiguousOffset::Gap { .. } => self.end_of_gap(midnight),
            _ => zoned
                .earlier()
                .map_or(Timestamp::MAX, |zoned| zoned.timestamp()),
        }
    }

    /// The transition that skips this civil time: the last one at or before its later reading.
    fn end_of_gap(&self, skipped: DateTime) -> Timestamp {
        let later = self.time_zone.to_ambiguous_zoned(skipped).later();
        let Ok(later) = later else {
            return Timestamp::MAX;
        };
        let after = later
            .timestamp()
            .saturating_add(jiff::SignedDuration::from_nanos(1));
        let transition = self
            .time_zone
            .preceding(after.unwrap_or(later.timestamp()))
            .next();
        transition.map_or(later.timestamp(), |transition| transition.timestamp())
    }
}

fn zone(name: &str) -> Result<TimeZone, &'static str> {
    // `get` would take a POSIX rule or a local file for a name.
    let known = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+'));
    if !known || name.len() > 64 {
        return Err("time_zone is no IANA time zone");
    }
    TimeZone::get(name).map_err(|_| "time_zone is no IANA time zone")
}

/// Is it the name of a time zone?
pub fn check_time_zone(name: &str) -> Result<(), &'static str> {
    zone(name).map(|_| ())
}

/// Is it a day that months begin anew on?
pub fn check_billing_day(day: i8) -> Result<(), &'static str> {
    if (1..=31).contains(&day) {
        Ok(())
    } else {
        Err("billing_day must be 1 to 31")
    }
}

/// Is it a share that statements can be taxed with?
pub fn check_tax_rate(rate: Decimal) -> Result<(), &'static str> {
    let fits =
        rate >= Decimal::ZERO && rate <= Decimal::ONE && rate.normalize().scale() <= TAX_SCALE_MAX;
    if fits {
        Ok(())
    } else {
        Err("tax_rate must be 0 to 1, with at most 6 decimals")
    }
}

/// The share of an amount in a period: `amount x days / period days`, at ledger scale.
pub fn prorated(amount: Decimal, unit_days: Decimal, period_days: i64) -> Decimal {
    money::round(
        amount * unit_days / Decimal::from(period_days.max(1)),
        money::LEDGER_SCALE,
    )
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn calendar(zone: &str, day: i8) -> BillingCalendar {
        BillingCalendar::new(zone, day).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_period_runs_between_midnights_of_the_tenants_zone() {
        let march = calendar("America/New_York", 1).period_of(date(2026, 3, 15));
        assert_eq!(
            (march.start, march.end),
            (date(2026, 3, 1), date(2026, 4, 1))
        );
        // Clocks went forward in between.
        assert_eq!(march.from, at("2026-03-01T05:00:00Z"));
        assert_eq!(march.until, at("2026-04-01T04:00:00Z"));
        assert_eq!(
            (march.first_day, march.last_day, march.days()),
            (date(2026, 3, 1), date(2026, 3, 31), 31)
        );
        assert_eq!(
            calendar("Asia/Kolkata", 1)
                .period_of(date(2026, 3, 1))
                .start,
            date(2026, 3, 1)
        );
    }

    #[test]
    fn the_thirty_first_is_the_last_day_of_a_shorter_month() {
        let calendar = calendar("UTC", 31);
        let period = calendar.period_of(date(2026, 2, 28));
        assert_eq!(
            (period.start, period.end),
            (date(2026, 2, 28), date(2026, 3, 31))
        );
        assert_eq!(
            calendar.period_of(date(2026, 2, 27)).start,
            date(2026, 1, 31)
        );
        assert_eq!(calendar.after(&period).start, date(2026, 3, 31));
        assert_eq!(calendar.named(date(2026, 2, 28)), Some(period));
        assert_eq!(calendar.named(date(2026, 2, 27)), None);
    }

    #[test]
    fn a_skipped_midnight_begins_after_the_gap() {
        // Clocks in Beirut go from 00:00 to 01:00 on this night.
        let period = calendar("Asia/Beirut", 29).period_of(date(2026, 4, 2));
        assert_eq!(period.from, at("2026-03-28T22:00:00Z"));
        // Samoa had no 30 December 2011 at all.
        let period = calendar("Pacific/Apia", 30).period_of(date(2011, 12, 31));
        assert_eq!(period.from, at("2011-12-30T10:00:00Z"));
    }

    #[test]
    fn a_day_of_a_far_zone_falls_by_its_noon() {
        let period = calendar("Pacific/Kiritimati", 1).period_of(date(2026, 3, 31));
        assert_eq!(period.start, date(2026, 4, 1));
    }

    #[test]
    fn what_is_no_zone_day_or_rate_is_refused() {
        for zone in [
            "",
            "Mars/Base",
            "UTC+3x",
            "../etc/passwd",
            "EST5EDT,M3.2.0,M11.1.0",
        ] {
            assert!(check_time_zone(zone).is_err(), "{zone}");
        }
        assert!(check_billing_day(0).is_err() && check_billing_day(32).is_err());
        assert!(check_tax_rate(Decimal::TWO).is_err());
        assert!(check_tax_rate(Decimal::new(-1, 2)).is_err());
        assert!(check_tax_rate(Decimal::new(19, 2)).is_ok());
    }

    proptest! {
        #[test]
        fn every_instant_and_day_is_in_exactly_one_period(
            second in 0_i64..4_000_000_000,
            day in 1_i8..32,
            zone in proptest::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Beirut", "America/Sao_Paulo"]),
        ) {
            let calendar = calendar(zone, day);
            let instant = Timestamp::from_second(second).unwrap();
            let period = calendar.period_at(instant);
            prop_assert!(period.holds(instant));
            let next = calendar.after(&period);
            prop_assert_eq!(next.from, period.until);
            prop_assert_eq!(period.last_day.tomorrow().unwrap(), next.first_day);
            let day = day_of(instant);
            prop_assert!(calendar.period_of(day).holds_day(day));
            prop_assert!((27..=32).contains(&period.days()));
            prop_assert_eq!(calendar.named(period.start), Some(period));
        }
    }
}
