//! Which phone numbers are sold where: types by country, what they can do, what they ask of their buyer
//! and what they cost a month.
//!
//! Twilio publishes neither its stock nor its requirements as data; the tables here are the simulator's
//! own, made so that every requirement, capability and type occurs somewhere.

use super::tariff::{self, NumberType};

/// A type of number, as the inventory is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Local,
    TollFree,
    Mobile,
    National,
    SharedCost,
    MachineToMachine,
    Voip,
}

/// A type's name in paths, as a subresource, and as a number's `type`.
const NAMES: [(Kind, &str, &str, &str); 7] = [
    (Kind::Local, "Local", "local", "local"),
    (Kind::TollFree, "TollFree", "toll_free", "toll free"),
    (Kind::Mobile, "Mobile", "mobile", "mobile"),
    (Kind::National, "National", "national", "national"),
    (Kind::SharedCost, "SharedCost", "shared_cost", "shared cost"),
    (
        Kind::MachineToMachine,
        "MachineToMachine",
        "machine_to_machine",
        "machine to machine",
    ),
    (Kind::Voip, "Voip", "voip", "voip"),
];

impl Kind {
    fn names(self) -> (Kind, &'static str, &'static str, &'static str) {
        NAMES
            .into_iter()
            .find(|(kind, ..)| *kind == self)
            .unwrap_or(NAMES[0])
    }

    /// The last segment of its inventory's path.
    pub(crate) fn path(self) -> &'static str {
        self.names().1
    }

    /// Its name among a country's subresources.
    pub(crate) fn subresource(self) -> &'static str {
        self.names().2
    }

    /// Its name in a number's `type`.
    pub(crate) fn text(self) -> &'static str {
        self.names().3
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(.., subresource, name)| [*subresource, *name].contains(&text))
            .map(|(kind, ..)| *kind)
    }

    /// What it is charged as: usage knows three classes of numbers.
    pub(crate) fn class(self) -> NumberType {
        match self {
            Self::TollFree => NumberType::TollFree,
            Self::Mobile | Self::MachineToMachine => NumberType::Mobile,
            Self::Local | Self::National | Self::SharedCost | Self::Voip => NumberType::Local,
        }
    }
}

/// Which Address a number asks its owner for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requirement {
    None,
    Any,
    /// One in the number's own country.
    Local,
    /// One outside the number's country.
    Foreign,
}

impl Requirement {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Any => "any",
            Self::Local => "local",
            Self::Foreign => "foreign",
        }
    }
}

/// What a number can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) voice: bool,
    pub(crate) sms: bool,
    pub(crate) mms: bool,
}

const EVERYTHING: Capabilities = capable(true, true, true);
const TALK: Capabilities = capable(true, false, false);
const TALK_AND_TEXT: Capabilities = capable(true, true, false);
const TEXT: Capabilities = capable(false, true, false);

const fn capable(voice: bool, sms: bool, mms: bool) -> Capabilities {
    Capabilities { voice, sms, mms }
}

/// One type of number in one country.
#[derive(Debug)]
pub(crate) struct Supply {
    pub(crate) iso: &'static str,
    pub(crate) kind: Kind,
    /// What such numbers begin with after the country's prefix; the longest that fits tells the type.
    pub(crate) leads: &'static [&'static str],
    /// Digits after the country's prefix.
    pub(crate) digits: usize,
    pub(crate) capabilities: Capabilities,
    pub(crate) requirement: Requirement,
    /// Whether a Bundle must be given.
    pub(crate) bundle: bool,
    /// Whether such numbers are new to Twilio.
    pub(crate) beta: bool,
    /// What a month costs above a local number of the country, in billionths of a currency unit.
    pub(crate) extra: i64,
}

macro_rules! supply {
    ($iso:literal $kind:ident $leads:expr, $digits:literal: $capabilities:ident $requirement:ident $bundle:literal $beta:literal, $extra:literal) => {
        // Given in cents, as Twilio's price list shows rents.
        Supply {
            iso: $iso,
            kind: Kind::$kind,
            leads: &$leads,
            digits: $digits,
            capabilities: $capabilities,
            requirement: Requirement::$requirement,
            bundle: $bundle,
            beta: $beta,
            extra: $extra * 10_000_000,
        }
    };
}

impl Supply {
    /// A month's rent in billionths of a currency unit.
    pub(crate) fn month(&self) -> i64 {
        let local = tariff::country(self.iso).map_or(0, |country| country.number_month);
        local + self.extra
    }
}

/// All that is sold. Canada's toll-free numbers are the United States', which come first. Entries are told
/// apart by where they stand, so there is one copy.
pub(crate) static SUPPLIES: &[Supply] = &[
    supply!("US" Local [""], 10: EVERYTHING None false false, 0),
    supply!("US" TollFree ["800", "833", "844", "855", "866", "877", "888"], 10: EVERYTHING None false false, 100),
    supply!("CA" Local [""], 10: EVERYTHING None false false, 0),
    supply!("GB" Local [""], 10: TALK None false false, 0),
    supply!("GB" Mobile ["7"], 10: TALK_AND_TEXT Any true false, 0),
    supply!("GB" TollFree ["800"], 10: TALK None false false, 100),
    supply!("GB" National ["330"], 10: TALK Any false false, 0),
    supply!("GB" SharedCost ["843"], 10: TALK Any false false, 85),
    supply!("DE" Local [""], 10: TALK Local true false, 0),
    supply!("DE" Mobile ["15"], 10: TALK_AND_TEXT Any true false, 185),
    supply!("DE" TollFree ["800"], 10: TALK Any false false, 2385),
    supply!("DE" Voip ["32"], 10: TALK Local false false, 0),
    supply!("FR" Local [""], 9: TALK Local false false, 0),
    supply!("FR" Mobile ["6", "7"], 9: TALK_AND_TEXT Any true false, 185),
    supply!("FR" TollFree ["80"], 9: TALK Any false false, 2385),
    supply!("FR" National ["9"], 9: TALK Any false false, 0),
    supply!("FR" MachineToMachine ["700"], 9: TEXT Any false false, 35),
    supply!("AU" Local [""], 9: TALK Any false false, 0),
    supply!("AU" Mobile ["4"], 9: EVERYTHING Local false false, 300),
    supply!("AU" TollFree ["1800"], 10: TALK Any false false, 1300),
    supply!("IN" Local [""], 10: TALK Foreign false false, 0),
    supply!("BR" Local [""], 10: TALK Any false true, 0),
    supply!("BR" TollFree ["800"], 10: TALK None false true, 2075),
];

/// The countries' names.
const COUNTRY_NAMES: [(&str, &str); 8] = [
    ("US", "United States"),
    ("CA", "Canada"),
    ("GB", "United Kingdom"),
    ("DE", "Germany"),
    ("FR", "France"),
    ("AU", "Australia"),
    ("IN", "India"),
    ("BR", "Brazil"),
];

/// The name of a country.
pub(crate) fn country_name(iso: &str) -> &'static str {
    COUNTRY_NAMES
        .iter()
        .find(|(code, _)| *code == iso)
        .map_or("", |(_, name)| name)
}

/// What is sold in a country.
pub(crate) fn supplies_of(iso: &str) -> impl Iterator<Item = &'static Supply> {
    SUPPLIES.iter().filter(move |supply| supply.iso == iso)
}

/// What a number is of, if its country is sold.
pub(crate) fn supply_of(number: &str) -> Option<&'static Supply> {
    let country = tariff::country_of(number);
    let national = number.strip_prefix(country.prefix)?;
    supplies_of(country.iso)
        .flat_map(|supply| supply.leads.iter().map(move |lead| (supply, lead)))
        .filter(|(_, lead)| national.starts_with(**lead))
        .max_by_key(|(_, lead)| lead.len())
        .map(|(supply, _)| supply)
}

/// What a number is treated as; one from a country that is not sold counts as the first of all.
pub(crate) fn supply_or_default(number: &str) -> &'static Supply {
    supply_of(number).unwrap_or(&SUPPLIES[0])
}

/// Whether a text can be a number: in North America the plan's form is known, elsewhere E.164's.
pub(crate) fn is_possible(number: &str) -> bool {
    let Some(national) = number.strip_prefix("+1") else {
        return tariff::is_e164(number);
    };
    let digits = national.as_bytes();
    digits.len() == 10
        && digits.iter().all(u8::is_ascii_digit)
        && digits[0] >= b'2'
        && digits[3] >= b'2'
}

/// A number as people of its country write it.
pub(crate) fn formatted(number: &str) -> String {
    match number.strip_prefix("+1") {
        Some(national) if is_possible(number) => format!(
            "({}) {}-{}",
            &national[..3],
            &national[3..6],
            &national[6..]
        ),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_s_type_is_told_by_its_longest_lead() {
        for (number, iso, kind) in [
            ("+14155550100", "US", Kind::Local),
            ("+18335550100", "US", Kind::TollFree),
            ("+14165550100", "CA", Kind::Local),
            ("+447700900123", "GB", Kind::Mobile),
            ("+442079460000", "GB", Kind::Local),
            ("+33700123456", "FR", Kind::MachineToMachine),
            ("+33712345678", "FR", Kind::Mobile),
            ("+611800123456", "AU", Kind::TollFree),
        ] {
            let supply = supply_of(number).unwrap();
            assert_eq!((supply.iso, supply.kind), (iso, kind), "{number}");
        }
        assert!(supply_of("+34600000000").is_none());
    }

    #[test]
    fn north_american_numbers_have_ten_digits_and_no_low_area_code() {
        assert!(is_possible("+14155550100"));
        for number in ["+1415555010", "+11155550100", "+14150550100", "14155550100"] {
            assert!(!is_possible(number), "{number}");
        }
        assert_eq!(formatted("+14155550100"), "(415) 555-0100");
        assert_eq!(formatted("+4930123456"), "+4930123456");
    }
}
