//! A tenant: its lifecycle, its holds, and the Twilio status that follows from both.
//!
//! `suspended` is no lifecycle state: it follows from holds, so that paying removes only `unpaid` and an
//! operator's hold stays. Desired status is one pure function, used by every function that acts on Twilio.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::closing::Closing;
use crate::ids::{AccountSid, NumberOrderId, TenantId};
use crate::money::Currency;
use crate::period::{self, BillingCalendar};
use crate::plan::{Override, PlanRef, TenantDefaults};
use crate::rotation::Rotation;

/// Longest FriendlyName that Twilio accepts (its documentation: up to 64 characters).
pub const FRIENDLY_NAME_MAX: usize = 64;
/// Characters of a tenant's name.
pub const NAME_MAX: usize = 100;
/// Lines of an address.
pub const ADDRESS_LINES_MAX: usize = 6;
/// Overrides that a tenant may have at once or behind it.
pub const OVERRIDES_MAX: usize = 20;
/// Characters of an external id.
pub const EXTERNAL_ID_MAX: usize = 64;

/// Where a tenant is between sign-up and goodbye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Being set up.
    Provisioning,
    /// Set-up was given up; see the failure.
    ProvisioningFailed,
    /// In service.
    Active,
    /// Being closed.
    Closing,
    /// Closing met something that a person must decide.
    CloseBlocked,
    /// Closed for good.
    Closed,
}

/// A reason to be suspended. Several can stand at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// The wallet ran dry and grace is over.
    Unpaid,
    /// A spend cap was reached.
    SpendCap,
    /// Suspected fraud.
    Fraud,
    /// The operator's own decision.
    Operator,
    /// A compliance reason.
    Compliance,
    /// The tenant is being closed.
    Closing,
}

impl Hold {
    /// Holds that a person places and lifts by hand.
    pub const BY_HAND: [Self; 3] = [Self::Operator, Self::Fraud, Self::Compliance];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::SpendCap => "spend_cap",
            Self::Fraud => "fraud",
            Self::Operator => "operator",
            Self::Compliance => "compliance",
            Self::Closing => "closing",
        }
    }
}

/// Who placed a hold, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRecord {
    /// When.
    pub placed_at: Timestamp,
    /// Who: an operator key's id or a function's name.
    pub actor: String,
    /// Why, for people.
    pub reason: String,
}

/// A subaccount's status in Twilio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TwilioStatus {
    /// In service.
    Active,
    /// No new calls or messages; live calls go on until they are ended.
    Suspended,
    /// Irreversible.
    Closed,
}

impl TwilioStatus {
    /// As Twilio spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

/// The right to work on a tenant until a moment; `fence` tells successive owners apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    pub owner: String,
    /// Until when.
    pub until: Timestamp,
    /// Grows with each new owner.
    pub fence: u64,
}

/// A price plan from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAssignment {
    /// First GMT day.
    pub from: Date,
    /// The plan version.
    pub plan: PlanRef,
}

/// How a tenant is billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingProfile {
    /// IANA name of the time zone that billing periods follow.
    pub time_zone: String,
    /// Day of the month on which a billing period begins.
    pub billing_day: i8,
    /// Tax on statements, as a share.
    #[serde(with = "crate::money::text")]
    pub tax_rate: Decimal,
    /// No tax is charged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tax_exempt: bool,
    /// The client's tax number, shown on statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// Lines of the client's address, shown on statements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bill_to: Vec<String>,
}

impl From<&TenantDefaults> for BillingProfile {
    fn from(defaults: &TenantDefaults) -> Self {
        Self {
            time_zone: defaults.time_zone.clone(),
            billing_day: defaults.billing_day,
            tax_rate: defaults.tax_rate,
            tax_exempt: false,
            tax_id: None,
            bill_to: Vec::new(),
        }
    }
}

impl BillingProfile {
    /// Refuses a profile that periods or statements could not follow.
    pub fn check(&self) -> Result<(), &'static str> {
        period::check_time_zone(&self.time_zone)?;
        period::check_billing_day(self.billing_day)?;
        period::check_tax_rate(self.tax_rate)?;
        let shown = |line: &String| check_name(line).is_ok();
        if self.bill_to.len() > ADDRESS_LINES_MAX || !self.bill_to.iter().all(shown) {
            return Err("bill_to has at most 6 lines of 1 to 100 printable characters");
        }
        if !self.tax_id.iter().all(shown) {
            return Err("tax_id must have 1 to 100 printable characters");
        }
        Ok(())
    }

    /// Its billing periods.
    pub fn calendar(&self) -> Result<BillingCalendar, &'static str> {
        BillingCalendar::new(&self.time_zone, self.billing_day)
    }
}

/// A tenant as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Grows with every write; writes are conditional on it.
    pub ver: u64,
    /// The client's name.
    pub name: String,
    /// The subaccount's FriendlyName, fixed when the row was reserved.
    pub friendly_name: String,
    /// The operator's own id for it, unique.
    pub external_id: Option<String>,
    /// Currency of its money, for ever.
    pub currency: Currency,
    /// Its plans by first day.
    pub plans: Vec<PlanAssignment>,
    /// Rules of its own, by number; those that are over stay.
    pub overrides: Vec<Override>,
    /// How it is billed.
    pub billing: BillingProfile,
    /// Lifecycle.
    pub lifecycle: Lifecycle,
    /// Holds that stand.
    pub holds: BTreeMap<Hold, HoldRecord>,
    /// The status that Twilio was last seen to have.
    pub twilio_status: Option<TwilioStatus>,
    /// Its subaccount, once bound.
    pub account_sid: Option<AccountSid>,
    /// Who works on it now.
    pub lease: Option<Lease>,
    /// Provisioning: the step that comes next.
    pub step: crate::provisioning::Step,
    /// What its sign-up asked for besides.
    pub options: crate::provisioning::Options,
    /// When its trial credit was given.
    pub trial_credited_at: Option<Timestamp>,
    /// The export of its data that was asked for last.
    pub export: Option<crate::export::Export>,
    /// When people's data was erased.
    pub erased_at: Option<Timestamp>,
    /// Its application, once it is made.
    pub application_sid: Option<crate::ids::ApplicationSid>,
    /// Provisioning: when a create was last sent to Twilio, whose outcome may be unknown.
    pub create_sent_at: Option<Timestamp>,
    /// Provisioning: the stable code of the failure that ended it.
    pub failure: Option<String>,
    /// Provisioning: the hash of the idempotency key that asked for it, which whoever finishes marks done.
    pub idempotency_hash: Option<String>,
    /// The API key that provisioning issued, if it did.
    pub api_key_sid: Option<crate::ids::KeySid>,
    /// Subaccounts that it shares, or shared, with other tenants: usage of its numbers there is its own.
    pub shared_sids: Vec<AccountSid>,
    /// Accepted requests about its phone numbers that are not done yet.
    pub open_orders: Vec<NumberOrderId>,
    /// Its closing, once a person has confirmed it.
    pub closing: Option<Closing>,
    /// The rotation of its auth token that is under way.
    pub rotation: Option<Rotation>,
    /// When its auth token was last rotated by us.
    pub rotated_at: Option<Timestamp>,
    /// When time alone moves it on.
    pub next_action_at: Option<Timestamp>,
    /// Position of the last audit row.
    pub audit_seq: u64,
    /// Hash of the last audit row.
    pub audit_head: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it went into service.
    pub activated_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

impl Tenant {
    /// The status that the API shows: `provisioning`, then what Twilio is to be told.
    pub fn status(&self) -> &'static str {
        match self.lifecycle {
            Lifecycle::Provisioning | Lifecycle::ProvisioningFailed => "provisioning",
            _ => self.desired_status().name(),
        }
    }

    /// The status that Twilio's subaccount must have.
    pub fn desired_status(&self) -> TwilioStatus {
        desired_status(self.lifecycle, self.holds.keys().copied())
    }

    /// The plan in force on a day: the latest that began by then, else the first.
    pub fn plan_on(&self, day: Date) -> Option<&PlanRef> {
        let begun = self
            .plans
            .iter()
            .filter(|assignment| assignment.from <= day);
        begun
            .max_by_key(|assignment| assignment.from)
            .or_else(|| self.plans.first())
            .map(|assignment| &assignment.plan)
    }

    /// Was it in service on a GMT day? Suspended tenants are.
    pub fn in_service_on(&self, day: Date) -> bool {
        let began = self.activated_at.map(period::day_of);
        let ended = self.ended_at().map(period::day_of);
        began.is_some_and(|began| began <= day) && ended.is_none_or(|ended| day <= ended)
    }

    /// Was its subaccount there before us? Then it keeps its name, and only a closing ever closes it.
    pub fn is_adopted(&self) -> bool {
        self.options.adopt.is_some()
    }

    /// When its service ended: its last statement reaches up to here.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let closing = self.closing.as_ref();
        closing
            .and_then(|closing| closing.ended_at)
            .or(self.closed_at)
    }

    /// May `owner` work on it at `now`? Its own lease, none, or one that ran out.
    pub fn lease_is_free_for(&self, owner: &str, now: Timestamp) -> bool {
        self.lease
            .as_ref()
            .is_none_or(|lease| lease.owner == owner || lease.until <= now)
    }

    /// The lease that `owner` takes next.
    pub fn next_lease(&self, owner: &str, until: Timestamp) -> Lease {
        let fence = self.lease.as_ref().map_or(0, |lease| lease.fence) + 1;
        Lease {
            owner: owner.to_owned(),
            until,
            fence,
        }
    }
}

/// Closed if the lifecycle is closed, suspended if any hold stands, else active.
pub fn desired_status(lifecycle: Lifecycle, holds: impl IntoIterator<Item = Hold>) -> TwilioStatus {
    match lifecycle {
        Lifecycle::Closed => TwilioStatus::Closed,
        _ if holds.into_iter().next().is_some() => TwilioStatus::Suspended,
        _ => TwilioStatus::Active,
    }
}

/// The FriendlyName of a tenant's subaccount: its id and the client's name, cut to Twilio's limit.
pub fn friendly_name(id: &TenantId, name: &str) -> String {
    let full = format!("{id} {name}");
    full.chars()
        .take(FRIENDLY_NAME_MAX)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// A name that can be shown and sent anywhere: 1 to 100 characters, no control or direction characters.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.trim() != name || name.is_empty() || name.chars().count() > NAME_MAX {
        return Err("name must have 1 to 100 characters and no space at its ends");
    }
    if name.chars().any(is_unprintable) {
        return Err("name must not hold control or text-direction characters");
    }
    Ok(())
}

/// The operator's own id: 1 to 64 visible ASCII characters.
pub fn check_external_id(id: &str) -> Result<(), &'static str> {
    if id.is_empty()
        || id.len() > EXTERNAL_ID_MAX
        || !id.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err("external_id must have 1 to 64 visible ASCII characters");
    }
    Ok(())
}

/// Control and text-direction characters, which could break a header or deceive a reader.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A tenant in service, without a subaccount.
    pub(crate) fn tenant() -> Tenant {
        Tenant {
            id: id(),
            ver: 1,
            name: "Acme".into(),
            friendly_name: friendly_name(&id(), "Acme"),
            external_id: None,
            currency: Currency::USD,
            plans: Vec::new(),
            overrides: Vec::new(),
            billing: BillingProfile {
                time_zone: "UTC".into(),
                billing_day: 1,
                tax_rate: Decimal::ZERO,
                tax_exempt: false,
                tax_id: None,
                bill_to: Vec::new(),
            },
            lifecycle: Lifecycle::Active,
            holds: BTreeMap::new(),
            twilio_status: None,
            account_sid: None,
            lease: None,
            step: crate::provisioning::Step::Done,
            options: crate::provisioning::Options::default(),
            trial_credited_at: None,
            shared_sids: Vec::new(),
            application_sid: None,
            export: None,
            erased_at: None,
            create_sent_at: None,
            failure: None,
            idempotency_hash: None,
            api_key_sid: None,
            open_orders: Vec::new(),
            closing: None,
            rotation: None,
            rotated_at: None,
            next_action_at: None,
            audit_seq: 0,
            audit_head: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
            activated_at: None,
            closed_at: None,
        }
    }

    fn id() -> TenantId {
        TenantId::from_ulid(ulid::Ulid::from_parts(1, 1))
    }

    #[test]
    fn desired_status_follows_lifecycle_and_holds() {
        assert_eq!(desired_status(Lifecycle::Active, []), TwilioStatus::Active);
        assert_eq!(
            desired_status(Lifecycle::Active, [Hold::Unpaid]),
            TwilioStatus::Suspended
        );
        assert_eq!(
            desired_status(Lifecycle::Closing, [Hold::Closing]),
            TwilioStatus::Suspended
        );
        assert_eq!(desired_status(Lifecycle::Closed, []), TwilioStatus::Closed);
    }

    #[test]
    fn names_that_could_deceive_or_break_a_header_are_refused() {
        assert!(check_name("Café Zürich & Söhne 🎉").is_ok());
        for name in ["", " a", "a\r\nb", "a\0b", "\u{202e}evil", &"x".repeat(101)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_friendly_name_fits_twilio_and_names_its_tenant(name in "\\PC{0,120}") {
            let friendly = friendly_name(&id(), &name);
            prop_assert!(friendly.chars().count() <= FRIENDLY_NAME_MAX);
            prop_assert!(friendly.starts_with(id().as_str()));
        }
    }
}
