//! Categories of usage: the disjoint leaves that lines are booked under, and what rules may say of them.
//!
//! Twilio's categories overlap and its list grows, so names are open strings there; here only the leaves
//! below are lines, and what a day's total holds beyond them is the residual. Nesting is documented by
//! Twilio, never derived from names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The category that holds the sum of all others.
pub const TOTAL: &str = "totalprice";

/// The line that keeps what `totalprice` holds beyond the leaves.
pub const RESIDUAL: &str = "other";

/// Categories that never contain one another (usage-record documentation; not derived from names).
pub const LEAVES: [&str; 24] = [
    "a2p-registration-fees",
    "amazon-polly",
    "answering-machine-detection",
    "calls-client",
    "calls-inbound",
    "calls-outbound",
    "calls-sip",
    "failed-message-processing-fee",
    "lookups",
    "mediastorage",
    "mms-inbound",
    "mms-messages-carrierfees",
    "mms-outbound",
    "phonenumbers",
    "recordings",
    "recordingstorage",
    "shortcodes",
    "sms-inbound",
    "sms-messages-carrierfees",
    "sms-outbound",
    "transcriptions",
    "trunking-origination",
    "trunking-termination",
    "tts-google",
];

/// Our own monthly fees: lines without cost.
const FEES: [&str; 2] = ["number-fee", "tenant-fee"];

/// A category that lines are booked under: a leaf, the residual or a monthly fee.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Category(&'static str);

/// Which way a call or message went, seen from the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the tenant.
    Inbound,
    /// From the tenant.
    Outbound,
}

/// What kind of number of the tenant was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberType {
    /// A number of a place.
    Local,
    /// A mobile number.
    Mobile,
    /// A number that is free for callers.
    Tollfree,
    /// Any number of full length, in messaging.
    Longcode,
    /// A number of five or six digits.
    Shortcode,
}

/// Categories that a rule may name together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Calls over the telephone network, both ways.
    Calls,
    /// SMS, both ways.
    Sms,
    /// MMS, both ways.
    Mms,
    /// SMS and MMS.
    Messages,
    /// SIP trunking, both ways.
    Trunking,
    /// Carriers' fees for messages.
    CarrierFees,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 6] = [
        Self::Calls,
        Self::Sms,
        Self::Mms,
        Self::Messages,
        Self::Trunking,
        Self::CarrierFees,
    ];

    /// Its name in a rule.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Sms => "sms",
            Self::Mms => "mms",
            Self::Messages => "messages",
            Self::Trunking => "trunking",
            Self::CarrierFees => "carrier-fees",
        }
    }

    /// Does it hold the category?
    pub fn contains(self, category: &Category) -> bool {
        let members: &[&str] = match self {
            Self::Calls => &["calls-inbound", "calls-outbound"],
            Self::Sms => &["sms-inbound", "sms-outbound"],
            Self::Mms => &["mms-inbound", "mms-outbound"],
            Self::Messages => &["sms-inbound", "sms-outbound", "mms-inbound", "mms-outbound"],
            Self::Trunking => &["trunking-origination", "trunking-termination"],
            Self::CarrierFees => &["sms-messages-carrierfees", "mms-messages-carrierfees"],
        };
        members.contains(&category.0)
    }
}

/// Which list of single items says more of a category than its daily record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DetailFamily {
    /// The list of calls.
    Calls,
    /// Messages without media.
    Sms,
    /// Messages with media.
    Mms,
}

impl DetailFamily {
    /// The carriers' fees that a message's price may hold beside its category's own.
    pub fn carrier_fees(self) -> Option<Category> {
        match self {
            Self::Calls => None,
            Self::Sms => Some(Category("sms-messages-carrierfees")),
            Self::Mms => Some(Category("mms-messages-carrierfees")),
        }
    }

    /// The category of an item that went this way.
    pub fn category(self, direction: Direction) -> Category {
        Category(match (self, direction) {
            (Self::Calls, Direction::Inbound) => "calls-inbound",
            (Self::Calls, Direction::Outbound) => "calls-outbound",
            (Self::Sms, Direction::Inbound) => "sms-inbound",
            (Self::Sms, Direction::Outbound) => "sms-outbound",
            (Self::Mms, Direction::Inbound) => "mms-inbound",
            (Self::Mms, Direction::Outbound) => "mms-outbound",
        })
    }
}

impl Category {
    /// The residual.
    pub const OTHER: Self = Self(RESIDUAL);
    /// A monthly fee for each number.
    pub const NUMBER_FEE: Self = Self(FEES[0]);
    /// A monthly fee for the tenant.
    pub const TENANT_FEE: Self = Self(FEES[1]);

    /// The category of a line, if `name` is one; rollups and unknown names are not.
    pub fn parse(name: &str) -> Option<Self> {
        if name == RESIDUAL {
            return Some(Self::OTHER);
        }
        if let Some(fee) = FEES.into_iter().find(|fee| *fee == name) {
            return Some(Self(fee));
        }
        LEAVES
            .binary_search(&name)
            .ok()
            .map(|index| Self(LEAVES[index]))
    }

    /// The leaf with this name: what Twilio reports as a record of its own and no other leaf holds.
    pub fn leaf(name: &str) -> Option<Self> {
        Self::parse(name).filter(|category| *category != Self::OTHER && !category.is_fee())
    }

    /// Its name.
    pub fn as_str(&self) -> &'static str {
        self.0
    }

    /// Every category of Twilio's usage that a line can have: the leaves in name order, then the residual.
    pub fn all() -> impl Iterator<Item = Self> {
        LEAVES.into_iter().map(Self).chain([Self::OTHER])
    }

    /// Is it one of our own monthly fees?
    pub fn is_fee(&self) -> bool {
        FEES.contains(&self.0)
    }

    /// Has it a cost and no quantity that could be priced?
    pub fn is_cost_only(&self) -> bool {
        *self == Self::OTHER || Group::CarrierFees.contains(self)
    }

    /// Which way all of its usage went, if one way.
    pub fn direction(&self) -> Option<Direction> {
        match self.0 {
            "calls-inbound" | "sms-inbound" | "mms-inbound" | "trunking-origination" => {
                Some(Direction::Inbound)
            }
            "calls-outbound" | "sms-outbound" | "mms-outbound" | "trunking-termination" => {
                Some(Direction::Outbound)
            }
            _ => None,
        }
    }

    /// The list of single items behind it, if Twilio has one.
    pub fn detail_family(&self) -> Option<DetailFamily> {
        match self.0 {
            "calls-inbound" | "calls-outbound" => Some(DetailFamily::Calls),
            "sms-inbound" | "sms-outbound" => Some(DetailFamily::Sms),
            "mms-inbound" | "mms-outbound" => Some(DetailFamily::Mms),
            _ => None,
        }
    }

    /// Its subcategories by type of number, as Twilio names them.
    pub fn types(&self) -> &'static [(&'static str, NumberType)] {
        use NumberType::{Local, Longcode, Mobile, Shortcode, Tollfree};
        match self.0 {
            "calls-inbound" => &[
                ("calls-inbound-local", Local),
                ("calls-inbound-mobile", Mobile),
                ("calls-inbound-tollfree", Tollfree),
            ],
            "sms-inbound" => &[
                ("sms-inbound-longcode", Longcode),
                ("sms-inbound-shortcode", Shortcode),
                ("sms-inbound-tollfree", Tollfree),
            ],
            "sms-outbound" => &[
                ("sms-outbound-longcode", Longcode),
                ("sms-outbound-shortcode", Shortcode),
                ("sms-outbound-tollfree", Tollfree),
            ],
            "mms-inbound" => &[
                ("mms-inbound-longcode", Longcode),
                ("mms-inbound-shortcode", Shortcode),
                // Twilio spells this one with a hyphen.
                ("mms-inbound-toll-free", Tollfree),
            ],
            "mms-outbound" => &[
                ("mms-outbound-longcode", Longcode),
                ("mms-outbound-shortcode", Shortcode),
                ("mms-outbound-tollfree", Tollfree),
            ],
            "phonenumbers" => &[
                ("phonenumbers-local", Local),
                ("phonenumbers-mobile", Mobile),
                ("phonenumbers-tollfree", Tollfree),
            ],
            "trunking-origination" => &[
                ("trunking-origination-local", Local),
                ("trunking-origination-mobile", Mobile),
                ("trunking-origination-tollfree", Tollfree),
            ],
            _ => &[],
        }
    }

    /// What `usage` counts in it, for people.
    pub fn usage_unit(&self) -> &'static str {
        match self.0 {
            "calls-inbound"
            | "calls-outbound"
            | "calls-client"
            | "calls-sip"
            | "recordings"
            | "transcriptions"
            | "trunking-origination"
            | "trunking-termination" => "minutes",
            "sms-inbound" | "sms-outbound" | "sms-messages-carrierfees" => "segments",
            "mms-inbound" | "mms-outbound" | "mms-messages-carrierfees" => "messages",
            "phonenumbers" | "shortcodes" => "numbers",
            "number-fee" => "number-days",
            "tenant-fee" => "days",
            "recordingstorage" | "mediastorage" => "stored",
            "amazon-polly" | "tts-google" => "characters",
            _ => "units",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Category {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let unknown = || {
            serde::de::Error::custom(format_args!(
                "{name} is not a category that lines are booked under"
            ))
        };
        Self::parse(&name).ok_or_else(unknown)
    }
}

impl From<Category> for String {
    fn from(category: Category) -> String {
        category.0.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_sorted_so_that_lookups_find_them() {
        assert!(LEAVES.is_sorted());
        assert!(LEAVES.iter().all(|name| Category::leaf(name).is_some()));
        assert_eq!(Category::parse("calls"), None);
        assert_eq!(Category::leaf("other"), None);
        assert_eq!(Category::leaf("number-fee"), None);
        assert!(Category::NUMBER_FEE.is_fee() && !Category::OTHER.is_fee());
    }

    #[test]
    fn only_items_of_one_direction_have_a_list_behind_them() {
        for category in Category::all() {
            if let Some(family) = category.detail_family() {
                let direction = category.direction().unwrap();
                assert_eq!(family.category(direction), category);
            }
        }
    }

    #[test]
    fn a_subcategory_is_never_a_line() {
        let names = Category::all().flat_map(|category| category.types().iter());
        for (name, _) in names {
            assert_eq!(Category::parse(name), None, "{name}");
        }
    }

    #[test]
    fn groups_hold_leaves_by_their_documented_nesting() {
        let held = |group: Group| {
            Category::all()
                .filter(|category| group.contains(category))
                .count()
        };
        assert_eq!(Group::ALL.map(held), [2, 2, 2, 4, 2, 2]);
        assert!(!Group::Calls.contains(&Category::leaf("calls-sip").unwrap()));
    }
}
