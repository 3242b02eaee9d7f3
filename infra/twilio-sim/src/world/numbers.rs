//! Phone numbers that accounts hold: bought, set up, transferred and given back, with their rent, which goes
//! on while an account is suspended and is charged to whoever holds the number at the time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::ToSpan as _;

use super::addresses::{Address, Bundle};
use super::supply::{self, Supply};
use super::tariff::{self, NumberType};
use super::webhooks::{Application, Webhooks};
use super::{Event, World, after, day_of, start_of};
use crate::amount::UNIT;
use crate::config::Rent;
use crate::sid::Sid;
use crate::usage::book::Cell;

/// What belongs to phone numbers, of all accounts.
#[derive(Clone, Default)]
pub(crate) struct Numbering {
    pub(crate) addresses: Vec<Address>,
    pub(crate) bundles: Vec<Bundle>,
    pub(crate) applications: Vec<Application>,
    /// Accounts that are neither the main account nor its children: they are known by their SIDs alone.
    pub(crate) strangers: BTreeSet<Sid>,
    /// Beginnings of numbers that Twilio has none of.
    pub(crate) sold_out: Vec<String>,
    /// Numbers given back that are not of the stock.
    pub(crate) returned: BTreeSet<String>,
}

/// A number that an account holds.
#[derive(Clone)]
pub(crate) struct Number {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    /// In E.164 form.
    pub(crate) e164: String,
    pub(crate) settings: Settings,
    /// Whether it stays with another carrier and only its messages come here.
    pub(crate) hosted: bool,
    /// The account that has a WhatsApp sender on it.
    pub(crate) whatsapp_sender: Option<usize>,
    /// Whether it is in a registered A2P 10DLC campaign.
    pub(crate) a2p_campaign: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) released: bool,
}

impl Number {
    /// What it is of.
    pub(crate) fn supply(&self) -> &'static Supply {
        supply::supply_or_default(&self.e164)
    }
}

/// What its owner sets of a number.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) friendly_name: String,
    pub(crate) api_version: &'static str,
    pub(crate) webhooks: Webhooks,
    pub(crate) voice_application: Option<Sid>,
    pub(crate) sms_application: Option<Sid>,
    pub(crate) trunk: Option<Sid>,
    pub(crate) address: Option<Sid>,
    pub(crate) bundle: Option<Sid>,
    pub(crate) identity: Option<Sid>,
    pub(crate) emergency_active: bool,
    pub(crate) emergency_address: Option<Sid>,
    /// When the emergency address was last set or taken away.
    pub(crate) emergency_changed_at: Option<Timestamp>,
    pub(crate) receives_fax: bool,
}

/// How long it takes until emergency services know a new address, or forget an old one, in milliseconds.
const REGISTRATION_MS: u64 = 30_000;

impl Settings {
    /// Those of a number that nobody set up.
    pub(crate) fn blank(number: &str) -> Self {
        Self {
            friendly_name: supply::formatted(number),
            api_version: "2010-04-01",
            webhooks: Webhooks::default(),
            voice_application: None,
            sms_application: None,
            trunk: None,
            address: None,
            bundle: None,
            identity: None,
            emergency_active: false,
            emergency_address: None,
            emergency_changed_at: None,
            receives_fax: false,
        }
    }

    /// What of these goes along to another account. URLs and Applications do, so that a number keeps
    /// calling its former owner until somebody sets it up anew; what belongs to the losing account's
    /// regulatory file does not.
    pub(crate) fn transferred(&self, number: &str, webhooks_cleared: bool) -> Self {
        let kept = Self {
            address: None,
            bundle: None,
            identity: None,
            emergency_active: false,
            emergency_address: None,
            emergency_changed_at: None,
            ..self.clone()
        };
        if !webhooks_cleared {
            return kept;
        }
        Self {
            friendly_name: kept.friendly_name,
            ..Self::blank(number)
        }
    }

    /// `emergency_address_status`.
    pub(crate) fn emergency_address_status(&self, now: Timestamp) -> &'static str {
        let pending = self
            .emergency_changed_at
            .is_some_and(|changed| now < after(changed, REGISTRATION_MS));
        match (self.emergency_address.is_some(), pending) {
            (true, true) => "pending-registration",
            (true, false) => "registered",
            (false, true) => "pending-unregistration",
            (false, false) => "unregistered",
        }
    }
}

impl World {
    /// Buys a number: this one or any of a country; `None` when someone holds it.
    pub(crate) fn buy_number(
        &mut self,
        at: Timestamp,
        account: usize,
        number: Option<&str>,
        iso: &str,
    ) -> Option<usize> {
        let mut rng = self.draw(account);
        let country = tariff::country(iso).unwrap_or(&tariff::COUNTRIES[0]);
        let mut phone_number =
            number.map_or_else(|| tariff::draw_number(country, &mut rng), str::to_owned);
        while self.held.contains_key(&phone_number) {
            if number.is_some() {
                return None;
            }
            phone_number = tariff::draw_number(country, &mut rng);
        }
        let index = self.numbers.len();
        let sid = Sid::draw("PN", &mut rng);
        self.held.insert(phone_number.clone(), index);
        self.numbering.returned.remove(&phone_number);
        self.numbers.push(Number {
            sid,
            account,
            settings: Settings::blank(&phone_number),
            e164: phone_number,
            hosted: false,
            whatsapp_sender: None,
            a2p_campaign: false,
            created_at: at,
            updated_at: at,
            released: false,
        });
        self.enter(sid, index);
        self.accounts[account].numbers.push(index);
        self.push(
            at,
            Event::Rent {
                number: index,
                term: 0,
            },
        );
        Some(index)
    }

    /// Gives a number back: its rent ends, and anybody can buy it.
    pub(crate) fn release_number(&mut self, index: usize) {
        let number = &mut self.numbers[index];
        number.released = true;
        let (owner, e164) = (number.account, number.e164.clone());
        self.held.remove(&e164);
        self.accounts[owner].numbers.retain(|held| *held != index);
        self.put_back(e164);
    }

    /// Moves a number to another account. Its SID stays, its WhatsApp sender stays behind, its place in an
    /// A2P campaign is lost, and the rent of later terms is the gaining account's.
    pub(crate) fn transfer_number(&mut self, index: usize, gaining: usize) {
        let number = &mut self.numbers[index];
        let losing = std::mem::replace(&mut number.account, gaining);
        number.a2p_campaign = false;
        self.accounts[losing].numbers.retain(|held| *held != index);
        self.leave_services(index);
        // Lists and their page tokens go by the order of creation.
        let held = &mut self.accounts[gaining].numbers;
        held.insert(held.partition_point(|other| *other < index), index);
    }

    /// Whether an account is neither the main account nor a child of it.
    pub(crate) fn is_stranger(&self, sid: &Sid) -> bool {
        self.numbering.strangers.contains(sid)
    }

    pub(super) fn take_rent(&mut self, at: Timestamp, index: usize, term: i64) {
        let number = &self.numbers[index];
        if number.released {
            return;
        }
        let supply = number.supply();
        let month = self.discounted(number.account, supply.month());
        let bought_on = day_of(number.created_at);
        let (price, next) = match self.quirks.rent {
            Rent::Monthly => (month, (term + 1).months()),
            Rent::Daily => (month / 30, (term + 1).days()),
        };
        let category = match supply.kind.class() {
            NumberType::Local => "phonenumbers-local",
            NumberType::Mobile => "phonenumbers-mobile",
            NumberType::TollFree => "phonenumbers-tollfree",
        };
        let (account, mut rng) = (number.account, self.draw(number.account));
        self.book(
            at,
            account,
            day_of(at),
            category,
            Cell {
                count: 1,
                usage: UNIT,
                price,
            },
            &mut rng,
        );
        let next = bought_on.checked_add(next).map_or(Timestamp::MAX, start_of);
        self.push(
            next,
            Event::Rent {
                number: index,
                term: term + 1,
            },
        );
    }
}
