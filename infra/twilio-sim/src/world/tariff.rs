//! What things cost, by country, in billionths of a currency unit, and how numbers are told apart.

use super::supply;

/// What one country's calls and messages cost.
pub(crate) struct Country {
    pub(crate) iso: &'static str,
    pub(crate) prefix: &'static str,
    /// Digits after the prefix.
    pub(crate) digits: usize,
    /// What drawn subscriber numbers start with, so that they look local.
    pub(crate) lead: &'static str,
    pub(crate) sms_out: i64,
    pub(crate) sms_fee: i64,
    pub(crate) sms_in: i64,
    pub(crate) mms_out: i64,
    pub(crate) mms_fee: i64,
    pub(crate) mms_in: i64,
    pub(crate) voice_out: i64,
    pub(crate) voice_in: i64,
    pub(crate) number_month: i64,
}

macro_rules! country {
    ($iso:literal $prefix:literal $digits:literal $lead:literal: $so:literal $sf:literal $si:literal, $mo:literal $mf:literal $mi:literal, $vo:literal $vi:literal, $n:literal) => {
        // Given in hundred-thousandths, the finest that Twilio's price list shows.
        Country {
            iso: $iso,
            prefix: $prefix,
            digits: $digits,
            lead: $lead,
            sms_out: $so * 10_000,
            sms_fee: $sf * 10_000,
            sms_in: $si * 10_000,
            mms_out: $mo * 10_000,
            mms_fee: $mf * 10_000,
            mms_in: $mi * 10_000,
            voice_out: $vo * 10_000,
            voice_in: $vi * 10_000,
            number_month: $n * 10_000,
        }
    };
}

/// The countries; the first is the one that unknown numbers are charged as.
pub(crate) const COUNTRIES: &[Country] = &[
    country!("US" "+1" 10 "415555": 830 300 830, 2200 1000 1650, 1400 850, 115_000),
    country!("CA" "+1" 10 "416555": 830 850 830, 2200 1000 1650, 1400 850, 115_000),
    country!("GB" "+44" 10 "2079": 4630 0 750, 4630 0 750, 1580 1000, 115_000),
    country!("DE" "+49" 10 "3090": 11_240 0 750, 11_240 0 750, 2100 1000, 115_000),
    country!("FR" "+33" 9 "1765": 7980 0 750, 7980 0 750, 1900 1000, 115_000),
    country!("AU" "+61" 9 "2809": 5150 0 750, 5150 0 750, 2520 1000, 300_000),
    country!("IN" "+91" 10 "2250": 8320 0 750, 8320 0 750, 4050 1000, 500_000),
    country!("BR" "+55" 10 "1132": 5990 0 750, 5990 0 750, 4680 1000, 425_000),
];

/// Minutes of recording.
pub(crate) const RECORDING_MINUTE: i64 = 2_500_000;
/// A recorded minute in storage for a day: a thirtieth of $0.0005, in the five decimals that prices have.
pub(crate) const STORAGE_MINUTE_DAY: i64 = 20_000;
/// Megabytes of a recorded second: 8,000 samples of two bytes, in billionths.
pub(crate) const RECORDED_MB_SECOND: i64 = 16_000_000;
/// Minutes with a client application or a SIP address.
pub(crate) const CLIENT_MINUTE: i64 = 4_000_000;
pub(crate) const SIP_MINUTE: i64 = 4_000_000;
/// Finding out whether a machine answered.
pub(crate) const DETECTION: i64 = 7_500_000;
/// Twilio's fee for a failed message, per message.
pub(crate) const FAILED_FEE: i64 = 1_000_000;

const CANADIAN: [&str; 4] = ["+1416", "+1604", "+1514", "+1403"];

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberType {
    Local,
    Mobile,
    TollFree,
}

/// The country of a number.
pub(crate) fn country_of(number: &str) -> &'static Country {
    let iso = CANADIAN
        .iter()
        .any(|prefix| number.starts_with(prefix))
        .then_some("CA");
    COUNTRIES
        .iter()
        .find(|country| {
            iso.map_or_else(
                || number.starts_with(country.prefix),
                |iso| country.iso == iso,
            )
        })
        .unwrap_or(&COUNTRIES[0])
}

/// The country with this code.
pub(crate) fn country(iso: &str) -> Option<&'static Country> {
    COUNTRIES
        .iter()
        .find(|country| country.iso.eq_ignore_ascii_case(iso))
}

/// The type of a number, as far as it is charged by.
pub(crate) fn type_of(number: &str) -> NumberType {
    supply::supply_or_default(number).kind.class()
}

/// The types of numbers that a country has, as far as they are charged by.
pub(crate) fn types_in(country: &Country) -> Vec<NumberType> {
    let mut types = Vec::new();
    for kind in supply::supplies_of(country.iso).map(|supply| supply.kind.class()) {
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    types
}

/// What a country's numbers start with, without the plus sign.
pub(crate) fn prefixes_of(country: &Country) -> Vec<&'static str> {
    let plain = |prefix: &'static str| prefix.trim_start_matches('+');
    if country.iso == "CA" {
        // It shares +1 with the United States.
        CANADIAN.into_iter().map(plain).collect()
    } else {
        vec![plain(country.prefix)]
    }
}

/// Whether a text is a number in E.164 form.
pub(crate) fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// Whether a text is something that can be called: a number, a client or a SIP address.
pub(crate) fn is_endpoint(text: &str) -> bool {
    match text.split_once(':') {
        Some(("client", name)) => !name.is_empty(),
        Some(("sip" | "sips", address)) => address
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()),
        _ => is_e164(text),
    }
}

/// A number of this country.
pub(crate) fn draw_number(country: &Country, rng: &mut crate::rng::Rng) -> String {
    let mut number = format!("{}{}", country.prefix, country.lead);
    while number.len() < country.prefix.len() + country.digits {
        number.push(char::from(b'0' + u8::try_from(rng.below(10)).unwrap_or(0)));
    }
    number
}
