//! Where local numbers are: area codes with the place that Twilio shows for them.
//!
//! Only the United States and Canada have a rate centre, a LATA, a region, a postal code and coordinates.
//! Coordinates are text that is never computed with floats.

use crate::amount;

/// One area code.
#[derive(Debug)]
pub(crate) struct Area {
    pub(crate) iso: &'static str,
    /// What its numbers begin with after the country's prefix.
    pub(crate) code: &'static str,
    pub(crate) locality: &'static str,
    pub(crate) place: Option<Place>,
}

/// What North American areas have besides.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) region: &'static str,
    pub(crate) rate_center: &'static str,
    pub(crate) lata: &'static str,
    pub(crate) postal_code: &'static str,
    pub(crate) latitude: &'static str,
    pub(crate) longitude: &'static str,
}

macro_rules! area {
    ($iso:literal $code:literal $locality:literal) => {
        Area {
            iso: $iso,
            code: $code,
            locality: $locality,
            place: None,
        }
    };
    ($iso:literal $code:literal $locality:literal, $region:literal $center:literal $lata:literal $postal:literal $lat:literal $long:literal) => {
        Area {
            iso: $iso,
            code: $code,
            locality: $locality,
            place: Some(Place {
                region: $region,
                rate_center: $center,
                lata: $lata,
                postal_code: $postal,
                latitude: $lat,
                longitude: $long,
            }),
        }
    };
}

/// The area codes that the inventory has numbers of; told apart by where they stand.
pub(crate) static AREAS: &[Area] = &[
    area!("US" "415" "San Francisco", "CA" "SNFC CNTRL" "722" "94103" "37.774900" "-122.419400"),
    area!("US" "510" "Oakland", "CA" "OAKLAND" "722" "94607" "37.804400" "-122.271100"),
    area!("US" "408" "San Jose", "CA" "SNJS WEST" "722" "95113" "37.338200" "-121.886300"),
    area!("US" "213" "Los Angeles", "CA" "LOSANGELES" "730" "90012" "34.052200" "-118.243700"),
    area!("US" "206" "Seattle", "WA" "SEATTLE" "674" "98101" "47.606200" "-122.332100"),
    area!("US" "503" "Portland", "OR" "PORTLAND" "672" "97204" "45.515200" "-122.678400"),
    area!("US" "303" "Denver", "CO" "DENVER" "656" "80202" "39.739200" "-104.990300"),
    area!("US" "512" "Austin", "TX" "AUSTIN" "558" "78701" "30.267200" "-97.743100"),
    area!("US" "214" "Dallas", "TX" "DALLAS" "552" "75201" "32.776700" "-96.797000"),
    area!("US" "312" "Chicago", "IL" "CHICAGO" "358" "60601" "41.878100" "-87.629800"),
    area!("US" "404" "Atlanta", "GA" "ATLANTA" "438" "30303" "33.749000" "-84.388000"),
    area!("US" "305" "Miami", "FL" "MIAMI" "460" "33130" "25.761700" "-80.191800"),
    area!("US" "617" "Boston", "MA" "BOSTON" "128" "02110" "42.360100" "-71.058900"),
    area!("US" "212" "New York", "NY" "NWYRCYZN01" "132" "10001" "40.712800" "-74.006000"),
    area!("US" "202" "Washington", "DC" "WSHNGTNZN1" "236" "20001" "38.907200" "-77.036900"),
    area!("US" "808" "Honolulu", "HI" "HONOLULU" "834" "96813" "21.306900" "-157.858300"),
    area!("CA" "416" "Toronto", "ON" "TORONTO" "888" "M5H 2N2" "43.653200" "-79.383200"),
    area!("CA" "604" "Vancouver", "BC" "VANCOUVER" "888" "V6B 1A1" "49.282700" "-123.120700"),
    area!("CA" "514" "Montreal", "QC" "MONTREAL" "888" "H2Y 1C6" "45.501700" "-73.567300"),
    area!("CA" "403" "Calgary", "AB" "CALGARY" "888" "T2P 1J9" "51.044700" "-114.071900"),
    area!("GB" "20" "London"),
    area!("GB" "161" "Manchester"),
    area!("GB" "131" "Edinburgh"),
    area!("DE" "30" "Berlin"),
    area!("DE" "40" "Hamburg"),
    area!("DE" "89" "Munich"),
    area!("FR" "1" "Paris"),
    area!("FR" "4" "Marseille"),
    area!("AU" "2" "Sydney"),
    area!("AU" "3" "Melbourne"),
    area!("IN" "22" "Mumbai"),
    area!("IN" "80" "Bengaluru"),
    area!("BR" "11" "Sao Paulo"),
    area!("BR" "21" "Rio de Janeiro"),
];

/// The areas of a country.
pub(crate) fn areas_of(iso: &str) -> impl Iterator<Item = &'static Area> {
    AREAS.iter().filter(move |area| area.iso == iso)
}

/// The area of a local number.
pub(crate) fn area_of(number: &str) -> Option<&'static Area> {
    let supply = super::supply::supply_of(number)?;
    let national = number.strip_prefix(super::tariff::country_of(number).prefix)?;
    areas_of(supply.iso)
        .filter(|_| supply.kind == super::supply::Kind::Local)
        .find(|area| national.starts_with(area.code))
}

/// A point on the globe in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    latitude: i64,
    longitude: i64,
}

/// Miles along one degree of a meridian, in thousandths.
const MILES_PER_DEGREE: i64 = 69_000;
/// A degree in millionths of a radian.
const RADIANS: i64 = 17_453;
const MILLION: i64 = 1_000_000;

impl Point {
    /// Reads two decimal texts in degrees.
    pub(crate) fn parse(latitude: &str, longitude: &str) -> Option<Self> {
        let degrees = |text: &str, most: i64| {
            let value = amount::parse(text)? / 1000;
            (value.abs() <= most * MILLION).then_some(value)
        };
        Some(Self {
            latitude: degrees(latitude, 90)?,
            longitude: degrees(longitude, 180)?,
        })
    }

    /// Where an area is, if it is shown.
    pub(crate) fn of(area: &Area) -> Option<Self> {
        let place = area.place.as_ref()?;
        Self::parse(place.latitude, place.longitude)
    }

    /// Whether two points are within so many miles, as near as a flat map can tell.
    pub(crate) fn is_within(self, miles: i64, other: Self) -> bool {
        let cosine = cosine(i64::midpoint(self.latitude, other.latitude));
        let north = (self.latitude - other.latitude) * MILES_PER_DEGREE / MILLION;
        let east =
            (self.longitude - other.longitude) * MILES_PER_DEGREE / MILLION * cosine / MILLION;
        let limit = miles * 1000;
        north * north + east * east <= limit * limit
    }
}

/// The cosine of millionths of a degree, in millionths: its series to the sixth power, good to 0.1 %
/// up to 80 degrees.
fn cosine(angle: i64) -> i64 {
    let x = angle * RADIANS / MILLION;
    let square = x * x / MILLION;
    let fourth = square * square / MILLION;
    let sixth = fourth * square / MILLION;
    MILLION - square / 2 + fourth / 24 - sixth / 720
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_told_without_floats() {
        let point = |code: &str| Point::of(AREAS.iter().find(|area| area.code == code).unwrap());
        let (francisco, oakland, jose, york) =
            (point("415"), point("510"), point("408"), point("212"));
        assert!(francisco.unwrap().is_within(25, oakland.unwrap()));
        assert!(!francisco.unwrap().is_within(25, jose.unwrap()));
        assert!(francisco.unwrap().is_within(50, jose.unwrap()));
        assert!(!francisco.unwrap().is_within(500, york.unwrap()));
        assert!((cosine(60_000_000) - 500_000).abs() < 1000);
        assert!(Point::parse("91", "0").is_none() && Point::parse("x", "0").is_none());
    }

    #[test]
    fn only_local_numbers_have_an_area() {
        assert_eq!(area_of("+14155550100").unwrap().locality, "San Francisco");
        assert!(area_of("+18005550100").is_none());
        assert_eq!(area_of("+4989123456").unwrap().locality, "Munich");
    }
}
