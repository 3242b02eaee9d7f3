//! Exchange rates that an operator recorded: what releases a day whose prices came in another currency.
//!
//! A rate holds for days; ranges never overlap and never change, so that a booked day is never converted anew.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

/// Most digits behind the point of a rate.
const SCALE_MAX: u32 = 9;
/// Ranges of one pair of currencies: a rate a day for ten years.
const RATES_MAX: usize = 3_660;

/// A rate for a range of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRate {
    /// First GMT day.
    pub from: Date,
    /// Last GMT day.
    pub until: Date,
    /// Units of the tenant's currency for one unit of Twilio's.
    pub rate: Decimal,
    /// Who recorded it.
    pub actor: String,
    /// Why, or where it comes from.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Why a rate is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Not above zero, too fine or too large, or days in the wrong order.
    #[error("a rate is above 0 and below 1000000 with at most 9 decimals, for days in order")]
    Invalid,
    /// Another rate holds for one of the days.
    #[error("a rate is recorded for one of these days")]
    Overlaps,
    /// Ten years of daily rates are there.
    #[error("a pair of currencies has at most 3660 rates")]
    TooMany,
}

/// All rates of one pair of currencies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rates {
    /// 0 = never written.
    pub rev: u64,
    /// In order of days.
    pub recorded: Vec<RecordedRate>,
}

impl Rates {
    /// The rate of a day.
    pub fn on(&self, day: Date) -> Option<Decimal> {
        let found = self
            .recorded
            .iter()
            .find(|rate| rate.from <= day && day <= rate.until);
        found.map(|rate| rate.rate)
    }

    /// With one more. The same range with the same rate again changes nothing.
    pub fn with(&self, new: RecordedRate) -> Result<Self, RateError> {
        let limit = Decimal::from(1_000_000);
        let is_rate = new.rate > Decimal::ZERO && new.rate < limit;
        if !is_rate || new.rate.normalize().scale() > SCALE_MAX || new.until < new.from {
            return Err(RateError::Invalid);
        }
        let is_same = |known: &RecordedRate| {
            (known.from, known.until, known.rate) == (new.from, new.until, new.rate)
        };
        if self.recorded.iter().any(is_same) {
            return Ok(self.clone());
        }
        let overlaps = |known: &RecordedRate| known.from <= new.until && new.from <= known.until;
        if self.recorded.iter().any(overlaps) {
            return Err(RateError::Overlaps);
        }
        if self.recorded.len() >= RATES_MAX {
            return Err(RateError::TooMany);
        }
        let mut next = self.clone();
        next.recorded.push(new);
        next.recorded.sort_by_key(|rate| rate.from);
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(from: i8, until: i8, rate: &str) -> RecordedRate {
        RecordedRate {
            from: jiff::civil::date(2026, 3, from),
            until: jiff::civil::date(2026, 3, until),
            rate: rate.parse().unwrap(),
            actor: "op".into(),
            reason: "bank".into(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_day_has_one_rate_for_ever() {
        let rates = Rates::default().with(rate(3, 5, "1.1")).unwrap();
        assert_eq!(rates.with(rate(3, 5, "1.10")).unwrap(), rates);
        for (from, until) in [(3, 5), (5, 9), (1, 3), (4, 4), (1, 9)] {
            assert_eq!(
                rates.with(rate(from, until, "1.2")),
                Err(RateError::Overlaps)
            );
        }
        let rates = rates.with(rate(1, 2, "1.2")).unwrap();
        let on = |day: i8| {
            rates
                .on(jiff::civil::date(2026, 3, day))
                .map(|rate| rate.to_string())
        };
        assert_eq!(on(2).as_deref(), Some("1.2"));
        assert_eq!((on(3).as_deref(), on(6)), (Some("1.1"), None));
    }

    #[test]
    fn a_rate_that_makes_no_sense_is_refused() {
        for (from, until, value) in [
            (3, 2, "1"),
            (1, 1, "0"),
            (1, 1, "-1"),
            (1, 1, "1000000"),
            (1, 1, "1.0000000001"),
        ] {
            assert_eq!(
                Rates::default().with(rate(from, until, value)),
                Err(RateError::Invalid)
            );
        }
    }
}
