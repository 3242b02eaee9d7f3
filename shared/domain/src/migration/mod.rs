//! Migrations: numbers come from a client's own Twilio account (`external`), or out of a subaccount that several
//! tenants share (`split`), to a tenant's own subaccount.
//!
//! Each number goes its own way, so that a part can arrive while the rest waits or is refused. A state is never
//! skipped: what may not follow is left out, and whoever decides is asked again.

mod check;
mod entry;
mod shares;
mod tickets;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{
    AccountSid, AddressSid, BundleSid, KeySid, MigrationId, PhoneNumberSid, TenantId,
};
use crate::numbers::NumberUrls;

pub use check::{Check, FoundNumber, Usage, compare_numbers, compare_usage, differences};
pub use entry::{check_email, check_number, external_obstacles, preflight};
pub use shares::{add_shares, has_part_since, is_of, own_items};
pub use tickets::{CheckListEntry, Parties, Tickets, check_list, tickets};

/// Numbers of one migration.
pub const NUMBERS_MAX: usize = 100;
/// How long numbers are waited for after both tickets are filed.
pub const WATCH: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Moves that are remembered of a number.
const HISTORY_MAX: usize = 40;

/// Where the numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A Twilio account that is not ours: Twilio moves them, upon a ticket of both sides.
    External,
    /// A subaccount that several tenants share: we move them.
    Split,
}

/// Where a number of a migration stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ItemState {
    /// Nothing was looked at yet.
    Planned,
    /// Nothing stands in the way.
    PreflightOk,
    /// Something does; a person must clear it.
    Blocked {
        /// Stable code.
        reason: String,
        /// What people said about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Its move was asked for.
    Requested,
    /// The gaining subaccount holds it.
    Arrived,
    /// Its traffic is announced where it should be.
    Configured,
    /// Whoever uses it has the new credentials, and it was verified.
    Live,
    /// It is back where it came from.
    RolledBack,
}

impl ItemState {
    /// A number that something stands in the way of.
    pub fn blocked(reason: &str) -> Self {
        Self::Blocked {
            reason: reason.to_owned(),
            note: None,
        }
    }

    /// Its name in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::PreflightOk => "preflight_ok",
            Self::Blocked { .. } => "blocked",
            Self::Requested => "requested",
            Self::Arrived => "arrived",
            Self::Configured => "configured",
            Self::Live => "live",
            Self::RolledBack => "rolled_back",
        }
    }

    /// May this state come next?
    pub fn may_become(&self, next: &Self) -> bool {
        use ItemState::{
            Arrived, Blocked, Configured, Live, Planned, PreflightOk, Requested, RolledBack,
        };
        match (self, next) {
            (Planned | PreflightOk | Requested | Arrived, Blocked { .. })
            | (Planned | Blocked { .. }, PreflightOk)
            | (PreflightOk, Requested)
            | (Requested, Arrived)
            | (Arrived, Configured)
            | (Configured, Live)
            | (Arrived | Configured | Live, RolledBack) => true,
            (Blocked { .. }, Blocked { .. }) => self != next,
            _ => false,
        }
    }

    /// Does the gaining subaccount hold the number by now?
    pub fn is_there(&self) -> bool {
        matches!(self, Self::Arrived | Self::Configured | Self::Live)
    }
}

/// What the operator knows about a number that Twilio's API does not tell of an account that is not ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a check list: each is a question of its own"
)]
pub struct Marks {
    /// It needs an address in the account that is to hold it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_address: bool,
    /// It needs papers in the account that is to hold it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_bundle: bool,
    /// It sends on WhatsApp.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub whatsapp_sender: bool,
    /// Its calls do not run over Twilio.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hosted: bool,
    /// It belongs to a registered campaign.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub campaign: bool,
}

/// A state that a number has reached, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub state: ItemState,
}

/// A number of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// In E.164 form.
    pub phone_number: String,
    /// Its identifier, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<PhoneNumberSid>,
    /// What the operator knows about it.
    #[serde(default)]
    pub marks: Marks,
    /// Where its traffic is to be announced.
    #[serde(default)]
    pub urls: NumberUrls,
    /// Where it was announced before: a number that moves back gets it again.
    #[serde(default)]
    pub former_urls: NumberUrls,
    /// Where it stands.
    pub state: ItemState,
    /// The states that it has reached, in order.
    pub history: Vec<Reached>,
}

impl Item {
    /// A number that nothing was looked at yet of.
    pub fn planned(phone_number: &str, marks: Marks, urls: NumberUrls, at: Timestamp) -> Self {
        Self {
            phone_number: phone_number.to_owned(),
            sid: None,
            marks,
            urls,
            former_urls: NumberUrls::default(),
            state: ItemState::Planned,
            history: vec![Reached {
                at,
                state: ItemState::Planned,
            }],
        }
    }

    /// When it last reached a state.
    pub fn reached_at(&self, name: &str) -> Option<Timestamp> {
        let mut newest_first = self.history.iter().rev();
        newest_first
            .find(|reached| reached.state.name() == name)
            .map(|reached| reached.at)
    }

    fn step(&mut self, next: ItemState, at: Timestamp) {
        if !self.state.may_become(&next) {
            return;
        }
        self.state = next.clone();
        if self.history.len() == HISTORY_MAX {
            // The beginning is worth more than what went to and fro.
            self.history.remove(HISTORY_MAX / 2);
        }
        self.history.push(Reached { at, state: next });
    }
}

/// The API key that was made for the platform; its secret was shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// The key.
    pub key_sid: KeySid,
    /// When it was shown.
    pub at: Timestamp,
}

/// Who wanted the numbers back, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Numbers that Twilio did not let go, as `<number>: <stable code>`: a person must ask again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

/// What a look at Twilio and the books found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// When.
    pub at: Timestamp,
    /// What was compared.
    pub checks: Vec<Check>,
}

/// A migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// Its id.
    pub id: MigrationId,
    /// Grows with every write; 0 is not written yet.
    pub ver: u64,
    /// The tenant that gains the numbers.
    pub tenant: TenantId,
    /// Where they come from.
    pub kind: Kind,
    /// The client's name.
    pub client_name: String,
    /// The e-mail address that the client's own Twilio account is registered under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_email: Option<String>,
    /// The account that loses them.
    pub losing_sid: AccountSid,
    /// The subaccount that gains them, once it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaining_sid: Option<AccountSid>,
    /// An address in the gaining subaccount, for numbers that need one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_sid: Option<AddressSid>,
    /// Papers in the gaining subaccount, for numbers that need them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_sid: Option<BundleSid>,
    /// The numbers.
    pub items: Vec<Item>,
    /// The operator's ticket at Twilio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_ticket: Option<String>,
    /// The client's ticket at Twilio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ticket: Option<String>,
    /// Until when numbers are waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch_until: Option<Timestamp>,
    /// Usage from here on is the gaining subaccount's; usage before is charged by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_over_at: Option<Timestamp>,
    /// The API key that was handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_over: Option<HandOver>,
    /// When the operator confirmed that the platform uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Timestamp>,
    /// The numbers are wanted back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// What was last found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// Live calls, and the loss of campaigns, are accepted.
    #[serde(default)]
    pub accepts: Accepts,
    /// The hash of the idempotency key that asked for it.
    pub idempotency_hash: String,
    /// Who asked for it.
    pub actor: String,
    /// When.
    pub asked_at: Timestamp,
    /// When time alone moves it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// What the operator puts up with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepts {
    /// A campaign that is lost.
    #[serde(default)]
    pub campaign_loss: bool,
    /// Calls that are live while a number moves.
    #[serde(default)]
    pub live_calls: bool,
}

impl Migration {
    /// The migration with numbers moved on, where that may be. `next` says which state a number comes to.
    pub fn advanced(&self, at: Timestamp, next: impl Fn(&Item) -> Option<ItemState>) -> Self {
        let mut migration = self.clone();
        for item in &mut migration.items {
            if let Some(state) = next(item) {
                item.step(state, at);
            }
        }
        migration
    }

    /// Where it stands as a whole: the least of what is on its way, else how it ended.
    pub fn state(&self) -> &'static str {
        let under_way = [
            "planned",
            "preflight_ok",
            "requested",
            "arrived",
            "configured",
            "live",
            "rolled_back",
        ];
        let names: BTreeSet<&str> = self.items.iter().map(|item| item.state.name()).collect();
        let least = under_way.into_iter().find(|name| names.contains(name));
        least.unwrap_or("blocked")
    }

    /// Numbers in a state.
    pub fn in_state(&self, name: &str) -> impl Iterator<Item = &Item> {
        let items = self.items.iter();
        items.filter(move |item| item.state.name() == name)
    }

    /// Is there anything that a run can do without a person?
    pub fn has_work(&self) -> bool {
        let is_work = |item: &Item| match item.state {
            ItemState::Planned | ItemState::Requested | ItemState::Arrived => true,
            ItemState::Configured | ItemState::Live => self.is_rolling_back(),
            _ => false,
        };
        self.items.iter().any(is_work)
    }

    /// Are numbers on their way back?
    pub fn is_rolling_back(&self) -> bool {
        let rollback = self.rollback.as_ref();
        rollback.is_some_and(|rollback| rollback.refused.is_empty())
    }

    /// Both parties have filed their ticket, so that Twilio may act. We move a split ourselves.
    pub fn is_filed(&self) -> bool {
        self.kind == Kind::Split || (self.operator_ticket.is_some() && self.client_ticket.is_some())
    }

    /// The numbers that came to another state since `before`, for the event.
    pub fn news_since(&self, before: &Self) -> Vec<String> {
        let is_new = |item: &&Item| {
            let known = before.items.iter();
            let known = known.filter(|known| known.phone_number == item.phone_number);
            known.clone().all(|known| known.state != item.state)
        };
        let news = self.items.iter().filter(is_new);
        news.map(|item| match &item.state {
            ItemState::Blocked { reason, .. } => {
                format!("{}: blocked, {reason}", item.phone_number)
            }
            state => format!("{}: {}", item.phone_number, state.name()),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
