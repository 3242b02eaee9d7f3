//! Numbers that can be bought, by country and type. Not paged: a search shows the first that fit, and no
//! more than a few, whatever PageSize says.

use crate::json::Obj;
use crate::world::World;
use crate::world::areas::Area;
use crate::world::inventory::Offer;
use crate::world::supply::{self, Kind, SUPPLIES, Supply};
use crate::world::tariff;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::number_body;
use super::paging::Page;
use super::route::{Operation, Target, get};
use super::search::Search;

pub(super) const OPERATIONS: &[Operation] = &[
    get("/Accounts/{AccountSid}/AvailablePhoneNumbers", LIST, list),
    get(
        "/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}",
        "/twilio/phone-numbers/available-phone-numbers/read",
        fetch,
    ),
    get(
        "/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/Local",
        LIST,
        |world, ask, target| search(world, ask, target, Kind::Local),
    ),
    get(
        "/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/TollFree",
        LIST,
        |world, ask, target| search(world, ask, target, Kind::TollFree),
    ),
    get(
        "/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/Mobile",
        LIST,
        |world, ask, target| search(world, ask, target, Kind::Mobile),
    ),
    get(
        "/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/National",
        LIST,
        |world, ask, target| search(world, ask, target, Kind::National),
    ),
    get(
        "/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/SharedCost",
        LIST,
        |world, ask, target| search(world, ask, target, Kind::SharedCost),
    ),
    get(
        "/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/MachineToMachine",
        LIST,
        |world, ask, target| search(world, ask, target, Kind::MachineToMachine),
    ),
    get(
        "/Accounts/{AccountSid}/AvailablePhoneNumbers/{CountryCode}/Voip",
        LIST,
        |world, ask, target| search(world, ask, target, Kind::Voip),
    ),
];

const LIST: &str = "/twilio/phone-numbers/available-phone-numbers/list";

#[expect(clippy::unnecessary_wraps, reason = "one shape for every operation")]
fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        let countries = object.name("countries");
        countries.push(b'[');
        for (place, country) in tariff::COUNTRIES.iter().enumerate() {
            if place > 0 {
                countries.push(b',');
            }
            write_country(world, countries, target, country.iso);
        }
        countries.push(b']');
        object.str("uri", &ask.path_and_query);
        object.close();
    }))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let country = tariff::country(target.id(0)).ok_or_else(|| Refusal::not_found(ask))?;
    Ok(Answer::object(200, |out| {
        write_country(world, out, target, country.iso);
    }))
}

fn write_country(world: &World, out: &mut Vec<u8>, target: &Target<'_>, iso: &str) {
    let base = format!(
        "/2010-04-01/Accounts/{}/AvailablePhoneNumbers/{iso}",
        world.accounts[target.account].sid
    );
    let mut object = Obj::open(out);
    object
        .str("country_code", iso)
        .str("country", supply::country_name(iso))
        .str("uri", &format!("{base}.json"))
        .bool("beta", supply::supplies_of(iso).all(|supply| supply.beta));
    let mut uris = Obj::open(object.name("subresource_uris"));
    for supply in supply::supplies_of(iso) {
        uris.str(
            supply.kind.subresource(),
            &format!("{base}/{}.json", supply.kind.path()),
        );
    }
    uris.close();
    object.close();
}

/// A type that a country does not have is no resource: 404.
fn search(
    world: &mut World,
    ask: &Ask,
    target: &Target<'_>,
    kind: Kind,
) -> Result<Answer, Refusal> {
    let supply = SUPPLIES
        .iter()
        .find(|supply| supply.iso.eq_ignore_ascii_case(target.id(0)) && supply.kind == kind)
        .ok_or_else(|| Refusal::not_found(ask))?;
    let search = Search::read(ask, supply)?;
    let most = Page::read(ask)?
        .size()
        .min(world.quirks.available_numbers_max);
    let found: Vec<Offer> = world
        .offers(supply)
        .filter(|offer| search.admits(offer))
        .take(most)
        .collect();
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        let numbers = object.name("available_phone_numbers");
        numbers.push(b'[');
        for (place, offer) in found.iter().enumerate() {
            if place > 0 {
                numbers.push(b',');
            }
            write_offer(numbers, offer, world.quirks.numbers_as_in_examples);
        }
        numbers.push(b']');
        object.str("uri", &ask.path_and_query);
        object.close();
    }))
}

fn write_offer(out: &mut Vec<u8>, offer: &Offer, as_in_examples: bool) {
    let Supply {
        iso,
        requirement,
        beta,
        capabilities,
        ..
    } = *offer.supply;
    let place = offer.area.and_then(|area: &Area| area.place.as_ref());
    let mut object = Obj::open(out);
    object
        .str("friendly_name", &supply::formatted(&offer.number))
        .str("phone_number", &offer.number)
        .opt("lata", place.map(|place| place.lata))
        .opt("locality", offer.area.map(|area| area.locality))
        .opt("rate_center", place.map(|place| place.rate_center))
        .opt("region", place.map(|place| place.region))
        .opt("postal_code", place.map(|place| place.postal_code));
    for (name, degrees) in [
        ("latitude", place.map(|place| place.latitude)),
        ("longitude", place.map(|place| place.longitude)),
    ] {
        match degrees {
            Some(degrees) if !as_in_examples => object.raw(name, degrees),
            degrees => object.opt(name, degrees),
        };
    }
    object
        .str("iso_country", iso)
        .str("address_requirements", requirement.as_str())
        .bool("beta", beta);
    let mut able = Obj::open(object.name("capabilities"));
    number_body::write_capabilities(&mut able, ["voice", "sms", "mms"], capabilities);
    able.bool("fax", false);
    able.close();
    object.close();
}
