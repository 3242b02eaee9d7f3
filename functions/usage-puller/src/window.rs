//! Which days a run reads. Twilio revises what is young often and what is old seldom, so runs look back three
//! days, a tenant's daily turn two weeks, and once a month a turn sweeps three months.

use aws::Command;
use domain::Date;
use domain::pull_state::PullState;
use domain::rating::DaySheet;
use domain::usage::{
    HOT_WINDOW_DAYS, SWEEP_WINDOW_DAYS, TOTAL, UsageRecord, WARM_WINDOW_DAYS, window_start,
};
use jiff::{Span, ToSpan as _};

/// Days of one run. Of a longer gap the oldest are read, and the latest; the rest follows with the next runs.
const DAYS_MAX: usize = 95;

/// How far back a run looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Something happened, or time passed.
    Hot,
    /// The tenant's daily turn.
    Daily,
    /// A person asked for days.
    Requested,
}

impl Turn {
    pub(crate) fn of(command: &Command) -> Self {
        match command.cause.as_str() {
            aws::DAILY => Self::Daily,
            aws::REPULL => Self::Requested,
            _ => Self::Hot,
        }
    }
}

/// The days that every run reads.
pub(crate) fn hot(today: Date) -> Vec<Date> {
    days(before(today, HOT_WINDOW_DAYS), today)
}

/// The days of a run, in order, and whether a gap is longer than that.
pub(crate) fn of_run(
    turn: Turn,
    state: Option<&PullState>,
    through: Option<Date>,
    today: Date,
    created_on: Date,
) -> (Vec<Date>, bool) {
    let back = match turn {
        Turn::Hot | Turn::Requested => HOT_WINDOW_DAYS,
        Turn::Daily if is_sweep(state, today) => SWEEP_WINDOW_DAYS,
        Turn::Daily => WARM_WINDOW_DAYS,
    };
    let start = window_start(through, today, created_on);
    let mut window = days(start, today);
    let has_more = window.len() > DAYS_MAX;
    if has_more {
        let latest = window.len() - hot(today).len();
        let oldest = DAYS_MAX - hot(today).len();
        window.drain(oldest..latest);
    }
    // Further back than the gap; what no run has read yet waits for its turn.
    window.extend(days(before(today, back), start.min(today)));
    if turn == Turn::Requested {
        let requested = state.iter().flat_map(|state| &state.requested);
        window.extend(requested.flat_map(|(from, to)| days(*from, (*to).min(today))));
    }
    window.retain(|day| *day >= created_on);
    window.sort_unstable();
    window.dedup();
    (window, has_more)
}

/// Is this the first daily turn of a month?
pub(crate) fn is_sweep(state: Option<&PullState>, today: Date) -> bool {
    let swept_on = state.and_then(|state| state.swept_on);
    swept_on.is_none_or(|swept| (swept.year(), swept.month()) != (today.year(), today.month()))
}

/// Does a day lie further back than single items are read again for without a cause?
pub(crate) fn is_deep(day: Date, today: Date, state: Option<&PullState>) -> bool {
    let mut requested = state.iter().flat_map(|state| &state.requested);
    day < before(today, WARM_WINDOW_DAYS) && !requested.any(|(from, to)| *from <= day && day <= *to)
}

/// Days whose booked cost is Twilio's total.
pub(crate) fn unchanged(
    window: &[Date],
    sheets: &[DaySheet],
    records: &[UsageRecord],
) -> Vec<Date> {
    let total = |day: Date| {
        let mut of_day = records.iter().filter(|record| record.day == day);
        of_day.find(|record| record.category == TOTAL)?.price
    };
    let is_unchanged = |day: &Date| {
        let sheet = sheets.iter().find(|sheet| sheet.day == *day);
        sheet.is_some_and(|sheet| sheet.held.is_none() && total(*day) == Some(sheet.cost()))
    };
    window.iter().copied().filter(is_unchanged).collect()
}

fn before(day: Date, by: i32) -> Date {
    day.saturating_sub(Span::new().days(by))
}

fn days(start: Date, end: Date) -> Vec<Date> {
    start
        .series(1.day())
        .take_while(|day| *day <= end)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = Date::constant(2026, 6, 30);

    fn window(turn: Turn, state: &PullState, through: Option<Date>) -> (Vec<Date>, bool) {
        of_run(
            turn,
            Some(state),
            through,
            TODAY,
            Date::constant(2026, 1, 1),
        )
    }

    #[test]
    fn each_turn_looks_as_far_back_as_its_window() {
        let yesterday = Some(before(TODAY, 1));
        let first = |turn: Turn, state: &PullState| window(turn, state, yesterday).0[0];
        let mut state = PullState::default();
        assert_eq!(first(Turn::Hot, &state), before(TODAY, 3));
        assert_eq!(first(Turn::Daily, &state), before(TODAY, 95));
        state.swept_on = Some(Date::constant(2026, 6, 1));
        assert_eq!(first(Turn::Daily, &state), before(TODAY, 14));
        assert_eq!(window(Turn::Daily, &state, yesterday).0.len(), 15);
    }

    #[test]
    fn requested_days_are_read_besides_the_latest_ones() {
        let state = PullState {
            requested: vec![(Date::constant(2026, 2, 1), Date::constant(2026, 2, 3))],
            ..PullState::default()
        };
        let (days, has_more) = window(Turn::Requested, &state, Some(before(TODAY, 1)));
        assert_eq!((days.len(), has_more), (3 + 4, false));
        assert_eq!(days[0], Date::constant(2026, 2, 1));
        assert!(!is_deep(days[1], TODAY, Some(&state)));
        assert!(is_deep(Date::constant(2026, 2, 4), TODAY, Some(&state)));
    }

    #[test]
    fn a_gap_is_closed_from_its_oldest_day_while_the_latest_are_read_too() {
        let state = PullState::default();
        let (days, has_more) = window(Turn::Hot, &state, Some(Date::constant(2026, 2, 1)));
        assert!(has_more);
        assert_eq!((days.len(), days[0]), (95, Date::constant(2026, 2, 1)));
        assert_eq!(days[91..], hot(TODAY)[..]);
    }

    #[test]
    fn a_tenants_days_begin_with_it() {
        let created = before(TODAY, 5);
        let (days, _) = of_run(Turn::Daily, None, None, TODAY, created);
        assert_eq!((days.len(), days[0]), (6, created));
    }
}
