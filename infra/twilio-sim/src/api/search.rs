//! The filters of a search for numbers.
//!
//! What tells places apart (area code, region, postal code, rate centre, nearness) applies to the United
//! States and Canada; elsewhere Twilio has no such places, and the filters mean nothing, but for InLocality.

use crate::world::areas::{self, Area, Point};
use crate::world::inventory::Offer;
use crate::world::supply::{Requirement, Supply};

use super::answer::Refusal;
use super::ask::Ask;
use super::forms::invalid;
use super::number_body::filter;
use super::numbers::is_area_code;
use super::patterns::Pattern;

/// Twilio's search radius in miles, and the widest.
const DISTANCE_DEFAULT: i64 = 25;
const DISTANCE_MAX: i64 = 500;

/// What is searched for.
pub(super) struct Search<'a> {
    /// Whether the whole type is left out, by what it can do and what it asks for.
    nothing: bool,
    contains: Option<Pattern>,
    area_code: Option<&'a str>,
    /// Places by what they are called; each must be it.
    places: Vec<(Naming, String)>,
    near: Option<(Option<Point>, i64)>,
}

/// What a place is called in one respect.
type Naming = fn(&Area) -> Option<&'static str>;

const PLACES: [(&str, Naming); 4] = [
    ("InRegion", |area| {
        area.place.as_ref().map(|place| place.region)
    }),
    ("InPostalCode", |area| {
        area.place.as_ref().map(|place| place.postal_code)
    }),
    ("InLata", |area| area.place.as_ref().map(|place| place.lata)),
    ("InRateCenter", |area| {
        area.place.as_ref().map(|place| place.rate_center)
    }),
];

impl<'a> Search<'a> {
    pub(super) fn read(ask: &'a Ask, supply: &Supply) -> Result<Self, Refusal> {
        let contains = ask
            .query("Contains")
            .map(|text| Pattern::contained(text).ok_or_else(|| invalid("Contains")))
            .transpose()?;
        let mut search = Self {
            nothing: is_left_out(ask, supply)?,
            contains,
            area_code: None,
            places: Vec::new(),
            near: None,
        };
        if let Some(named) = ask.query("InLocality") {
            search.name_place(|area| Some(area.locality), named);
        }
        if matches!(supply.iso, "US" | "CA") {
            search.read_places(ask)?;
        }
        Ok(search)
    }

    fn read_places(&mut self, ask: &'a Ask) -> Result<(), Refusal> {
        if let Some(code) = ask.query("AreaCode") {
            if !is_area_code(code) {
                return Err(Refusal::bad(21_451, "Invalid area code"));
            }
            self.area_code = Some(code);
        }
        if ask.query("InRateCenter").is_some() && ask.query("InLata").is_none() {
            return Err(invalid("InRateCenter"));
        }
        for (name, naming) in PLACES {
            if let Some(named) = ask.query(name) {
                self.name_place(naming, named);
            }
        }
        self.near = near(ask)?;
        Ok(())
    }

    /// A place is named, or a number in it.
    fn name_place(&mut self, naming: Naming, named: &str) {
        let of_number = named
            .strip_prefix(['+', ' '])
            .map(|digits| areas::area_of(&format!("+{digits}")).and_then(naming));
        match of_number {
            None => self.places.push((naming, named.to_owned())),
            Some(Some(name)) => self.places.push((naming, name.to_owned())),
            Some(None) => self.nothing = true,
        }
    }

    /// Whether a number is what is searched for.
    pub(super) fn admits(&self, offer: &Offer) -> bool {
        let within = |(center, miles): &(Option<Point>, i64)| {
            let point = offer.area.and_then(Point::of);
            center
                .zip(point)
                .is_some_and(|(center, point)| center.is_within(*miles, point))
        };
        let called = |(naming, name): &(Naming, String)| {
            offer
                .area
                .and_then(naming)
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        };
        !self.nothing
            && self
                .contains
                .as_ref()
                .is_none_or(|pattern| pattern.fits(&offer.number))
            && self.area_code.is_none_or(|code| {
                offer
                    .number
                    .strip_prefix("+1")
                    .is_some_and(|national| national.starts_with(code))
            })
            && self.places.iter().all(called)
            && self.near.as_ref().is_none_or(within)
    }
}

/// The middle of the circle that is searched, if it is known, and its radius in miles.
fn near(ask: &Ask) -> Result<Option<(Option<Point>, i64)>, Refusal> {
    let miles = match ask.query("Distance") {
        None => DISTANCE_DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|miles| (0..=DISTANCE_MAX).contains(miles))
            .ok_or_else(|| invalid("Distance"))?,
    };
    if let Some(number) = ask.query("NearNumber") {
        let number = format!("+{}", number.trim_start_matches(['+', ' ']));
        let center = areas::area_of(&number).and_then(Point::of);
        return Ok(Some((center, miles)));
    }
    ask.query("NearLatLong")
        .map(|text| {
            text.split_once(',')
                .and_then(|(latitude, longitude)| Point::parse(latitude.trim(), longitude.trim()))
                .map(|center| (Some(center), miles))
                .ok_or_else(|| invalid("NearLatLong"))
        })
        .transpose()
}

/// Whether none of a type is searched for.
fn is_left_out(ask: &Ask, supply: &Supply) -> Result<bool, Refusal> {
    let able = supply.capabilities;
    let mut left_out = false;
    for (name, able) in [
        ("VoiceEnabled", able.voice),
        ("SmsEnabled", able.sms),
        ("MmsEnabled", able.mms),
        ("FaxEnabled", false),
    ] {
        left_out |= filter(ask, name)?.is_some_and(|wanted| wanted != able);
    }
    for (name, excluded) in [
        (
            "ExcludeAllAddressRequired",
            supply.requirement != Requirement::None,
        ),
        (
            "ExcludeLocalAddressRequired",
            supply.requirement == Requirement::Local,
        ),
        (
            "ExcludeForeignAddressRequired",
            supply.requirement == Requirement::Foreign,
        ),
    ] {
        left_out |= filter(ask, name)? == Some(true) && excluded;
    }
    left_out |= filter(ask, "Beta")? == Some(false) && supply.beta;
    Ok(left_out)
}
