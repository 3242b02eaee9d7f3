//! Accounts by the hundred thousand: rows like any other, whose usage is derived from the seed when it is
//! read. What happens to one afterwards is on top of that.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::accounts::Status;
use super::{MAIN, World, day_of, start_of};
use crate::config::TrafficProfile;
use crate::rng::Rng;
use crate::sid::Sid;
use crate::usage::derived::{Pause, Population};

impl World {
    /// Makes so many subaccounts with usage since a day; the indices of the first and the one after the last.
    /// `None` when there were too many populations already.
    pub(crate) fn populate(
        &mut self,
        subaccounts: usize,
        since: Date,
        profile: TrafficProfile,
    ) -> Option<(usize, usize)> {
        let population = u16::try_from(self.records.populations.len()).ok()?;
        let made = Population::new(since, profile, Arc::make_mut(&mut self.catalogue));
        self.records.populations.push(made);
        let first = self.accounts.len();
        self.accounts.reserve_exact(subaccounts);
        self.index.reserve(subaccounts);
        let at = start_of(since);
        for ordinal in first..first + subaccounts {
            let seeded = u64::try_from(ordinal).unwrap_or(u64::MAX).to_le_bytes();
            let mut rng = Rng::of(self.seed, &[b"subaccount", &seeded]);
            let sid = Sid::draw("AC", &mut rng);
            let name = format!("Subaccount {ordinal:06}");
            let account = self.open_account(sid, rng.hex(32), name, at);
            let life = &mut self.accounts[account].life;
            life.population = Some(population);
            life.seed = rng.next();
        }
        // Twilio raises the limit of whoever needs it: there is as much room as before.
        self.subaccount_limit = self.subaccount_limit.saturating_add(subaccounts);
        self.forget_all();
        Some((first, first + subaccounts))
    }

    /// Derived usage stops where an account is not active, and goes on when it is again.
    pub(super) fn follow_status(&mut self, account: usize, at: Timestamp) {
        let owner = &mut self.accounts[account];
        if owner.life.population.is_none() && account != MAIN {
            return;
        }
        let pauses = &mut owner.life.pauses;
        let now_s = at.as_second();
        let going_on = pauses.last_mut().filter(|pause| pause.until_s == i64::MAX);
        match (owner.status, going_on) {
            (Status::Active, Some(pause)) => pause.until_s = now_s,
            (Status::Closed, Some(pause)) if pause.closed => {}
            (Status::Closed, Some(pause)) => {
                pause.until_s = now_s;
                pauses.push(Pause::from(now_s, true));
            }
            (Status::Closed, None) => pauses.push(Pause::from(now_s, true)),
            (Status::Suspended, None) => pauses.push(Pause::from(now_s, false)),
            (Status::Active, None) | (Status::Suspended, Some(_)) => {}
        }
        self.forget_from(day_of(at));
    }
}

impl Pause {
    /// One that goes on.
    fn from(from_s: i64, closed: bool) -> Self {
        Self {
            from_s,
            until_s: i64::MAX,
            closed,
        }
    }
}
