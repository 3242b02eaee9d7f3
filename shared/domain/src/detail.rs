//! Single calls and messages, as far as rules ask for them: destination, length, the tenant's own number.
//!
//! They say how a category's usage of a day is spread over rules. Money's total stays Twilio's: what the
//! daily record holds beyond the items is a line of its own.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::category::{Category, DetailFamily, Direction, NumberType};
use crate::numbering;

/// A call that was answered, or a message that was sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Twilio's SID.
    pub sid: String,
    /// Which list it is from.
    pub family: DetailFamily,
    /// Which way it went.
    pub direction: Direction,
    /// When it was over.
    pub at: Timestamp,
    /// Who called or wrote.
    pub from: String,
    /// Who was called or written to.
    pub to: String,
    /// Twilio's units: begun minutes, segments, or 1 for a message with media.
    pub units: u64,
    /// Seconds of a call.
    pub duration_s: u64,
    /// What the whole item cost, positive; absent while it is not known.
    pub price: Option<Decimal>,
    /// The price's currency code, if there is one.
    pub price_unit: Option<String>,
}

impl Item {
    /// The category that it is part of.
    pub fn category(&self) -> Category {
        self.family.category(self.direction)
    }

    /// Its GMT day.
    pub fn day(&self) -> Date {
        crate::period::day_of(self.at)
    }

    /// The digits of the number that was called or written to.
    pub fn digits(&self) -> Option<&str> {
        numbering::digits(&self.to)
    }

    /// The tenant's own number.
    pub fn own_number(&self) -> &str {
        match self.direction {
            Direction::Inbound => &self.to,
            Direction::Outbound => &self.from,
        }
    }

    /// The type of the tenant's own number, as far as the number itself shows it.
    pub fn number_type(&self) -> Option<NumberType> {
        let own = self.own_number();
        let is_short =
            (5..=6).contains(&own.len()) && own.bytes().all(|byte| byte.is_ascii_digit());
        if is_short {
            return Some(NumberType::Shortcode);
        }
        numbering::digits(own)
            .filter(|digits| numbering::is_north_american_toll_free(digits))
            .map(|_| NumberType::Tollfree)
    }
}

/// Minutes that Twilio counts for a call: begun ones, and one for a connection of no length.
pub fn minutes(duration_s: u64) -> u64 {
    duration_s.div_ceil(60).max(1)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An outbound item on a day of March 2026.
    pub(crate) fn item(
        family: DetailFamily,
        to: &str,
        duration_s: u64,
        price: Option<i64>,
    ) -> Item {
        Item {
            sid: format!("{to}-{duration_s}"),
            family,
            direction: Direction::Outbound,
            at: "2026-03-01T10:00:00Z".parse().unwrap(),
            from: "+14155550100".into(),
            to: to.into(),
            units: if family == DetailFamily::Calls {
                minutes(duration_s)
            } else {
                1
            },
            duration_s,
            price: price.map(|price| Decimal::new(price, 5)),
            price_unit: Some("USD".into()),
        }
    }

    #[test]
    fn begun_minutes_count_and_so_does_a_connection_of_no_length() {
        assert_eq!([0, 1, 60, 61].map(minutes), [1, 1, 1, 2]);
    }

    #[test]
    fn the_own_number_shows_its_type_only_where_it_is_short_or_toll_free() {
        let of = |from: &str| {
            let item = Item {
                from: from.into(),
                ..item(DetailFamily::Sms, "+442079460000", 0, None)
            };
            item.number_type()
        };
        assert_eq!(of("+18885550100"), Some(NumberType::Tollfree));
        assert_eq!(of("54321"), Some(NumberType::Shortcode));
        assert_eq!(of("+14155550100"), None);
        assert_eq!(of("client:alice"), None);
    }
}
