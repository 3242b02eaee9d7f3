//! Addresses, which some phone numbers ask their owner for, and the numbers that depend on one.

use crate::json::Obj;
use crate::world::World;
use crate::world::accounts::Status;
use crate::world::addresses::AddressDetails;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::write_date;
use super::forms::{self, NAME_MAX, invalid};
use super::number_body::{self, filter};
use super::paging;
use super::postal;
use super::route::{Operation, Target, delete as remove, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(ADDRESSES, "/twilio/phone-numbers/addresses/list", list),
    post(ADDRESSES, "/twilio/phone-numbers/addresses/create", create),
    get(ADDRESS, "/twilio/phone-numbers/addresses/read", fetch),
    post(ADDRESS, "/twilio/phone-numbers/addresses/update", update),
    remove(ADDRESS, "/twilio/phone-numbers/addresses/delete", delete),
    get(
        "/Accounts/{AccountSid}/Addresses/{AddressSid}/DependentPhoneNumbers",
        "/twilio/phone-numbers/dependent-phone-numbers/list",
        dependents,
    ),
];

const ADDRESSES: &str = "/Accounts/{AccountSid}/Addresses";
const ADDRESS: &str = "/Accounts/{AccountSid}/Addresses/{Sid}";
/// Twilio's bound of a customer's name: sixteen characters of four bytes.
const CUSTOMER_MAX_BYTES: usize = 64;
/// The longest FriendlyName of an emergency address, in characters.
const EMERGENCY_NAME_MAX: usize = 32;

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let emergency = filter(ask, "EmergencyEnabled")?;
    let equals = |name: &str, value: &str| ask.query(name).is_none_or(|wanted| wanted == value);
    let fits = |index: &usize| {
        let details = &world.numbering.addresses[*index].details;
        equals("CustomerName", &details.customer_name)
            && equals(
                "FriendlyName",
                details.friendly_name.as_deref().unwrap_or_default(),
            )
            && equals("IsoCountry", &details.iso_country)
            && emergency.is_none_or(|wanted| details.emergency_enabled == wanted)
    };
    let items: Vec<usize> = world.addresses(target.account).filter(fits).collect();
    paging::by_sid(
        world,
        ask,
        "addresses",
        &items,
        |index| world.numbering.addresses[index].sid,
        |out, index| write(world, out, index),
    )
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    if world.accounts[target.account].status == Status::Closed {
        return Err(Refusal::not_active());
    }
    for name in [
        "CustomerName",
        "Street",
        "City",
        "Region",
        "PostalCode",
        "IsoCountry",
    ] {
        if ask.form(name).is_none() {
            return Err(Refusal::bad(20_001, &format!("{name} is required")));
        }
    }
    let mut blank = AddressDetails::default();
    let country = ask.form("IsoCountry").unwrap_or_default();
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(invalid("IsoCountry"));
    }
    country.clone_into(&mut blank.iso_country);
    let (details, validated) = read(ask, blank)?;
    let address = world.create_address(ask.now, target.account, details, validated);
    Ok(Answer::object(201, |out| write(world, out, address)))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let address = find(world, ask, target)?;
    Ok(Answer::object(200, |out| write(world, out, address)))
}

fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let before = world.numbering.addresses[index].details.clone();
    let (details, validated) = read(ask, before)?;
    let address = &mut world.numbering.addresses[index];
    address.details = details;
    address.validated = validated;
    address.updated_at = ask.now;
    fetch(world, ask, target)
}

fn delete(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let address = find(world, ask, target)?;
    if world.is_needed(address) {
        return Err(Refusal::bad(
            21_625,
            "Address Required for Active IncomingPhoneNumber",
        ));
    }
    world.delete_address(address);
    Ok(Answer::no_content())
}

fn dependents(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let items = world.dependents(find(world, ask, target)?);
    paging::by_sid(
        world,
        ask,
        "dependent_phone_numbers",
        &items,
        |number| world.numbers[number].sid,
        |out, number| number_body::dependent(world, out, number),
    )
}

/// The Address after a request, corrected and checked as its country does.
fn read(ask: &Ask, mut details: AddressDetails) -> Result<(AddressDetails, bool), Refusal> {
    for (name, place) in [
        ("CustomerName", &mut details.customer_name),
        ("Street", &mut details.street),
        ("City", &mut details.city),
        ("Region", &mut details.region),
        ("PostalCode", &mut details.postal_code),
    ] {
        if let Some(text) = ask.form(name) {
            text.clone_into(place);
        }
    }
    for (name, place) in [
        ("FriendlyName", &mut details.friendly_name),
        ("StreetSecondary", &mut details.street_secondary),
    ] {
        if let Some(text) = ask.form_set(name) {
            *place = (!text.is_empty()).then(|| text.to_owned());
        }
    }
    forms::flag(ask, "EmergencyEnabled", &mut details.emergency_enabled)?;
    if details.customer_name.len() > CUSTOMER_MAX_BYTES {
        return Err(invalid("CustomerName"));
    }
    let longest = if details.emergency_enabled {
        EMERGENCY_NAME_MAX
    } else {
        NAME_MAX
    };
    let name = details.friendly_name.as_deref().unwrap_or_default();
    if name.chars().count() > longest {
        return Err(Refusal::bad(20_002, "Invalid FriendlyName"));
    }
    let mut correct = true;
    forms::flag(ask, "AutoCorrectAddress", &mut correct)?;
    postal::validated(details, correct)
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    world
        .address_of(target.account, target.id(0))
        .ok_or_else(|| Refusal::not_found(ask))
}

fn write(world: &World, out: &mut Vec<u8>, index: usize) {
    let address = &world.numbering.addresses[index];
    let details = &address.details;
    let account = world.accounts[address.account].sid;
    let mut object = Obj::open(out);
    object
        .str("sid", address.sid.as_str())
        .str("account_sid", account.as_str())
        .opt("friendly_name", details.friendly_name.as_deref())
        .str("customer_name", &details.customer_name)
        .str("street", &details.street)
        .opt("street_secondary", details.street_secondary.as_deref())
        .str("city", &details.city)
        .str("region", &details.region)
        .str("postal_code", &details.postal_code)
        .str("iso_country", &details.iso_country)
        .bool("emergency_enabled", details.emergency_enabled)
        .bool("validated", address.validated)
        // Only people at Twilio verify.
        .bool("verified", false);
    write_date(&mut object, "date_created", Some(address.created_at));
    write_date(&mut object, "date_updated", Some(address.updated_at));
    object.str(
        "uri",
        &format!(
            "/2010-04-01/Accounts/{account}/Addresses/{}.json",
            address.sid
        ),
    );
    object.close();
}
