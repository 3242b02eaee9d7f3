//! The verification of a migration: what Twilio has and what we have, side by side. Nothing is judged that was
//! not looked at.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Item, Migration};
use crate::ids::AccountSid;
use crate::money;
use crate::numbers::NumberUrls;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was compared: a stable name.
    pub what: String,
    /// Of which number, account or day.
    pub subject: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl Check {
    fn new(what: &str, subject: &str, expected: String, found: String) -> Self {
        Self {
            what: what.to_owned(),
            subject: subject.to_owned(),
            expected,
            found,
        }
    }

    /// Is it as it should be?
    pub fn is_ok(&self) -> bool {
        self.expected == self.found
    }
}

/// A number as Twilio lists it in the gaining subaccount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundNumber {
    /// In E.164 form.
    pub phone_number: String,
    /// Where its traffic is announced.
    pub urls: NumberUrls,
}

/// What a tenant used over some days: as Twilio sums it up, and as it is booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// `before` or `after` the cut-over.
    pub when: &'static str,
    /// Of which accounts and days.
    pub subject: String,
    /// Twilio's figure.
    pub twilio: Decimal,
    /// Ours.
    pub booked: Decimal,
}

/// Compares numbers that have arrived: they are there, and announce where they should.
pub fn compare_numbers(
    migration: &Migration,
    is_active: bool,
    found: &[FoundNumber],
) -> Vec<Check> {
    let gaining = migration
        .gaining_sid
        .as_ref()
        .map_or("", AccountSid::as_str);
    let status = if is_active { "active" } else { "not active" };
    let mut checks = vec![Check::new(
        "account_status",
        gaining,
        "active".to_owned(),
        status.to_owned(),
    )];
    let arrived = migration.items.iter().filter(|item| item.state.is_there());
    for item in arrived {
        let number = found
            .iter()
            .find(|number| number.phone_number == item.phone_number);
        let is_there = if number.is_some() {
            gaining
        } else {
            "elsewhere"
        };
        checks.push(Check::new(
            "held_by",
            &item.phone_number,
            gaining.to_owned(),
            is_there.to_owned(),
        ));
        if let Some(number) = number {
            checks.extend(compare_urls(item, &number.urls));
        }
    }
    checks
}

/// URLs that were asked for; where nothing was asked for, anything is right.
fn compare_urls(item: &Item, found: &NumberUrls) -> Vec<Check> {
    let pairs = [
        ("voice_url", &item.urls.voice_url, &found.voice_url),
        ("sms_url", &item.urls.sms_url, &found.sms_url),
        (
            "status_callback",
            &item.urls.status_callback,
            &found.status_callback,
        ),
    ];
    let asked = pairs
        .into_iter()
        .filter_map(|(what, asked, found)| Some((what, asked.as_ref()?, found)));
    asked
        .map(|(what, asked, found)| {
            let found = found.clone().unwrap_or_default();
            Check::new(what, &item.phone_number, asked.clone(), found)
        })
        .collect()
}

/// Compares usage, and calls and messages of numbers that the former account still shows after the cut-over.
pub fn compare_usage(usage: &[Usage], stragglers: &[(String, usize)]) -> Vec<Check> {
    let sums = usage.iter().map(|sum| {
        let what = format!("usage_{}", sum.when);
        let (twilio, booked) = (money::to_text(sum.twilio), money::to_text(sum.booked));
        Check::new(&what, &sum.subject, twilio, booked)
    });
    let late = stragglers.iter().map(|(number, count)| {
        let (none, found) = ("0".to_owned(), count.to_string());
        Check::new("traffic_in_former_account", number, none, found)
    });
    sums.chain(late).collect()
}

/// What is not as it should be, for people.
pub fn differences(checks: &[Check]) -> Vec<String> {
    let wrong = checks.iter().filter(|check| !check.is_ok());
    wrong
        .map(|check| format!("{} of {}", check.what, check.subject))
        .collect()
}
