//! Subaccounts by the hundred thousand, as a driver asks for them: what can be counted with is made.

use jiff::civil::Date;

use crate::config::{Population, TrafficProfile};
use crate::sim::{Sim, SimError};
use crate::world::{day_of, tariff};

/// Accounts that a world holds at most.
const ACCOUNTS_MAX: usize = 1_000_000;
/// Messages or calls a day, numbers, seconds of a call, and years of usage, beyond which sums would not fit.
const A_DAY_MAX: u32 = 100_000;
const NUMBERS_MAX: u32 = 1000;
const CALL_SECONDS_MAX: u64 = 86_400;
const YEARS_MAX: i64 = 4;

impl Sim {
    /// Makes subaccounts by the thousand, with usage since a day; their SIDs, oldest first.
    pub fn populate(&self, population: &Population) -> Result<Vec<String>, SimError> {
        let now = self.inner.clock.now();
        population.check(day_of(now)).map_err(SimError::Invalid)?;
        let mut world = self.world();
        world.settle(now);
        let Population {
            subaccounts, since, ..
        } = *population;
        let room = ACCOUNTS_MAX.saturating_sub(world.accounts.len());
        let made = (subaccounts <= room)
            .then(|| world.populate(subaccounts, since, population.profile.clone()))
            .flatten();
        let (first, end) = made.ok_or(SimError::Invalid("subaccounts: too many"))?;
        let sids = world.accounts[first..end].iter();
        Ok(sids.map(|account| account.sid.to_string()).collect())
    }
}

impl Population {
    /// Refuses what cannot be counted with, and says what.
    fn check(&self, today: Date) -> Result<(), &'static str> {
        let TrafficProfile {
            messages_per_day,
            calls_per_day,
            call_seconds,
            countries,
            numbers,
            ..
        } = &self.profile;
        let known = |iso: &String| tariff::country(iso).is_some();
        let in_years = today.duration_since(self.since).as_hours() / (24 * 366);
        match () {
            () if self.since > today || in_years >= YEARS_MAX => Err("since"),
            () if !countries.iter().all(known) => Err("country"),
            () if *messages_per_day.max(calls_per_day) > A_DAY_MAX => {
                Err("profile: too much a day")
            }
            () if call_seconds.iter().any(|s| *s > CALL_SECONDS_MAX) => {
                Err("profile: call_seconds")
            }
            () if *numbers > NUMBERS_MAX => Err("profile: numbers"),
            () => Ok(()),
        }
    }
}
