//! Phone numbers that an account holds: list, buy, configure, transfer, release; all of them, or those of
//! one type.
//!
//! Nothing is changed before the whole request has been found to be right.

use crate::world::World;
use crate::world::areas;
use crate::world::numbers::Settings;
use crate::world::supply::{self, Kind, SUPPLIES, Supply};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::number_body::{self, filter};
use super::number_form::{Occasion, Setup};
use super::paging;
use super::patterns::Pattern;
use super::route::{Operation, Target, delete, get, post};
use super::transfer;

pub(super) const OPERATIONS: &[Operation] = &[
    get(NUMBERS, LIST, |world, ask, target| {
        list(world, ask, target, None)
    }),
    post(NUMBERS, CREATE, |world, ask, target| {
        buy(world, ask, target, None)
    }),
    get(LOCAL, LIST, |world, ask, target| {
        list(world, ask, target, Some(Kind::Local))
    }),
    post(LOCAL, CREATE, |world, ask, target| {
        buy(world, ask, target, Some(Kind::Local))
    }),
    get(MOBILE, LIST, |world, ask, target| {
        list(world, ask, target, Some(Kind::Mobile))
    }),
    post(MOBILE, CREATE, |world, ask, target| {
        buy(world, ask, target, Some(Kind::Mobile))
    }),
    get(TOLL_FREE, LIST, |world, ask, target| {
        list(world, ask, target, Some(Kind::TollFree))
    }),
    post(TOLL_FREE, CREATE, |world, ask, target| {
        buy(world, ask, target, Some(Kind::TollFree))
    }),
    get(
        NUMBER,
        "/twilio/phone-numbers/incoming-phone-numbers/read",
        fetch,
    ),
    post(
        NUMBER,
        "/twilio/phone-numbers/incoming-phone-numbers/update",
        update,
    ),
    delete(
        NUMBER,
        "/twilio/phone-numbers/incoming-phone-numbers/delete",
        release,
    ),
];

const LIST: &str = "/twilio/phone-numbers/incoming-phone-numbers/list";
const CREATE: &str = "/twilio/phone-numbers/incoming-phone-numbers/create";
const NUMBERS: &str = "/Accounts/{AccountSid}/IncomingPhoneNumbers";
const LOCAL: &str = "/Accounts/{AccountSid}/IncomingPhoneNumbers/Local";
const MOBILE: &str = "/Accounts/{AccountSid}/IncomingPhoneNumbers/Mobile";
const TOLL_FREE: &str = "/Accounts/{AccountSid}/IncomingPhoneNumbers/TollFree";
const NUMBER: &str = "/Accounts/{AccountSid}/IncomingPhoneNumbers/{Sid}";

fn list(
    world: &mut World,
    ask: &Ask,
    target: &Target<'_>,
    kind: Option<Kind>,
) -> Result<Answer, Refusal> {
    let world = &*world;
    let pattern = ask.query("PhoneNumber").map(Pattern::of_held);
    let name = ask.query("FriendlyName");
    let with_beta = filter(ask, "Beta")?.unwrap_or(true);
    let hosted = match ask.query("Origin") {
        None => None,
        Some("twilio") => Some(false),
        Some("hosted") => Some(true),
        Some(_) => return Err(super::forms::invalid("Origin")),
    };
    let fits = |index: &usize| {
        let number = &world.numbers[*index];
        let supply = number.supply();
        kind.is_none_or(|kind| supply.kind == kind)
            && pattern
                .as_ref()
                .is_none_or(|pattern| pattern.fits(&number.e164))
            && name.is_none_or(|name| number.settings.friendly_name == name)
            && (with_beta || !supply.beta)
            && hosted.is_none_or(|hosted| number.hosted == hosted)
    };
    let held = &world.accounts[target.account].numbers;
    let items: Vec<usize> = held.iter().rev().copied().filter(fits).collect();
    paging::by_sid(
        world,
        ask,
        "incoming_phone_numbers",
        &items,
        |number| world.numbers[number].sid,
        |out, number| number_body::incoming(world, out, number, ask.now, kind.is_none()),
    )
}

fn buy(
    world: &mut World,
    ask: &Ask,
    target: &Target<'_>,
    kind: Option<Kind>,
) -> Result<Answer, Refusal> {
    let account = target.account;
    if !world.may_start(account) {
        return Err(Refusal::not_active());
    }
    let wanted = wanted(world, ask, kind)?;
    let supply = supply::supply_or_default(&wanted);
    let setup = Setup {
        world,
        ask,
        owner: account,
        supply,
        occasion: Occasion::Purchase,
    };
    let settings = setup.read(Settings::blank(&wanted))?;
    let number = world
        .buy_number(ask.now, account, Some(&wanted), supply.iso)
        .ok_or_else(unavailable)?;
    world.numbers[number].settings = settings;
    Ok(Answer::object(201, |out| {
        number_body::incoming(world, out, number, ask.now, kind.is_none());
    }))
}

fn unavailable() -> Refusal {
    Refusal::bad(21_422, "PhoneNumber is not available for purchase")
}

/// The number to buy: the one that is named, or one in the area that is named.
fn wanted(world: &World, ask: &Ask, kind: Option<Kind>) -> Result<String, Refusal> {
    let invalid = || Refusal::bad(21_421, "PhoneNumber is invalid");
    match (ask.form("PhoneNumber"), ask.form("AreaCode")) {
        (Some(number), _) if !supply::is_possible(number) => Err(invalid()),
        (Some(number), _) => {
            let found = supply::supply_of(number).map(|supply| supply.kind);
            if kind.is_some() && found.is_some() && kind != found {
                return Err(Refusal::bad(
                    21_458,
                    "PhoneNumber Provisioning Type Mismatch",
                ));
            }
            if !world.is_for_sale(number) {
                return Err(unavailable());
            }
            Ok(number.to_owned())
        }
        (None, Some(_)) if kind.is_some() => {
            Err(Refusal::bad(21_457, "AreaCode Parameter not Supported"))
        }
        (None, Some(code)) => in_area(world, code),
        (None, None) => Err(invalid()),
    }
}

/// A number in an area of the United States or Canada.
fn in_area(world: &World, code: &str) -> Result<String, Refusal> {
    if !is_area_code(code) {
        return Err(Refusal::bad(21_451, "Invalid area code"));
    }
    let none = || Refusal::bad(21_452, "No phone numbers found in area code");
    let area = areas::AREAS
        .iter()
        .find(|area| area.place.is_some() && area.code == code)
        .ok_or_else(none)?;
    let local = |supply: &&'static Supply| supply.iso == area.iso && supply.kind == Kind::Local;
    let supply = SUPPLIES.iter().find(local).ok_or_else(none)?;
    world
        .offers(supply)
        .find(|offer| offer.area.is_some_and(|found| std::ptr::eq(found, area)))
        .map(|offer| offer.number)
        .ok_or_else(none)
}

/// Whether a text has the form of a North American area code.
pub(super) fn is_area_code(text: &str) -> bool {
    let [first, second, third] = text.as_bytes() else {
        return false;
    };
    (b'2'..=b'9').contains(first) && second.is_ascii_digit() && third.is_ascii_digit()
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let number = find(world, ask, target)?;
    Ok(Answer::object(200, |out| {
        number_body::incoming(world, out, number, ask.now, true);
    }))
}

fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let gaining = transfer::gaining_account(world, ask, target, index)?;
    let number = &world.numbers[index];
    let (before, occasion) = match gaining {
        Some(_) => (
            number
                .settings
                .transferred(&number.e164, world.quirks.transfer_clears_webhooks),
            Occasion::Transfer,
        ),
        None => (number.settings.clone(), Occasion::Update),
    };
    let setup = Setup {
        world,
        ask,
        owner: gaining.unwrap_or(number.account),
        supply: number.supply(),
        occasion,
    };
    let settings = setup.read(before)?;
    if let Some(gaining) = gaining {
        world.transfer_number(index, gaining);
    }
    let number = &mut world.numbers[index];
    number.settings = settings;
    number.updated_at = ask.now;
    Ok(Answer::object(200, |out| {
        number_body::incoming(world, out, index, ask.now, true);
    }))
}

fn release(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let number = find(world, ask, target)?;
    world.release_number(number);
    Ok(Answer::no_content())
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    world
        .find("PN", target.id(0))
        .filter(|number| {
            let number = &world.numbers[*number];
            number.account == target.account && !number.released
        })
        .ok_or_else(|| Refusal::not_found(ask))
}
