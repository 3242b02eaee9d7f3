//! Whose a subaccount is, remembered: such a row never changes, so a warm callback reads none. Strangers
//! are remembered apart and for a minute, so that made-up SIDs cannot push known ones out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws::{Store, StoreError};
use domain::Timestamp;
use domain::ids::{AccountSid, TenantId};
use jiff::SignedDuration;

/// Subaccounts that one instance remembers, and strangers.
const CACHE_MAX: usize = 4_096;
/// A subaccount that nobody has is looked for again after this long.
const STRANGER_S: i64 = 60;

/// What an instance knows about subaccounts.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    known: Mutex<HashMap<AccountSid, TenantId>>,
    strangers: Mutex<HashMap<AccountSid, Timestamp>>,
}

impl Owners {
    /// Does the subaccount belong to the tenant?
    pub(crate) async fn is_of(
        &self,
        store: &Store,
        sid: &AccountSid,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if let Some(owner) = lock(&self.known).get(sid) {
            return Ok(owner == tenant);
        }
        if lock(&self.strangers)
            .get(sid)
            .is_some_and(|seen_at| is_recent(*seen_at, now))
        {
            return Ok(false);
        }
        let Some(owner) = store.tenant_of_sid(sid).await? else {
            self.keep_stranger(sid, now);
            return Ok(false);
        };
        let is_owner = owner == *tenant;
        self.keep_owner(sid, owner);
        Ok(is_owner)
    }

    fn keep_owner(&self, sid: &AccountSid, owner: TenantId) {
        lock(&self.strangers).remove(sid);
        let mut known = lock(&self.known);
        // Any one goes: it costs one read to know it again.
        if known.len() >= CACHE_MAX
            && let Some(any) = known.keys().next().cloned()
        {
            known.remove(&any);
        }
        known.insert(sid.clone(), owner);
    }

    fn keep_stranger(&self, sid: &AccountSid, now: Timestamp) {
        let mut strangers = lock(&self.strangers);
        if strangers.len() >= CACHE_MAX {
            strangers.retain(|_, seen_at| is_recent(*seen_at, now));
        }
        if strangers.len() >= CACHE_MAX {
            strangers.clear();
        }
        strangers.insert(sid.clone(), now);
    }
}

fn is_recent(seen_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(seen_at) <= SignedDuration::from_secs(STRANGER_S)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(number: usize) -> AccountSid {
        AccountSid::parse(&format!("AC{number:032x}")).unwrap()
    }

    #[test]
    fn what_is_remembered_is_bounded_and_strangers_push_no_owner_out() {
        let owners = Owners::default();
        let tenant = TenantId::parse("ten_01JZ0000000000000000000000").unwrap();
        owners.keep_owner(&sid(0), tenant.clone());
        for number in 1..10_000 {
            owners.keep_stranger(&sid(number), Timestamp::UNIX_EPOCH);
        }
        assert!(lock(&owners.known).contains_key(&sid(0)));
        assert!(lock(&owners.strangers).len() <= CACHE_MAX);
        for number in 0..10_000 {
            owners.keep_owner(&sid(number), tenant.clone());
        }
        assert_eq!(lock(&owners.known).len(), CACHE_MAX);
    }
}
