//! The suspender's decisions: which hold changes, what Twilio must be told, when no call is live any more.

use jiff::{SignedDuration, Timestamp};

use crate::tenant::{Hold, Lifecycle, Tenant, TwilioStatus};
use crate::wallet::Wallet;

/// Two empty listings must lie this far apart: Twilio's call list is eventually consistent.
pub const EMPTY_LISTS_APART_S: i64 = 5;

/// Holds that follow from the wallet: only the suspender places and lifts them.
pub const OF_WALLET: [Hold; 2] = [Hold::Unpaid, Hold::SpendCap];

/// A change of a hold that follows from the wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldChange {
    /// Place it.
    Place,
    /// Lift it.
    Lift,
    /// It stands as it should.
    Keep,
}

/// Holds a hold against the wallet that it follows from. Only the suspender acts on it.
pub fn decide_hold(tenant: &Tenant, wallet: &Wallet, hold: Hold) -> HoldChange {
    if tenant.lifecycle == Lifecycle::Closed {
        return HoldChange::Keep;
    }
    match (wallet.calls_for(hold), tenant.holds.contains_key(&hold)) {
        (true, false) => HoldChange::Place,
        (false, true) => HoldChange::Lift,
        _ => HoldChange::Keep,
    }
}

/// What must happen in Twilio for a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcement {
    /// Twilio already has the desired status and, when suspended, no call is left to end.
    None,
    /// Post `suspended` first, so that no new call can start, then end the live ones.
    Suspend,
    /// Post `active`.
    Reactivate,
}

/// Decides from a fresh row. A tenant that is not in service, or closed, is left alone.
pub fn decide_enforcement(tenant: &Tenant) -> Enforcement {
    let in_service = matches!(
        tenant.lifecycle,
        Lifecycle::Active | Lifecycle::Closing | Lifecycle::CloseBlocked
    );
    if !in_service || tenant.account_sid.is_none() {
        return Enforcement::None;
    }
    match (tenant.desired_status(), tenant.twilio_status) {
        (TwilioStatus::Suspended, Some(TwilioStatus::Suspended))
        | (TwilioStatus::Active, Some(TwilioStatus::Active))
        | (TwilioStatus::Closed, _) => Enforcement::None,
        (TwilioStatus::Suspended, _) => Enforcement::Suspend,
        (TwilioStatus::Active, _) => Enforcement::Reactivate,
    }
}

/// Watches listings of live calls until two empty ones lie far enough apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveCallWatch {
    first_empty_at: Option<Timestamp>,
}

impl LiveCallWatch {
    /// Takes one listing's count and says whether the silence is proven.
    pub fn observe(&mut self, live_calls: usize, now: Timestamp) -> bool {
        if live_calls > 0 {
            self.first_empty_at = None;
            return false;
        }
        let first = *self.first_empty_at.get_or_insert(now);
        now.duration_since(first) >= SignedDuration::from_secs(EMPTY_LISTS_APART_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn silence_is_proven_by_two_empty_lists_five_seconds_apart() {
        let mut watch = LiveCallWatch::default();
        assert!(!watch.observe(0, at(0)));
        assert!(!watch.observe(0, at(4)));
        assert!(watch.observe(0, at(5)));
    }

    #[test]
    fn a_call_that_appears_between_starts_the_watch_again() {
        let mut watch = LiveCallWatch::default();
        assert!(!watch.observe(0, at(0)));
        assert!(!watch.observe(1, at(5)));
        assert!(!watch.observe(0, at(6)));
        assert!(!watch.observe(0, at(10)));
        assert!(watch.observe(0, at(11)));
    }
}
