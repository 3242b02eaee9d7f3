//! What a sign-up may ask for besides a subaccount: trial credit, an application, numbers.

use domain::money::Currency;
use domain::numbers::NumberUrls;
use domain::plan::PricePlan;
use domain::provisioning::{
    Answering, NUMBERS_MAX, NumberWish, Options, TRIAL_DAYS_MAX, TrialCredit, TrialMoment,
};
use serde::Deserialize;

use crate::money_act::minor_amount;
use crate::numbers::{Search, check_urls};
use crate::problem::{Code, Failure};

/// Money to try with, as a sign-up asks for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditWish {
    amount: String,
    when: Option<TrialMoment>,
    trial_days: Option<u16>,
    expires_days: Option<u16>,
}

/// Checks what was asked for.
pub fn options(
    trial: Option<&CreditWish>,
    application: Option<&Answering>,
    numbers: &[NumberWish],
    plan: &PricePlan,
) -> Result<Options, Failure> {
    if numbers.len() > NUMBERS_MAX {
        return Err(Code::NUMBER_INVALID.because(format!("at most {NUMBERS_MAX} numbers")));
    }
    for wish in numbers {
        Search::from(wish).check()?;
    }
    if let Some(answering) = application {
        check_urls(&urls_of(answering))?;
        check_urls(&NumberUrls {
            voice_url: answering.voice_fallback_url.clone(),
            sms_url: answering.sms_fallback_url.clone(),
            status_callback: None,
        })?;
    }
    Ok(Options {
        usage_triggers: watches(plan),
        adopt: None,
        trial_credit: trial
            .map(|trial| trial_credit(trial, plan.currency))
            .transpose()?,
        application: application.cloned(),
        numbers: numbers.to_vec(),
    })
}

/// Does a plan have Twilio watch what it takes?
pub fn watches(plan: &PricePlan) -> bool {
    let triggers = &plan.guards.triggers;
    triggers.day.is_some() || triggers.month.is_some()
}

fn trial_credit(trial: &CreditWish, currency: Currency) -> Result<TrialCredit, Failure> {
    let when = trial.when.unwrap_or(TrialMoment::SignUp);
    let trial_days = trial.trial_days.unwrap_or(0);
    let makes_sense = (when == TrialMoment::SignUp || trial_days > 0)
        && trial_days <= TRIAL_DAYS_MAX
        && trial
            .expires_days
            .is_none_or(|days| (1..=TRIAL_DAYS_MAX).contains(&days));
    if !makes_sense {
        return Err(Code::TRIAL_INVALID.into());
    }
    Ok(TrialCredit {
        amount: minor_amount(&trial.amount, currency)?,
        when,
        trial_days,
        expires_days: trial.expires_days,
    })
}

/// What numbers that are bought at sign-up are configured with.
pub fn urls_of(answering: &Answering) -> NumberUrls {
    NumberUrls {
        voice_url: answering.voice_url.clone(),
        sms_url: answering.sms_url.clone(),
        status_callback: None,
    }
}
