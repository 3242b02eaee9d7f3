//! Phone numbers and their rent, which goes on while an account is suspended.

use jiff::Timestamp;
use jiff::ToSpan as _;

use super::tariff::{self, NumberType};
use super::{Event, World, day_of, start_of};
use crate::amount::UNIT;
use crate::config::Rent;
use crate::sid::Sid;
use crate::usage::book::Cell;

/// A number that an account holds.
pub(crate) struct Number {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    /// In E.164 form.
    pub(crate) e164: String,
    pub(crate) friendly_name: String,
    pub(crate) status_callback: String,
    pub(crate) voice_url: String,
    pub(crate) sms_url: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) released: bool,
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
        self.numbers.push(Number {
            sid,
            account,
            friendly_name: phone_number.clone(),
            e164: phone_number,
            status_callback: String::new(),
            voice_url: String::new(),
            sms_url: String::new(),
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

    /// Gives a number back.
    pub(crate) fn release_number(&mut self, index: usize) {
        let number = &mut self.numbers[index];
        number.released = true;
        self.held.remove(&number.e164);
        let owner = number.account;
        self.accounts[owner].numbers.retain(|held| *held != index);
    }

    pub(super) fn take_rent(&mut self, at: Timestamp, index: usize, term: i64) {
        let number = &self.numbers[index];
        if number.released {
            return;
        }
        let list_price = tariff::country_of(&number.e164).number_month;
        let month = self.discounted(number.account, list_price);
        let bought_on = day_of(number.created_at);
        let (price, next) = match self.quirks.rent {
            Rent::Monthly => (month, (term + 1).months()),
            Rent::Daily => (month / 30, (term + 1).days()),
        };
        let category = match tariff::type_of(&number.e164) {
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
