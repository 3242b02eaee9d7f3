//! Which days a usage request is about: its sub-resource, `StartDate`, `EndDate`, and today.

use jiff::ToSpan as _;
use jiff::civil::Date;

/// The sub-resource of `/Usage/Records`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Root,
    Daily,
    Monthly,
    Yearly,
    AllTime,
    Today,
    Yesterday,
    ThisMonth,
    LastMonth,
}

impl Span {
    /// The path's end, as in a row's `uri`.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::Daily => "/Daily",
            Self::Monthly => "/Monthly",
            Self::Yearly => "/Yearly",
            Self::AllTime => "/AllTime",
            Self::Today => "/Today",
            Self::Yesterday => "/Yesterday",
            Self::ThisMonth => "/ThisMonth",
            Self::LastMonth => "/LastMonth",
        }
    }

    /// Whether its name says which days it is about.
    pub(crate) fn is_convenient(self) -> bool {
        !matches!(
            self,
            Self::Root | Self::Daily | Self::Monthly | Self::Yearly
        )
    }

    /// The periods that rows are about, latest first.
    pub(crate) fn periods(self, today: Date, asked: (Date, Date)) -> Vec<(Date, Date)> {
        let (start, end) = asked;
        match self {
            Self::Root => vec![asked],
            Self::AllTime => vec![(start, end.max(today))],
            Self::Today => vec![(today, today)],
            Self::Yesterday => {
                let day = back(today, 1);
                vec![(day, day)]
            }
            Self::ThisMonth => vec![(today.first_of_month(), today)],
            Self::LastMonth => {
                let last = back(today.first_of_month(), 1);
                vec![(last.first_of_month(), last)]
            }
            Self::Daily => cut(start, end, |day| day),
            Self::Monthly => cut(start, end, Date::first_of_month),
            Self::Yearly => cut(start, end, Date::first_of_year),
        }
    }
}

/// Cuts `[start, end]` into periods that begin at `first_of`, latest first.
fn cut(start: Date, end: Date, first_of: impl Fn(Date) -> Date) -> Vec<(Date, Date)> {
    let mut periods = Vec::new();
    let mut last = end;
    while last >= start {
        let first = first_of(last).max(start);
        periods.push((first, last));
        last = back(first, 1);
    }
    periods
}

/// The day `days` before.
pub(crate) fn back(day: Date, days: i64) -> Date {
    day.checked_sub(days.days()).unwrap_or(Date::MIN)
}

/// Reads `2026-03-01`, `-30days` or `+1day`.
pub(crate) fn parse_day(text: &str, today: Date) -> Option<Date> {
    if let Ok(day) = text.parse::<Date>() {
        return (text.len() == 10).then_some(day);
    }
    let number = text
        .strip_suffix("days")
        .or_else(|| text.strip_suffix("day"))?;
    // A plus sign that was not escaped in the query arrives as a space.
    let days: i64 = number.trim_start_matches([' ', '+']).parse().ok()?;
    (days.abs() <= 36_500).then(|| back(today, -days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_absolute_or_relative_to_today() {
        let today = day("2026-03-01");
        assert_eq!(parse_day("2026-02-27", today), Some(day("2026-02-27")));
        assert_eq!(parse_day("-1day", today), Some(day("2026-02-28")));
        assert_eq!(parse_day("-30days", today), Some(day("2026-01-30")));
        assert_eq!(parse_day("+2days", today), Some(day("2026-03-03")));
        assert_eq!(parse_day("yesterday", today), None);
        assert_eq!(parse_day("2026-02-30", today), None);
    }

    #[test]
    fn months_are_clipped_to_what_was_asked() {
        let periods =
            Span::Monthly.periods(day("2026-03-05"), (day("2026-01-20"), day("2026-03-05")));
        assert_eq!(
            periods,
            [
                (day("2026-03-01"), day("2026-03-05")),
                (day("2026-02-01"), day("2026-02-28")),
                (day("2026-01-20"), day("2026-01-31")),
            ]
        );
        let asked = (day("2026-03-01"), day("2026-03-05"));
        assert_eq!(
            Span::LastMonth.periods(day("2026-03-05"), asked),
            [(day("2026-02-01"), day("2026-02-28"))]
        );
        assert_eq!(Span::Daily.periods(day("2026-03-05"), asked).len(), 5);
    }
}
