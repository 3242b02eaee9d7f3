//! Rotating an auth token: which token is to go, how far it is, and what is to be done next.
//!
//! A secondary token signs nothing until it is promoted, and it authenticates before that: so whether the
//! promotion happened is told by the primary token that Twilio shows, never by a token that works. What is to
//! be replaced is remembered by its fingerprint; a token is never kept here.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Webhooks that read the tokens just before the new one was stored have read them again by then.
pub const STORED_BEFORE_PROMOTED_S: i64 = 10;
/// A promotion whose answer is lost has shown by then, if it happened (Twilio: about a minute).
pub const PROMOTION_SHOWS_S: i64 = 60;

/// A rotation that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// When.
    pub asked_at: Timestamp,
    /// Who: an operator key's id or a function's name.
    pub actor: String,
    /// Why, for people.
    pub reason: String,
    /// Fingerprint of the token to replace.
    pub replaced: String,
    /// When the new token was stored beside the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<Timestamp>,
    /// When Twilio was last asked to promote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promote_sent_at: Option<Timestamp>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Delete a secondary token that may be left over, make one, store it beside the old one.
    MakeSecondary,
    /// Nothing before that moment.
    WaitUntil(Timestamp),
    /// Promote the stored one.
    Promote,
    /// The primary token is another one than the one to replace: put it in force.
    PutInForce,
}

impl Rotation {
    /// Decides from the primary token that Twilio shows and the one that is stored beside it.
    pub fn next_step(&self, primary: &str, pending: Option<&str>, now: Timestamp) -> NextStep {
        if primary != self.replaced {
            return NextStep::PutInForce;
        }
        let (Some(stored_at), Some(pending)) = (self.stored_at, pending) else {
            return NextStep::MakeSecondary;
        };
        if pending == primary {
            return NextStep::MakeSecondary;
        }
        let read_by_all = after(stored_at, STORED_BEFORE_PROMOTED_S);
        let shown_by = self
            .promote_sent_at
            .map(|sent| after(sent, PROMOTION_SHOWS_S));
        let not_before = shown_by.map_or(read_by_all, |shown_by| shown_by.max(read_by_all));
        if now < not_before {
            NextStep::WaitUntil(not_before)
        } else {
            NextStep::Promote
        }
    }

    /// There is no secondary token at Twilio: another one has to be made.
    pub fn begun_again(&self) -> Self {
        Self {
            stored_at: None,
            promote_sent_at: None,
            ..self.clone()
        }
    }
}

fn after(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn begun() -> Rotation {
        Rotation {
            asked_at: at(0),
            actor: "opk".to_owned(),
            reason: "leaked".to_owned(),
            replaced: "old".to_owned(),
            stored_at: None,
            promote_sent_at: None,
        }
    }

    #[test]
    fn a_new_token_is_stored_before_it_is_promoted_and_webhooks_have_time_to_read_it() {
        let begun = begun();
        assert_eq!(begun.next_step("old", None, at(0)), NextStep::MakeSecondary);
        let stored = Rotation {
            stored_at: Some(at(5)),
            ..begun
        };
        assert_eq!(
            stored.next_step("old", Some("new"), at(5)),
            NextStep::WaitUntil(at(15))
        );
        assert_eq!(
            stored.next_step("old", Some("new"), at(15)),
            NextStep::Promote
        );
        assert_eq!(
            stored.next_step("new", Some("new"), at(6)),
            NextStep::PutInForce
        );
    }

    #[test]
    fn a_promotion_of_unknown_outcome_is_looked_for_before_it_is_asked_for_again() {
        let sent = Rotation {
            stored_at: Some(at(5)),
            promote_sent_at: Some(at(20)),
            ..begun()
        };
        assert_eq!(
            sent.next_step("old", Some("new"), at(30)),
            NextStep::WaitUntil(at(80))
        );
        assert_eq!(
            sent.next_step("old", Some("new"), at(80)),
            NextStep::Promote
        );
    }

    #[test]
    fn a_token_that_was_changed_by_other_hands_is_put_in_force_as_it_is() {
        assert_eq!(
            begun().next_step("console", Some("new"), at(0)),
            NextStep::PutInForce
        );
    }

    #[test]
    fn what_is_stored_beside_the_old_token_and_is_the_old_token_is_of_no_use() {
        let odd = Rotation {
            stored_at: Some(at(0)),
            ..begun()
        };
        assert_eq!(
            odd.next_step("old", Some("old"), at(100)),
            NextStep::MakeSecondary
        );
    }
}
