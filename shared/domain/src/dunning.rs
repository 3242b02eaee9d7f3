//! What a person decided about one tenant's suspension, and what the standing needs to remember besides itself.
//!
//! It lives in the wallet and is written with it, under the standing's version: a payment, a decision and the
//! suspender never act on different states of it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How far ahead a hold can be put off (90 days).
pub const HOLD_OFF_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Who decides on suspending a tenant, where it is not the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exemption {
    /// Nobody: no hold is placed by itself.
    NeverSuspend,
    /// A person, who is told when it is time.
    ManualOnly,
}

impl Exemption {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverSuspend => "never_suspend",
            Self::ManualOnly => "manual_only",
        }
    }
}

/// A tenant's dunning besides its standing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dunning {
    /// Who decides on suspending it, if it is not the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemption: Option<Exemption>,
    /// No `unpaid` hold before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_off_until: Option<Timestamp>,
    /// When the last `unpaid` hold ended without a payment: the next one does not follow at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
    /// When time alone may change the standing or lift a cap's hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action_at: Option<Timestamp>,
}

impl Dunning {
    /// Did a person put the hold off beyond this moment?
    pub fn is_held_off(&self, now: Timestamp) -> bool {
        self.hold_off_until.is_some_and(|until| now < until)
    }

    /// Has nothing been decided or remembered?
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
