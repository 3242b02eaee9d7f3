//! Phone numbers: who held one when, and what stands in the way of moving it.
//!
//! Usage is charged to whoever held the number then, so a record keeps every holding, the present one last.
//! A number that is being moved or released carries the order that does it: of two orders the second waits.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountSid, AddressSid, BundleSid, NumberOrderId, PhoneNumberSid, TenantId};

/// Orders on numbers that a tenant may have open at once.
pub const ORDERS_MAX: usize = 50;

/// An account that held a number for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// The account in Twilio.
    pub account_sid: AccountSid,
    /// The tenant whose account it is; none is the main account or one that nobody owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// From when on.
    pub from: Timestamp,
    /// Until when; none is still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What we know of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberRecord {
    /// The number's identifier, which it keeps when it moves.
    pub sid: PhoneNumberSid,
    /// Grows with every write; 0 is not written yet.
    pub ver: u64,
    /// In E.164 form.
    pub phone_number: String,
    /// Who held it, oldest first.
    pub holdings: Vec<Holding>,
    /// The order that moves or releases it now.
    pub order: Option<NumberOrderId>,
}

impl NumberRecord {
    /// A number as it was found in an account.
    pub fn found(
        sid: &PhoneNumberSid,
        phone_number: &str,
        account_sid: &AccountSid,
        tenant: Option<&TenantId>,
        from: Timestamp,
    ) -> Self {
        let holding = Holding {
            account_sid: account_sid.clone(),
            tenant: tenant.cloned(),
            from,
            until: None,
        };
        Self {
            sid: sid.clone(),
            ver: 0,
            phone_number: phone_number.to_owned(),
            holdings: vec![holding],
            order: None,
        }
    }

    /// Who holds it now; none after its release.
    pub fn holding(&self) -> Option<&Holding> {
        self.holdings
            .last()
            .filter(|holding| holding.until.is_none())
    }

    /// Who held it at a moment.
    pub fn held_at(&self, at: Timestamp) -> Option<&Holding> {
        let holds =
            |holding: &&Holding| holding.from <= at && holding.until.is_none_or(|until| at < until);
        self.holdings.iter().find(holds)
    }

    /// It went to an account at a moment. Where it is already, nothing changes.
    pub fn moved(
        &self,
        account_sid: &AccountSid,
        tenant: Option<&TenantId>,
        at: Timestamp,
    ) -> Self {
        let mut next = self.clone();
        if self
            .holding()
            .is_some_and(|holding| holding.account_sid == *account_sid)
        {
            return next;
        }
        next.end(at);
        next.holdings.push(Holding {
            account_sid: account_sid.clone(),
            tenant: tenant.cloned(),
            from: at,
            until: None,
        });
        next
    }

    /// It was given back to Twilio.
    pub fn released(&self, at: Timestamp) -> Self {
        let mut next = self.clone();
        next.end(at);
        next
    }

    fn end(&mut self, at: Timestamp) {
        if let Some(last) = self.holdings.last_mut() {
            let end = at.max(last.from);
            last.until.get_or_insert(end);
        }
    }
}

/// Where a number's calls, messages and ends of calls are announced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberUrls {
    /// For calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice_url: Option<String>,
    /// For messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_url: Option<String>,
    /// For the end of calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_callback: Option<String>,
}

/// What an order does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum NumberAct {
    /// Buys a number.
    Buy {
        /// The number, in E.164 form.
        phone_number: String,
    },
    /// Moves a number to another account of the family.
    Transfer {
        /// The number.
        sid: PhoneNumberSid,
        /// In E.164 form.
        phone_number: String,
        /// The account that holds it.
        from: AccountSid,
        /// Its tenant, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from_tenant: Option<TenantId>,
        /// The account that is to hold it.
        to: AccountSid,
        /// Its tenant; none is the main account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_tenant: Option<TenantId>,
    },
    /// Gives a number back to Twilio.
    Release {
        /// The number.
        sid: PhoneNumberSid,
        /// In E.164 form.
        phone_number: String,
    },
}

impl NumberAct {
    /// Its name in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Buy { .. } => "buy",
            Self::Transfer { .. } => "transfer",
            Self::Release { .. } => "release",
        }
    }

    /// The number it is about, where it has an identifier already.
    pub fn sid(&self) -> Option<&PhoneNumberSid> {
        match self {
            Self::Buy { .. } => None,
            Self::Transfer { sid, .. } | Self::Release { sid, .. } => Some(sid),
        }
    }

    /// The number in E.164 form.
    pub fn phone_number(&self) -> &str {
        match self {
            Self::Buy { phone_number }
            | Self::Transfer { phone_number, .. }
            | Self::Release { phone_number, .. } => phone_number,
        }
    }
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OrderState {
    /// Accepted; what it asks of Twilio may have happened or not.
    Open,
    /// Done.
    Done {
        /// The number it was about.
        sid: PhoneNumberSid,
    },
    /// Refused by Twilio; nothing moved.
    Refused {
        /// Stable code.
        code: String,
    },
}

/// An accepted request about a number, kept for ever under its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberOrder {
    /// Its id.
    pub id: NumberOrderId,
    /// Under whose tenant it stands.
    pub tenant: TenantId,
    /// Grows with every write.
    pub ver: u64,
    /// What is to be done.
    pub act: NumberAct,
    /// Where the number's traffic is announced afterwards.
    pub urls: NumberUrls,
    /// The address that it needs there.
    pub address_sid: Option<AddressSid>,
    /// The papers that it needs there.
    pub bundle_sid: Option<BundleSid>,
    /// Who asked for it.
    pub actor: String,
    /// When.
    pub asked_at: Timestamp,
    /// Where it stands.
    pub state: OrderState,
}

/// Which address a number needs, as far as it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressNeed {
    /// None.
    Nothing,
    /// One in the account that is to hold it.
    Address,
}

/// What is known before a number moves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a check list: each is a question of its own"
)]
pub struct MoveFacts {
    /// Which address the number needs.
    pub address_need: AddressNeed,
    /// An address is given, or can be made, in the gaining account.
    pub has_address: bool,
    /// Papers go with the number.
    pub has_bundle: bool,
    /// Papers of the gaining account are given.
    pub gives_bundle: bool,
    /// The number is hosted: its calls do not run over Twilio.
    pub is_hosted: bool,
    /// The operator says that it sends on WhatsApp, which Twilio's API does not tell.
    pub is_whatsapp_sender: bool,
    /// Messaging services of the losing account that it belongs to with a registered campaign.
    pub campaigns: usize,
    /// Losing the campaign is accepted.
    pub accepts_campaign_loss: bool,
    /// Live calls to or from the number.
    pub live_calls: usize,
    /// Moving it during calls is accepted.
    pub accepts_live_calls: bool,
    /// The gaining account takes numbers: it is active.
    pub gaining_is_active: bool,
}

/// What stands in the way of moving a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// It needs an address in the gaining account.
    AddressRequired,
    /// It needs papers in the gaining account.
    BundleRequired,
    /// Hosted numbers move by a ticket only.
    Hosted,
    /// WhatsApp senders move by a ticket only.
    WhatsappSender,
    /// Its campaign would be lost.
    CampaignLost,
    /// It is in a call.
    InCall,
    /// The gaining account is suspended or closed.
    GainingNotActive,
}

impl Obstacle {
    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::AddressRequired => "address_required",
            Self::BundleRequired => "bundle_required",
            Self::Hosted => "number_hosted",
            Self::WhatsappSender => "whatsapp_sender",
            Self::CampaignLost => "campaign_lost",
            Self::InCall => "number_in_call",
            Self::GainingNotActive => "gaining_account_not_active",
        }
    }
}

/// Everything that stands in the way, so that a person can clear it in one go.
pub fn obstacles(facts: &MoveFacts) -> Vec<Obstacle> {
    let checks = [
        (
            facts.address_need == AddressNeed::Address && !facts.has_address,
            Obstacle::AddressRequired,
        ),
        (
            facts.has_bundle && !facts.gives_bundle,
            Obstacle::BundleRequired,
        ),
        (facts.is_hosted, Obstacle::Hosted),
        (facts.is_whatsapp_sender, Obstacle::WhatsappSender),
        (
            facts.campaigns > 0 && !facts.accepts_campaign_loss,
            Obstacle::CampaignLost,
        ),
        (
            facts.live_calls > 0 && !facts.accepts_live_calls,
            Obstacle::InCall,
        ),
        (!facts.gaining_is_active, Obstacle::GainingNotActive),
    ];
    let standing = checks.into_iter().filter(|(stands, _)| *stands);
    standing.map(|(_, obstacle)| obstacle).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn account(digit: u8) -> AccountSid {
        AccountSid::parse(&format!("AC{}", digit.to_string().repeat(32))).unwrap()
    }

    fn record() -> NumberRecord {
        let sid = PhoneNumberSid::parse(&format!("PN{}", "a".repeat(32))).unwrap();
        NumberRecord::found(&sid, "+12125550100", &account(1), None, at(0))
    }

    fn clear() -> MoveFacts {
        MoveFacts {
            address_need: AddressNeed::Nothing,
            has_address: false,
            has_bundle: false,
            gives_bundle: false,
            is_hosted: false,
            is_whatsapp_sender: false,
            campaigns: 0,
            accepts_campaign_loss: false,
            live_calls: 0,
            accepts_live_calls: false,
            gaining_is_active: true,
        }
    }

    #[test]
    fn usage_is_of_who_held_the_number_then() {
        let record = record().moved(&account(2), None, at(10)).released(at(20));
        let holder = |second| record.held_at(at(second)).map(|held| &held.account_sid);
        assert_eq!(holder(-1), None);
        assert_eq!(holder(9), Some(&account(1)));
        assert_eq!(holder(10), Some(&account(2)));
        assert_eq!(holder(20), None);
        assert_eq!(record.holding(), None);
    }

    #[test]
    fn nothing_stands_in_the_way_of_a_plain_number() {
        assert_eq!(obstacles(&clear()), []);
    }

    #[test]
    fn every_obstacle_is_named_at_once_and_gives_way_to_what_clears_it() {
        let all = MoveFacts {
            address_need: AddressNeed::Address,
            has_bundle: true,
            is_hosted: true,
            is_whatsapp_sender: true,
            campaigns: 1,
            live_calls: 2,
            gaining_is_active: false,
            ..clear()
        };
        assert_eq!(obstacles(&all).len(), 7);
        let cleared = MoveFacts {
            has_address: true,
            gives_bundle: true,
            accepts_campaign_loss: true,
            accepts_live_calls: true,
            gaining_is_active: true,
            ..all
        };
        // What Twilio moves by a ticket only, nothing here can clear.
        assert_eq!(
            obstacles(&cleared),
            [Obstacle::Hosted, Obstacle::WhatsappSender]
        );
    }

    proptest! {
        #[test]
        fn at_most_one_account_holds_a_number_at_any_moment(moves in proptest::collection::vec((1_u8..5, 0_i64..50), 0..12)) {
            let mut held = record();
            let mut now = 0;
            for (to, pause) in moves {
                now += pause;
                held = held.moved(&account(to), None, at(now));
            }
            for pair in held.holdings.windows(2) {
                prop_assert_eq!(pair[0].until, Some(pair[1].from));
            }
            prop_assert!(held.holding().is_some());
        }
    }
}
