//! The numbers that can be bought: a stock that follows from the seed, less what somebody holds, plus what
//! was given back.
//!
//! A number that a search shows can be bought until somebody does. Beyond the stock, any possible number of
//! a country that is sold can be bought, unless the quirk `inventory_only` says otherwise.

use super::World;
use super::areas::{self, Area};
use super::supply::{self, Kind, Supply};
use super::tariff;
use crate::rng::Rng;

/// Numbers in stock of each area code and, for types without area codes, of each lead.
const STOCK: u64 = 500;
/// From one number in stock to the next: a prime, so that numbers repeat only after all others.
const STEP: u64 = 7919;
/// North American numbers that follow an area code: seven digits, the first at least 2.
const NORTH_AMERICAN: [u64; 2] = [2_000_000, 9_999_999];

/// A number that can be bought.
pub(crate) struct Offer {
    pub(crate) number: String,
    pub(crate) supply: &'static Supply,
    pub(crate) area: Option<&'static Area>,
}

impl Offer {
    fn of(number: String, supply: &'static Supply) -> Self {
        Self {
            area: areas::area_of(&number),
            number,
            supply,
        }
    }
}

/// Numbers in stock that begin alike.
struct Shelf {
    /// With the country's prefix.
    lead: String,
    digits: usize,
    least: u64,
    span: u64,
    offset: u64,
}

impl Shelf {
    fn new(seed: u64, supply: &Supply, lead: &str) -> Self {
        let prefix = tariff::country(supply.iso).map_or("", |country| country.prefix);
        let digits = supply.digits.saturating_sub(lead.len());
        let [least, most] = if prefix == "+1" {
            NORTH_AMERICAN
        } else {
            [
                0,
                10_u64.pow(u32::try_from(digits).unwrap_or(9).min(18)) - 1,
            ]
        };
        let span = most - least + 1;
        let parts: [&[u8]; 3] = [b"stock", supply.iso.as_bytes(), lead.as_bytes()];
        Self {
            lead: format!("{prefix}{lead}"),
            digits,
            least,
            span,
            offset: Rng::of(seed, &parts).below(span),
        }
    }

    fn number(&self, place: u64) -> String {
        let local = self.least + (self.offset + place * STEP) % self.span;
        format!("{}{local:0width$}", self.lead, width = self.digits)
    }
}

/// The shelves of one type of number: an area code's each, or a lead's.
fn shelves(seed: u64, supply: &'static Supply) -> Vec<Shelf> {
    if supply.kind == Kind::Local {
        areas::areas_of(supply.iso)
            .map(|area| Shelf::new(seed, supply, area.code))
            .collect()
    } else {
        supply
            .leads
            .iter()
            .map(|lead| Shelf::new(seed, supply, lead))
            .collect()
    }
}

impl World {
    /// What can be bought of a type, of every area in turn.
    pub(crate) fn offers(&self, supply: &'static Supply) -> impl Iterator<Item = Offer> {
        let shelves = shelves(self.seed, supply);
        let returned = self.numbering.returned.iter().cloned();
        let stock = (0..STOCK).flat_map(move |place| {
            shelves
                .iter()
                .map(|shelf| shelf.number(place))
                .collect::<Vec<_>>()
        });
        returned
            .chain(stock)
            // A shelf of mobile numbers may reach into those of machines, which have a lead of their own.
            .filter(move |number| {
                supply::supply_of(number).is_some_and(|found| std::ptr::eq(found, supply))
            })
            .filter(|number| self.is_free(number))
            .map(move |number| Offer::of(number, supply))
    }

    /// Whether nobody holds a number, and Twilio has it.
    fn is_free(&self, number: &str) -> bool {
        !self.held.contains_key(number)
            && !self
                .numbering
                .sold_out
                .iter()
                .any(|prefix| number.starts_with(prefix))
    }

    /// Whether a number can be bought.
    pub(crate) fn is_for_sale(&self, number: &str) -> bool {
        let sold = supply::supply_of(number);
        sold.is_some_and(|supply| {
            self.is_free(number)
                && (!self.quirks.inventory_only
                    || self.numbering.returned.contains(number)
                    || self.is_in_stock(supply, number))
        })
    }

    fn is_in_stock(&self, supply: &'static Supply, number: &str) -> bool {
        shelves(self.seed, supply)
            .iter()
            .filter(|shelf| number.starts_with(&shelf.lead))
            .any(|shelf| (0..STOCK).any(|place| shelf.number(place) == number))
    }

    /// Puts a number back, so that a search shows it.
    pub(super) fn put_back(&mut self, number: String) {
        let in_stock =
            supply::supply_of(&number).is_none_or(|supply| self.is_in_stock(supply, &number));
        if !in_stock {
            self.numbering.returned.insert(number);
        }
    }
}
