//! Every identifier is a type of its own, checked where it enters, so that a wrong one cannot travel.
//!
//! Twilio's SIDs are two letters and 32 hexadecimal digits; ours are a prefix and a ULID. There is no
//! `From<String>`, no `Default` and no `Deref`: the only door is `parse`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is not the identifier it was given as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}")]
pub struct InvalidId {
    /// The identifier's name, as documentation spells it.
    pub kind: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the form; nothing else makes one.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { kind: stringify!($name) })
                }
            }

            /// The identifier as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.into()
            }
        }
    };
}

macro_rules! ulid_ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)+) => {$(
        id!($(#[$doc])* $name, |text| is_prefixed_ulid($prefix, text));

        impl $name {
            /// A new identifier from a fresh ULID, which the caller draws.
            pub fn from_ulid(ulid: ulid::Ulid) -> Self {
                Self(format!(concat!($prefix, "{}"), ulid).into())
            }
        }
    )+};
}

macro_rules! sids {
    ($($(#[$doc:meta])* $name:ident $($prefix:literal)|+;)+) => {$(
        id!($(#[$doc])* $name, |text| $(is_sid($prefix, text))||+);
    )+};
}

/// A ULID from its parts: milliseconds since the epoch and 80 random bits.
pub fn ulid(millisecond: u64, random: u128) -> ulid::Ulid {
    ulid::Ulid::from_parts(millisecond, random)
}

/// A ULID from 128 bits that are no time, such as those of a hash.
pub fn ulid_of_bits(bits: u128) -> ulid::Ulid {
    ulid::Ulid(bits)
}

ulid_ids! {
    /// The operator's customer.
    TenantId "ten_";
    /// A price plan; its versions are numbered.
    PlanId "plan_";
    /// One of our events.
    EventId "evt_";
    /// A bearer key of our API.
    OperatorKeyId "opk_";
    /// An accepted request about a phone number.
    NumberOrderId "ord_";
    /// A migration of numbers to a tenant.
    MigrationId "mig_";
}

impl TenantId {
    /// The tenant of all zeros, which nobody is: for what concerns the operator's main account.
    pub fn nobody() -> Self {
        Self::from_ulid(ulid_of_bits(0))
    }
}

sids! {
    /// A Twilio account or subaccount.
    AccountSid "AC";
    /// A Twilio API key.
    KeySid "SK";
    /// A call.
    CallSid "CA";
    /// A message, SMS or MMS.
    MessageSid "SM" | "MM";
    /// A phone number that an account holds.
    PhoneNumberSid "PN";
    /// A recording.
    RecordingSid "RE";
    /// A conference.
    ConferenceSid "CF";
    /// A usage trigger.
    UsageTriggerSid "UT";
    /// A postal address.
    AddressSid "AD";
    /// An application: callback URLs that several numbers share.
    ApplicationSid "AP";
    /// A messaging service.
    MessagingServiceSid "MG";
    /// A regulatory bundle: the papers that a country wants to see for a number.
    BundleSid "BU";
    /// An identity, which some countries want to see for a number.
    IdentitySid "RI";
    /// A SIP trunk.
    TrunkSid "TK";
    /// A content template.
    ContentSid "HX";
    /// An event of Twilio's audit log.
    MonitorEventSid "AE";
    /// An alert: an error or warning that Twilio recorded.
    AlertSid "NO";
}

fn is_sid(prefix: &str, text: &str) -> bool {
    text.len() == 34
        && text.starts_with(prefix)
        && text.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit())
}

fn is_prefixed_ulid(prefix: &str, text: &str) -> bool {
    // Crockford's alphabet without I, L, O, U; the first digit holds only three bits.
    text.strip_prefix(prefix).is_some_and(|ulid| {
        ulid.len() == 26
            && ulid.as_bytes()[0] <= b'7'
            && ulid.bytes().all(|byte| {
                byte.is_ascii_digit()
                    || (byte.is_ascii_uppercase() && !matches!(byte, b'I' | b'L' | b'O' | b'U'))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_needs_its_prefix_and_32_hexadecimal_digits() {
        let hex = "0123456789abcdefABCDEF0123456789";
        assert!(AccountSid::parse(&format!("AC{hex}")).is_ok());
        assert!(MessageSid::parse(&format!("MM{hex}")).is_ok());
        for wrong in [
            format!("SK{hex}"),
            format!("AC{hex}0"),
            format!("AC{}", &hex[1..]),
            format!("AC{}g", &hex[1..]),
            String::new(),
            "AC".into(),
        ] {
            assert!(AccountSid::parse(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tenant_id_is_a_canonical_ulid_behind_its_prefix() {
        let id = TenantId::from_ulid(ulid::Ulid::from_parts(1_700_000_000_000, 42));
        assert_eq!(TenantId::parse(id.as_str()), Ok(id.clone()));
        for wrong in [
            id.as_str().to_lowercase(),
            format!("{id}0"),
            id.as_str().replace("ten_", "plan_"),
            format!("ten_8{}", "0".repeat(25)),
            format!("ten_0I{}", "0".repeat(24)),
            "ten_../../../../../../../../../".into(),
        ] {
            assert!(TenantId::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
