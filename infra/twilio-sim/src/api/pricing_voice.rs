//! Price lists of calls: by country and by number, in both versions, and for SIP trunks.

use percent_encoding::percent_decode_str;

use crate::json::{Obj, string};
use crate::world::World;
use crate::world::tariff::{self, Country};

use super::answer::{Answer, Refusal};
use super::ask::{Ask, Product};
use super::pricing::{Prices, country, list, names, type_name, write_country, write_url};
use super::route::{Operation, Target, get};

pub(super) const OPERATIONS: &[Operation] = &[
    get("/v1/Voice/Countries", LIST, list).of(Product::Pricing),
    get("/v1/Voice/Countries/{IsoCountry}", READ, fetch_country_v1).of(Product::Pricing),
    get("/v1/Voice/Numbers/{Number}", READ, fetch_number_v1).of(Product::Pricing),
    get("/v2/Voice/Countries", LIST, list).of(Product::Pricing),
    get("/v2/Voice/Countries/{IsoCountry}", READ, fetch_country).of(Product::Pricing),
    get("/v2/Voice/Numbers/{DestinationNumber}", READ, fetch_number).of(Product::Pricing),
    get("/v2/Trunking/Countries", LIST_TRUNKING, list).of(Product::Pricing),
    get(
        "/v2/Trunking/Countries/{IsoCountry}",
        READ_TRUNKING,
        fetch_trunking_country,
    )
    .of(Product::Pricing),
    get(
        "/v2/Trunking/Numbers/{DestinationNumber}",
        READ_TRUNKING,
        fetch_trunking_number,
    )
    .of(Product::Pricing),
];

const LIST: &str = "/twilio/voice/pricing/list";
const READ: &str = "/twilio/voice/pricing/read";
const LIST_TRUNKING: &str = "/twilio/voice/sip.trunks.pricing/list";
const READ_TRUNKING: &str = "/twilio/voice/sip.trunks.pricing/read";

fn fetch_country_v1(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let country = country(ask, target)?;
    let prices = prices(world, target);
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        write_country(&mut object, country);
        let outbound = object.name("outbound_prefix_prices");
        outbound.push(b'[');
        let mut entry = Obj::open(outbound);
        write_strings(entry.name("prefixes"), &tariff::prefixes_of(country));
        prices.write_pair(&mut entry, country.voice_out);
        entry.str("friendly_name", &minute("Programmable Outbound", country));
        entry.close();
        outbound.push(b']');
        write_inbound(&prices, &mut object, country);
        prices.write_unit(&mut object);
        write_url(&mut object, &ask.path);
        object.close();
    }))
}

fn fetch_country(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let country = country(ask, target)?;
    let prices = prices(world, target);
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        write_country(&mut object, country);
        let outbound = object.name("outbound_prefix_prices");
        outbound.push(b'[');
        let mut entry = Obj::open(outbound);
        write_prefixes(&mut entry, country);
        prices.write_pair(&mut entry, country.voice_out);
        entry.str("friendly_name", &minute("Programmable Outbound", country));
        entry.close();
        outbound.push(b']');
        write_inbound(&prices, &mut object, country);
        prices.write_unit(&mut object);
        write_url(&mut object, &ask.path);
        object.close();
    }))
}

fn fetch_number_v1(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let number = number(ask, target)?;
    let country = tariff::country_of(&number);
    let prices = prices(world, target);
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        object.str("number", &number);
        write_country(&mut object, country);
        let mut outbound = Obj::open(object.name("outbound_call_price"));
        prices.write_pair(&mut outbound, country.voice_out);
        outbound.close();
        write_own_price(&prices, &mut object, "inbound_call_price", &number, true);
        prices.write_unit(&mut object);
        write_url(&mut object, &format!("/v1/Voice/Numbers/{number}"));
        object.close();
    }))
}

fn fetch_number(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let number = number(ask, target)?;
    let country = tariff::country_of(&number);
    let prices = prices(world, target);
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        object
            .str("destination_number", &number)
            .opt("origination_number", ask.query("OriginationNumber"));
        write_country(&mut object, country);
        let outbound = object.name("outbound_call_prices");
        outbound.push(b'[');
        let mut entry = Obj::open(outbound);
        prices.write_pair(&mut entry, country.voice_out);
        write_strings(entry.name("origination_prefixes"), &["ALL"]);
        entry.close();
        outbound.push(b']');
        write_own_price(&prices, &mut object, "inbound_call_price", &number, true);
        prices.write_unit(&mut object);
        write_url(&mut object, &format!("/v2/Voice/Numbers/{number}"));
        object.close();
    }))
}

fn fetch_trunking_country(
    world: &mut World,
    ask: &Ask,
    target: &Target<'_>,
) -> Result<Answer, Refusal> {
    let country = country(ask, target)?;
    let prices = prices(world, target);
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        write_country(&mut object, country);
        write_terminating(&prices, &mut object, country);
        let inbound = object.name("originating_call_prices");
        inbound.push(b'[');
        for (at, kind) in tariff::types_in(country).into_iter().enumerate() {
            if at > 0 {
                inbound.push(b',');
            }
            let mut entry = Obj::open(inbound);
            entry.null("base_price");
            prices.write_current(&mut entry, country.voice_in);
            entry.str("number_type", type_name(kind));
            entry.close();
        }
        inbound.push(b']');
        prices.write_unit(&mut object);
        write_url(&mut object, &ask.path);
        object.close();
    }))
}

fn fetch_trunking_number(
    world: &mut World,
    ask: &Ask,
    target: &Target<'_>,
) -> Result<Answer, Refusal> {
    let number = number(ask, target)?;
    let country = tariff::country_of(&number);
    let prices = prices(world, target);
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        object
            .str("destination_number", &number)
            .opt("origination_number", ask.query("OriginationNumber"));
        write_country(&mut object, country);
        write_terminating(&prices, &mut object, country);
        write_own_price(
            &prices,
            &mut object,
            "originating_call_price",
            &number,
            false,
        );
        prices.write_unit(&mut object);
        write_url(&mut object, &format!("/v2/Trunking/Numbers/{number}"));
        object.close();
    }))
}

fn prices<'a>(world: &'a World, target: &Target<'_>) -> Prices<'a> {
    Prices {
        world,
        account: target.account,
    }
}

/// The number of the path; its plus sign may come encoded.
fn number(ask: &Ask, target: &Target<'_>) -> Result<String, Refusal> {
    let decoded = percent_decode_str(target.id(0)).decode_utf8_lossy();
    if !tariff::is_e164(&decoded) {
        return Err(Refusal::not_found(ask));
    }
    let asked_from = ask.query("OriginationNumber");
    if asked_from.is_some_and(|number| !tariff::is_e164(number)) {
        return Err(Refusal::invalid("OriginationNumber"));
    }
    Ok(decoded.into_owned())
}

fn minute(what: &str, country: &Country) -> String {
    format!("{what} Minute - {}", names(country).1)
}

fn write_prefixes(entry: &mut Obj<'_>, country: &Country) {
    write_strings(
        entry.name("destination_prefixes"),
        &tariff::prefixes_of(country),
    );
    write_strings(entry.name("origination_prefixes"), &["ALL"]);
}

fn write_inbound(prices: &Prices<'_>, object: &mut Obj<'_>, country: &Country) {
    prices.write_by_type(
        object.name("inbound_call_prices"),
        &tariff::types_in(country),
        |_| country.voice_in,
    );
}

/// What trunk calls to a country cost. Twilio gives no base price for trunks.
fn write_terminating(prices: &Prices<'_>, object: &mut Obj<'_>, country: &Country) {
    let out = object.name("terminating_prefix_prices");
    out.push(b'[');
    let mut entry = Obj::open(out);
    entry.null("base_price");
    prices.write_current(&mut entry, country.voice_out);
    write_prefixes(&mut entry, country);
    entry.str("friendly_name", &minute("Trunking Outbound", country));
    entry.close();
    out.push(b']');
}

/// What calls to a number cost the account that holds it; null where it is somebody else's.
fn write_own_price(
    prices: &Prices<'_>,
    object: &mut Obj<'_>,
    name: &str,
    number: &str,
    with_base: bool,
) {
    let held = prices.world.held.get(number);
    if held.is_none_or(|held| prices.world.numbers[*held].account != prices.account) {
        object.null(name);
        return;
    }
    let base = tariff::country_of(number).voice_in;
    let mut price = Obj::open(object.name(name));
    if with_base {
        prices.write_pair(&mut price, base);
    } else {
        price.null("base_price");
        prices.write_current(&mut price, base);
    }
    price.str("number_type", type_name(tariff::type_of(number)));
    price.close();
}

fn write_strings(out: &mut Vec<u8>, values: &[&str]) {
    out.push(b'[');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(out, value);
    }
    out.push(b']');
}
