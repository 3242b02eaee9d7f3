//! The order of provisioning's steps, and what a listing of subaccounts says to do.
//!
//! Each step persists its intent, calls, and persists the result; so the row always names the step that
//! comes next, and a run that begins there after a crash repeats at most one call.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
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
    /// Have Twilio watch what it takes from the subaccount.
    UsageTriggers,
    /// Make its application, which answers calls and messages that come in.
    Application,
    /// Buy the numbers that were asked for.
    Numbers,
    /// Open its ledger accounts and put it in service.
    Activate,
    /// Nothing left.
    Done,
}

impl Step {
    /// All steps in order, `Done` left out.
    pub const ALL: [Self; 7] = [
        Self::Subaccount,
        Self::Secret,
        Self::ApiKey,
        Self::UsageTriggers,
        Self::Application,
        Self::Numbers,
        Self::Activate,
    ];

    /// The step behind this one; what was not asked for is passed over.
    pub fn next(self, options: &Options) -> Self {
        let behind = Self::ALL.into_iter().filter(|step| *step > self);
        let mut wanted = behind.filter(|step| step.is_wanted(options));
        wanted.next().unwrap_or(Self::Done)
    }

    /// Was it asked for?
    pub fn is_wanted(self, options: &Options) -> bool {
        match self {
            Self::UsageTriggers => options.usage_triggers,
            Self::Application => options.application.is_some(),
            Self::Numbers => !options.numbers.is_empty(),
            _ => true,
        }
    }

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subaccount => "subaccount",
            Self::Secret => "secret",
            Self::ApiKey => "api_key",
            Self::UsageTriggers => "usage_triggers",
            Self::Application => "application",
            Self::Numbers => "numbers",
            Self::Activate => "activate",
            Self::Done => "done",
        }
    }
}

/// Numbers that one sign-up may ask for.
pub const NUMBERS_MAX: usize = 10;
/// Days of a trial, or of a trial credit's validity, at most.
pub const TRIAL_DAYS_MAX: u16 = 366;

/// What a sign-up asks for besides a subaccount.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Options {
    /// The subaccount to take over, instead of one of our own making.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<AccountSid>,
    /// Its plan has Twilio watch what it takes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub usage_triggers: bool,
    /// Money to try with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_credit: Option<TrialCredit>,
    /// Who answers calls and messages that come in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Answering>,
    /// Numbers to buy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<NumberWish>,
}

/// When a trial credit is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialMoment {
    /// As soon as the tenant is in service.
    SignUp,
    /// When its trial is over.
    AfterTrial,
}

/// Promotional money that comes with a sign-up, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCredit {
    /// How much, in the tenant's currency.
    #[serde(with = "crate::money::text")]
    pub amount: Decimal,
    /// When.
    pub when: TrialMoment,
    /// Days of the trial.
    pub trial_days: u16,
    /// Days for which it pays; without them it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_days: Option<u16>,
}

impl TrialCredit {
    /// When it is due for a tenant that went into service at `activated_at`.
    pub fn due_at(&self, activated_at: Timestamp) -> Timestamp {
        match self.when {
            TrialMoment::SignUp => activated_at,
            TrialMoment::AfterTrial => days_after(activated_at, self.trial_days),
        }
    }

    /// Until when it pays, if it was given at `given_at`.
    pub fn expires_at(&self, given_at: Timestamp) -> Option<Timestamp> {
        self.expires_days.map(|days| days_after(given_at, days))
    }
}

fn days_after(at: Timestamp, days: u16) -> Timestamp {
    let span = SignedDuration::from_hours(24 * i64::from(days));
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// The tenant's application: addresses of its own. Where calls and messages stand is told to us.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answering {
    /// Who answers a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice_url: Option<String>,
    /// Who answers if that one fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice_fallback_url: Option<String>,
    /// Who takes a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_url: Option<String>,
    /// Who takes it if that one fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_fallback_url: Option<String>,
}

/// A number to buy: the first for sale that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberWish {
    /// ISO 3166-1 code.
    pub country: String,
    /// `local`, `mobile`, `toll_free` or `national`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub number_type: Option<String>,
    /// Area code, in North America.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_code: Option<u32>,
    /// Digits or letters that it contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Can it take messages?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<bool>,
    /// Can it take calls?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<bool>,
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
    fn steps_that_nobody_asked_for_are_passed_over() {
        let walk = |options: &Options| {
            let mut steps = vec![Step::Subaccount];
            while let Some(step) = steps.last().filter(|step| **step != Step::Done) {
                steps.push(step.next(options));
            }
            steps
        };
        let plain = [
            Step::Subaccount,
            Step::Secret,
            Step::ApiKey,
            Step::Activate,
            Step::Done,
        ];
        assert_eq!(walk(&Options::default()), plain);
        let all = Options {
            usage_triggers: true,
            application: Some(Answering::default()),
            numbers: vec![NumberWish {
                country: "US".into(),
                number_type: None,
                area_code: None,
                contains: None,
                sms: None,
                voice: None,
            }],
            ..Options::default()
        };
        assert_eq!(walk(&all), [&Step::ALL[..], &[Step::Done]].concat());
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
