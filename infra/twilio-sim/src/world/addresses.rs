//! Addresses and Bundles: who a regulated number belongs to, and whether that satisfies what it asks for.
//!
//! Bundles are reviewed by people at Twilio; here they come from a control endpoint alone.

use jiff::Timestamp;

use super::World;
use super::supply::{Kind, Requirement, Supply};
use crate::sid::Sid;

/// An Address.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) details: AddressDetails,
    /// Whether Twilio found it to exist.
    pub(crate) validated: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) deleted: bool,
}

/// What is told of an Address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AddressDetails {
    pub(crate) customer_name: String,
    pub(crate) friendly_name: Option<String>,
    pub(crate) street: String,
    pub(crate) street_secondary: Option<String>,
    pub(crate) city: String,
    pub(crate) region: String,
    pub(crate) postal_code: String,
    pub(crate) iso_country: String,
    pub(crate) emergency_enabled: bool,
}

/// A Bundle: the documents that some numbers need.
#[derive(Clone)]
pub(crate) struct Bundle {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) iso: String,
    pub(crate) kind: Kind,
    pub(crate) status: BundleStatus,
}

/// How far the review of a Bundle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BundleStatus {
    Draft,
    PendingReview,
    InReview,
    Rejected,
    Approved,
    ProvisionallyApproved,
}

const STATUSES: [(BundleStatus, &str); 6] = [
    (BundleStatus::Draft, "draft"),
    (BundleStatus::PendingReview, "pending-review"),
    (BundleStatus::InReview, "in-review"),
    (BundleStatus::Rejected, "twilio-rejected"),
    (BundleStatus::Approved, "twilio-approved"),
    (
        BundleStatus::ProvisionallyApproved,
        "provisionally-approved",
    ),
];

impl BundleStatus {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        STATUSES
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(status, _)| *status)
    }
}

/// Why a number may not have an Address or a Bundle: each is a code of Twilio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmet {
    /// 21613: the account has no Address on file.
    NoAddress,
    /// 21631: it has, but the request names none.
    NotNamed,
    /// 21613: the one that is named is not the account's.
    NotYours,
    /// 21615.
    NotLocal,
    /// 21624.
    NotForeign,
    /// 21649.
    Bundle(BundleUnmet),
}

/// What is wrong with a Bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BundleUnmet {
    Missing,
    Unknown,
    NotApproved,
    ForOthers,
}

impl World {
    /// Adds an Address.
    pub(crate) fn create_address(
        &mut self,
        at: Timestamp,
        account: usize,
        details: AddressDetails,
        validated: bool,
    ) -> usize {
        let sid = Sid::draw("AD", &mut self.draw(account));
        let index = self.numbering.addresses.len();
        self.numbering.addresses.push(Address {
            sid,
            account,
            details,
            validated,
            created_at: at,
            updated_at: at,
            deleted: false,
        });
        self.enter(sid, index);
        index
    }

    /// Adds a Bundle.
    pub(crate) fn create_bundle(
        &mut self,
        account: usize,
        iso: &str,
        kind: Kind,
        status: BundleStatus,
    ) -> Sid {
        let sid = Sid::draw("BU", &mut self.draw(account));
        self.enter(sid, self.numbering.bundles.len());
        self.numbering.bundles.push(Bundle {
            sid,
            account,
            iso: iso.to_owned(),
            kind,
            status,
        });
        sid
    }

    /// The Address of this SID, if this account has it.
    pub(crate) fn address_of(&self, account: usize, sid: &str) -> Option<usize> {
        self.find("AD", sid).filter(|index| {
            let address = &self.numbering.addresses[*index];
            address.account == account && !address.deleted
        })
    }

    /// An account's Addresses, the newest first.
    pub(crate) fn addresses(&self, account: usize) -> impl Iterator<Item = usize> {
        let all = &self.numbering.addresses;
        (0..all.len())
            .rev()
            .filter(move |index| all[*index].account == account && !all[*index].deleted)
    }

    /// The numbers that name an Address, the newest first.
    pub(crate) fn dependents(&self, address: usize) -> Vec<usize> {
        let Address { sid, account, .. } = self.numbering.addresses[address];
        let names_it = |number: &usize| {
            let settings = &self.numbers[*number].settings;
            settings.address == Some(sid) || settings.emergency_address == Some(sid)
        };
        let held = &self.accounts[account].numbers;
        held.iter().rev().copied().filter(names_it).collect()
    }

    /// Whether a number that depends on an Address could not go without it.
    pub(crate) fn is_needed(&self, address: usize) -> bool {
        let sid = self.numbering.addresses[address].sid;
        self.dependents(address).into_iter().any(|number| {
            let number = &self.numbers[number];
            number.settings.emergency_address == Some(sid)
                || number.supply().requirement != Requirement::None
        })
    }

    /// Deletes an Address; numbers that did not need it forget it.
    pub(crate) fn delete_address(&mut self, address: usize) {
        for number in self.dependents(address) {
            self.numbers[number].settings.address = None;
        }
        self.numbering.addresses[address].deleted = true;
    }

    /// Finds the Address that a number gets, if `account` may have the number with it.
    ///
    /// `transferred` tells a number that changes hands from one that is bought.
    pub(crate) fn suitable_address(
        &self,
        account: usize,
        supply: &Supply,
        named: Option<&str>,
        transferred: bool,
    ) -> Result<Option<Sid>, Unmet> {
        let sid_of = |index: usize| self.numbering.addresses[index].sid;
        if let Some(named) = named {
            let index = self.address_of(account, named).ok_or(Unmet::NotYours)?;
            self.satisfies(index, supply)?;
            return Ok(Some(sid_of(index)));
        }
        if supply.requirement == Requirement::None {
            return Ok(None);
        }
        let mut on_file = self.addresses(account).peekable();
        if on_file.peek().is_none() && (transferred || self.quirks.address_looked_up) {
            return Err(Unmet::NoAddress);
        }
        if !self.quirks.address_looked_up {
            return Err(Unmet::NotNamed);
        }
        let mut last = Unmet::NoAddress;
        for index in on_file {
            match self.satisfies(index, supply) {
                Ok(()) => return Ok(Some(sid_of(index))),
                Err(unmet) => last = unmet,
            }
        }
        Err(last)
    }

    fn satisfies(&self, address: usize, supply: &Supply) -> Result<(), Unmet> {
        let there = self.numbering.addresses[address].details.iso_country == supply.iso;
        match supply.requirement {
            Requirement::Local if !there => Err(Unmet::NotLocal),
            Requirement::Foreign if there => Err(Unmet::NotForeign),
            _ => Ok(()),
        }
    }

    /// Finds the Bundle that a number gets, if `account` may have the number with it.
    pub(crate) fn suitable_bundle(
        &self,
        account: usize,
        supply: &Supply,
        named: Option<&str>,
    ) -> Result<Option<Sid>, Unmet> {
        let Some(named) = named else {
            return if supply.bundle {
                Err(Unmet::Bundle(BundleUnmet::Missing))
            } else {
                Ok(None)
            };
        };
        let bundle = self
            .find("BU", named)
            .map(|index| &self.numbering.bundles[index])
            .filter(|bundle| bundle.account == account)
            .ok_or(Unmet::Bundle(BundleUnmet::Unknown))?;
        if bundle.status != BundleStatus::Approved {
            return Err(Unmet::Bundle(BundleUnmet::NotApproved));
        }
        if (bundle.iso.as_str(), bundle.kind) != (supply.iso, supply.kind) {
            return Err(Unmet::Bundle(BundleUnmet::ForOthers));
        }
        Ok(Some(bundle.sid))
    }
}
