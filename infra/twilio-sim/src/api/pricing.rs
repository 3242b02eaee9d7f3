//! Price lists of messages and phone numbers, by country, for the account that asks.
//!
//! They say what the simulator really charges: base prices are the tariff's, current prices the account's.
//! What carriers take for a message is in no price list, as at Twilio.

use crate::amount;
use crate::json::Obj;
use crate::world::World;
use crate::world::supply::supplies_of;
use crate::world::tariff::{self, COUNTRIES, Country, NumberType};

use super::answer::{Answer, Refusal};
use super::ask::{Ask, Product};
use super::paging;
use super::route::{Operation, Target, get};

pub(super) const OPERATIONS: &[Operation] = &[
    get(MESSAGING, "/twilio/messaging/pricing/list", list).of(Product::Pricing),
    get(
        "/v1/Messaging/Countries/{IsoCountry}",
        "/twilio/messaging/pricing/read",
        fetch_messaging,
    )
    .of(Product::Pricing),
    get(NUMBERS, "/twilio/phone-numbers/pricing/list", list).of(Product::Pricing),
    get(
        "/v1/PhoneNumbers/Countries/{IsoCountry}",
        "/twilio/phone-numbers/pricing/read",
        fetch_numbers,
    )
    .of(Product::Pricing),
];

const MESSAGING: &str = "/v1/Messaging/Countries";
const NUMBERS: &str = "/v1/PhoneNumbers/Countries";

/// Names and mobile country codes.
const NAMES: [(&str, &str, &str); 8] = [
    ("US", "United States", "310"),
    ("CA", "Canada", "302"),
    ("GB", "United Kingdom", "234"),
    ("DE", "Germany", "262"),
    ("FR", "France", "208"),
    ("AU", "Australia", "505"),
    ("IN", "India", "404"),
    ("BR", "Brazil", "724"),
];

/// The countries of a price list; which one is in the path.
pub(super) fn list(_: &mut World, ask: &Ask, _: &Target<'_>) -> Result<Answer, Refusal> {
    paging::by_offset(ask, "countries", COUNTRIES.len(), |out, from, to| {
        out.push(b'[');
        for (at, country) in COUNTRIES[from..to].iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let mut object = Obj::open(out);
            write_country(&mut object, country);
            write_url(&mut object, &format!("{}/{}", ask.path, country.iso));
            object.close();
        }
        out.push(b']');
    })
}

fn fetch_messaging(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let country = country(ask, target)?;
    let prices = Prices {
        world,
        account: target.account,
    };
    let types = tariff::types_in(country);
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        write_country(&mut object, country);
        let outbound = object.name("outbound_sms_prices");
        outbound.push(b'[');
        let mut network = Obj::open(outbound);
        network
            .str("carrier", "Other")
            .str("mcc", names(country).2)
            .str("mnc", "000");
        prices.write_by_type(network.name("prices"), &types, |_| country.sms_out);
        network.close();
        outbound.push(b']');
        prices.write_by_type(object.name("inbound_sms_prices"), &types, |_| {
            country.sms_in
        });
        prices.write_unit(&mut object);
        write_url(&mut object, &ask.path);
        object.close();
    }))
}

fn fetch_numbers(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let country = country(ask, target)?;
    let prices = Prices {
        world,
        account: target.account,
    };
    let rents = supplies_of(country.iso).map(|supply| (supply.kind.text(), supply.month()));
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        write_country(&mut object, country);
        prices.write_named(object.name("phone_number_prices"), rents);
        prices.write_unit(&mut object);
        write_url(&mut object, &ask.path);
        object.close();
    }))
}

/// The country of the path.
pub(super) fn country(ask: &Ask, target: &Target<'_>) -> Result<&'static Country, Refusal> {
    tariff::country(target.id(0)).ok_or_else(|| Refusal::not_found(ask))
}

/// Code, name and mobile country code; a country that is not listed goes by its code.
pub(super) fn names(country: &Country) -> (&'static str, &'static str, &'static str) {
    NAMES
        .into_iter()
        .find(|(iso, _, _)| *iso == country.iso)
        .unwrap_or((country.iso, country.iso, "001"))
}

pub(super) fn write_country(object: &mut Obj<'_>, country: &Country) {
    object
        .str("country", names(country).1)
        .str("iso_country", country.iso);
}

pub(super) fn write_url(object: &mut Obj<'_>, path: &str) {
    object.str("url", &format!("https://pricing.twilio.com{path}"));
}

/// An account's prices.
pub(super) struct Prices<'a> {
    pub(super) world: &'a World,
    pub(super) account: usize,
}

impl Prices<'_> {
    /// Writes `base_price` and `current_price`.
    pub(super) fn write_pair(&self, object: &mut Obj<'_>, base: i64) {
        object.str("base_price", &amount::text(base));
        self.write_current(object, base);
    }

    /// Writes `current_price`.
    pub(super) fn write_current(&self, object: &mut Obj<'_>, base: i64) {
        let current = self.world.discounted(self.account, base);
        object.str("current_price", &amount::text(current));
    }

    /// Writes a list of prices, one for each type of number.
    pub(super) fn write_by_type(
        &self,
        out: &mut Vec<u8>,
        types: &[NumberType],
        base: impl Fn(NumberType) -> i64,
    ) {
        let named = types.iter().map(|kind| (type_name(*kind), base(*kind)));
        self.write_named(out, named);
    }

    /// Writes a list of prices with the names of the types that they are for.
    fn write_named(
        &self,
        out: &mut Vec<u8>,
        prices: impl IntoIterator<Item = (&'static str, i64)>,
    ) {
        out.push(b'[');
        for (at, (name, base)) in prices.into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let mut object = Obj::open(out);
            self.write_pair(&mut object, base);
            object.str("number_type", name);
            object.close();
        }
        out.push(b']');
    }

    /// Writes `price_unit`.
    pub(super) fn write_unit(&self, object: &mut Obj<'_>) {
        object.str("price_unit", &self.world.currency.to_uppercase());
    }
}

/// A type of number as price lists call it.
pub(super) fn type_name(kind: NumberType) -> &'static str {
    match kind {
        NumberType::Local => "local",
        NumberType::Mobile => "mobile",
        NumberType::TollFree => "toll free",
    }
}
