//! Which phone numbers a tenant held on which day: what a fee per number is charged for.
//!
//! Twilio tells only what is held now. A number counts on every day from the one it came to the last one that
//! it was seen on, so that neither a missed look nor a quick look changes a day that is over.

use std::collections::BTreeMap;

use jiff::civil::Date;

/// Days that a given-up number is remembered for: longer than any revision is booked.
const REMEMBERED_DAYS: i32 = 400;

/// A number that an account holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldNumber {
    /// In E.164 form.
    pub number: String,
    /// GMT day that it came to Twilio, if known.
    pub since: Option<Date>,
}

/// Days from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First day.
    pub from: Date,
    /// Last day that it was seen on.
    pub until: Date,
}

/// The record of numbers held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holdings {
    /// The day of the last look.
    pub seen: Option<Date>,
    /// Numbers held at the last look, with their first days.
    pub held: BTreeMap<String, Date>,
    /// Numbers that were given up; a number that came back has several.
    pub gone: Vec<(String, Span)>,
}

impl Holdings {
    /// The record after a look on a day. Doing it again changes nothing; a look back in time is ignored.
    #[must_use]
    pub fn look(&self, today: Date, in_service_since: Date, now_held: &[HeldNumber]) -> Self {
        if self.seen.is_some_and(|seen| today < seen) {
            return self.clone();
        }
        let mut next = Self {
            seen: Some(today),
            held: BTreeMap::new(),
            gone: self.gone.clone(),
        };
        for found in now_held {
            let known = self.held.get(&found.number).copied();
            let first = known.unwrap_or_else(|| self.came(found, today, in_service_since));
            next.held.insert(found.number.clone(), first);
        }
        let seen = self.seen.unwrap_or(today);
        for (number, from) in &self.held {
            if !next.held.contains_key(number) {
                let span = Span {
                    from: *from,
                    until: seen,
                };
                next.gone.push((number.clone(), span));
            }
        }
        let oldest = today.saturating_sub(jiff::Span::new().days(REMEMBERED_DAYS));
        next.gone.retain(|(_, span)| span.until >= oldest);
        next.gone.sort();
        next
    }

    /// The first day of a number that the last look did not find: the day that it was bought, or today for one
    /// that another account had bought before.
    fn came(&self, found: &HeldNumber, today: Date, in_service_since: Date) -> Date {
        let bought = found.since.unwrap_or(today).min(today);
        match self.seen {
            None => bought.max(in_service_since).min(today),
            Some(seen) if bought > seen => bought,
            Some(_) => today,
        }
    }

    /// How many different numbers were held on a day.
    pub fn count_on(&self, day: Date) -> u32 {
        let is_seen = self.seen.is_some_and(|seen| day <= seen);
        let held = self
            .held
            .iter()
            .filter(|(_, from)| is_seen && **from <= day);
        let mut numbers: Vec<&str> = held.map(|(number, _)| number.as_str()).collect();
        let gone = self.gone.iter();
        let gone = gone.filter(|(_, span)| span.from <= day && day <= span.until);
        numbers.extend(gone.map(|(number, _)| number.as_str()));
        numbers.sort_unstable();
        numbers.dedup();
        u32::try_from(numbers.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(number: i8) -> Date {
        jiff::civil::date(2026, 3, number)
    }

    fn held(number: &str, since: i8) -> HeldNumber {
        HeldNumber {
            number: number.to_owned(),
            since: Some(day(since)),
        }
    }

    #[test]
    fn a_number_counts_from_the_day_it_came_to_the_last_day_it_was_seen() {
        let first = Holdings::default().look(day(3), day(1), &[held("+1", 2)]);
        let second = first.look(
            day(6),
            day(1),
            &[held("+1", 2), held("+2", 5), held("+3", 1)],
        );
        let third = second.look(day(9), day(1), &[held("+3", 1)]);
        let counts: Vec<u32> = (1..=10).map(|number| third.count_on(day(number))).collect();
        // +1 on 2 to 6, +2 on 5 and 6, +3 (bought elsewhere long ago) from 6 to 9.
        assert_eq!(counts, [0, 1, 1, 1, 2, 3, 1, 1, 1, 0]);
    }

    #[test]
    fn a_number_bought_before_the_tenant_went_into_service_counts_from_then_on() {
        let first = Holdings::default().look(day(5), day(4), &[held("+1", 1)]);
        assert_eq!(
            [3, 4, 5].map(|number| first.count_on(day(number))),
            [0, 1, 1]
        );
    }

    #[test]
    fn a_number_that_comes_back_on_the_day_it_went_counts_once() {
        let first = Holdings::default().look(day(3), day(1), &[held("+1", 2)]);
        let second = first.look(day(3), day(1), &[]);
        let third = second.look(day(3), day(1), &[held("+1", 3)]);
        assert_eq!(third.count_on(day(3)), 1);
    }

    proptest! {
        #[test]
        fn days_that_are_over_never_change(looks in proptest::collection::vec((1_i8..28, proptest::collection::btree_set(0_u8..6, 0..6)), 1..12)) {
            let mut looks = looks;
            looks.sort();
            let mut holdings = Holdings::default();
            for (number, set) in looks {
                let now: Vec<HeldNumber> = set.iter().map(|n| held(&n.to_string(), number)).collect();
                let next = holdings.look(day(number), day(1), &now);
                prop_assert_eq!(&next.look(day(number), day(1), &now), &next);
                if let Some(seen) = holdings.seen {
                    for over in 1..seen.day() {
                        prop_assert_eq!(next.count_on(day(over)), holdings.count_on(day(over)));
                    }
                }
                holdings = next;
            }
        }
    }
}
