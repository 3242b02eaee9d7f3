//! A range of GMT days from a query, bounded.

use domain::Date;
use jiff::Unit;

use crate::problem::{Code, Failure};

/// Days of a range at most.
pub const DAYS_MAX: i64 = 366;

/// Days from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
}

impl Days {
    /// Reads `YYYY-MM-DD` twice.
    pub fn parse(from: Option<&str>, to: Option<&str>) -> Result<Self, Failure> {
        let day = |text: Option<&str>| {
            text.filter(|text| text.len() == 10)
                .and_then(|text| text.parse::<Date>().ok())
                .ok_or(Code::RANGE_INVALID)
        };
        let (from, to) = (day(from)?, day(to)?);
        let span = from
            .until((Unit::Day, to))
            .map_err(|_| Code::RANGE_INVALID)?;
        let days = i64::from(span.get_days()) + 1;
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(Code::RANGE_INVALID.because(format!("from 1 to {DAYS_MAX} days")));
        }
        Ok(Self { from, to })
    }

    /// Every day, in order.
    pub fn iter(self) -> impl Iterator<Item = Date> {
        self.from
            .series(jiff::Span::new().days(1))
            .take_while(move |day| *day <= self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_forwards_and_bounded() {
        let parse = |from, to| Days::parse(Some(from), Some(to));
        assert_eq!(parse("2026-02-27", "2026-03-01").unwrap().iter().count(), 3);
        assert_eq!(
            parse("2028-01-01", "2028-12-31").unwrap().iter().count(),
            366
        );
        for (from, to) in [
            ("2026-03-01", "2026-02-28"),
            ("2026-01-01", "2027-01-02"),
            ("2026-13-01", "2026-12-31"),
            ("20260101", "2026-12-31"),
            ("", ""),
        ] {
            assert_eq!(
                parse(from, to).unwrap_err().code(),
                "invalid_range",
                "{from} {to}"
            );
        }
        assert!(Days::parse(None, Some("2026-01-01")).is_err());
    }
}
