//! The order of provisioning's steps, and what a listing of subaccounts says to do.
//!
//! Each step persists its intent, calls, and persists the result; so the row always names the step that
//! comes next, and a run that begins there after a crash repeats at most one call.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::AccountSid;

/// A step of provisioning, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Find the subaccount by name and adopt it, or create it.
    Subaccount,
    /// Store its auth token.
    Secret,
    /// Issue its first API key.
    ApiKey,
    /// Open its ledger accounts and put it in service.
    Activate,
    /// Nothing left.
    Done,
}

impl Step {
    /// All steps in order, `Done` left out.
    pub const ALL: [Self; 4] = [Self::Subaccount, Self::Secret, Self::ApiKey, Self::Activate];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subaccount => "subaccount",
            Self::Secret => "secret",
            Self::ApiKey => "api_key",
            Self::Activate => "activate",
            Self::Done => "done",
        }
    }
}

/// A subaccount that carries the tenant's FriendlyName.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its SID.
    pub account_sid: AccountSid,
    /// Closed ones are of no use.
    pub closed: bool,
    /// When Twilio made it.
    pub created_at: Option<Timestamp>,
}

/// What to do about the subaccount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubaccountDecision {
    /// It exists: take it.
    Adopt(AccountSid),
    /// It was never asked for: create it.
    Create,
    /// A create was sent and its outcome is unknown: look again at this moment before asking again.
    LookAgain(Timestamp),
}

/// How long after an unanswered create the listing is trusted: Twilio's lists may lag.
pub const CREATE_SETTLES_AFTER_S: i64 = 30;

/// Decides from a fresh listing. `create_sent_at` is the persisted intent of an earlier create.
pub fn decide_subaccount(
    candidates: &[Candidate],
    create_sent_at: Option<Timestamp>,
    now: Timestamp,
) -> SubaccountDecision {
    let open = candidates.iter().filter(|candidate| !candidate.closed);
    if let Some(oldest) =
        open.min_by_key(|candidate| (candidate.created_at, candidate.account_sid.clone()))
    {
        return SubaccountDecision::Adopt(oldest.account_sid.clone());
    }
    match create_sent_at
        .map(|sent| sent.checked_add(jiff::SignedDuration::from_secs(CREATE_SETTLES_AFTER_S)))
    {
        Some(Ok(settled)) if settled > now => SubaccountDecision::LookAgain(settled),
        _ => SubaccountDecision::Create,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn candidate(digit: char, closed: bool, created: i64) -> Candidate {
        let account_sid =
            AccountSid::parse(&format!("AC{}", digit.to_string().repeat(32))).unwrap();
        Candidate {
            account_sid,
            closed,
            created_at: Some(at(created)),
        }
    }

    #[test]
    fn the_oldest_open_subaccount_of_the_name_is_adopted() {
        let found = [
            candidate('1', true, 1),
            candidate('2', false, 3),
            candidate('3', false, 2),
        ];
        assert_eq!(
            decide_subaccount(&found, None, at(100)),
            SubaccountDecision::Adopt(found[2].account_sid.clone())
        );
    }

    #[test]
    fn a_create_of_unknown_outcome_is_looked_for_before_it_is_sent_again() {
        assert_eq!(
            decide_subaccount(&[], None, at(100)),
            SubaccountDecision::Create
        );
        assert_eq!(
            decide_subaccount(&[], Some(at(100)), at(110)),
            SubaccountDecision::LookAgain(at(130))
        );
        assert_eq!(
            decide_subaccount(&[], Some(at(100)), at(130)),
            SubaccountDecision::Create
        );
    }
}
