//! Values that several resources share: how a callback is asked for, and the bounds of a filter in time.

use domain::{Date, Timestamp};
use jiff::{RoundMode, TimestampRound, Unit};

use crate::wire::open_enum;

open_enum! {
    /// How Twilio asks at a callback's address.
    CallbackMethod {
        /// Parameters in the query.
        Get = "GET",
        /// Parameters in a form: Twilio's default.
        Post = "POST",
    }
}

/// A filter's bound in time: Twilio takes a day (GMT) or a moment, to the second.
///
/// The documents speak of days, the official libraries send moments. Whoever must not miss a row asks for
/// whole days, one more at each end, and compares exactly afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeBound {
    /// This day, GMT.
    Day(Date),
    /// This moment.
    Moment(Timestamp),
}

impl TimeBound {
    /// As the first moment that a filter lets through: never later than meant.
    pub(crate) fn first(self) -> String {
        self.to_text(RoundMode::Floor)
    }

    /// As the moment from which on a filter lets nothing through: never earlier than meant.
    pub(crate) fn end(self) -> String {
        self.to_text(RoundMode::Ceil)
    }

    fn to_text(self, mode: RoundMode) -> String {
        match self {
            Self::Day(day) => day.to_string(),
            Self::Moment(moment) => {
                let to_second = TimestampRound::new().smallest(Unit::Second).mode(mode);
                moment.round(to_second).unwrap_or(moment).to_string()
            }
        }
    }
}

impl From<Date> for TimeBound {
    fn from(day: Date) -> Self {
        Self::Day(day)
    }
}

impl From<Timestamp> for TimeBound {
    fn from(moment: Timestamp) -> Self {
        Self::Moment(moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_lets_through_what_it_was_meant_to() {
        let moment = |text: &str| TimeBound::from(text.parse::<Timestamp>().unwrap());
        let between = moment("2026-08-01T12:30:05.25Z");
        assert_eq!(between.first(), "2026-08-01T12:30:05Z");
        assert_eq!(between.end(), "2026-08-01T12:30:06Z");
        let whole = moment("2026-08-01T12:30:05Z");
        assert_eq!(
            (whole.first(), whole.end()),
            ("2026-08-01T12:30:05Z".into(), "2026-08-01T12:30:05Z".into())
        );
        let day = TimeBound::from(Date::constant(2026, 8, 1));
        assert_eq!(
            (day.first(), day.end()),
            ("2026-08-01".into(), "2026-08-01".into())
        );
    }
}
