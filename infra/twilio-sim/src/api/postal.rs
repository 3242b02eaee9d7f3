//! Whether an Address exists, as far as its country has it looked up: the form of its postal code decides,
//! and its spelling may be put right.
//!
//! Which countries look up, and by what, is the simulator's own; Twilio asks registers that it does not name.

use crate::world::addresses::AddressDetails;

use super::answer::Refusal;

/// The countries whose Addresses are looked up, with the digits of their postal codes. Emergency addresses
/// of the United States and Canada are, too.
const LOOKED_UP: [(&str, usize); 4] = [("AU", 4), ("DE", 5), ("FR", 5), ("IN", 6)];

/// The Address as it is kept, and whether it was found to exist. `correct`: put its spelling right rather
/// than refuse it.
pub(super) fn validated(
    details: AddressDetails,
    correct: bool,
) -> Result<(AddressDetails, bool), Refusal> {
    if !is_looked_up(&details) {
        return Ok((details, false));
    }
    let right = corrected(&details);
    if !exists(&right) {
        return Err(Refusal::bad(21_628, "Address Validation Error"));
    }
    if right != details && !correct {
        let message = format!(
            "Address Validation Error - Check Suggested Address: {}, {}, {} {}, {}",
            right.street, right.city, right.region, right.postal_code, right.iso_country
        );
        return Err(Refusal::bad(21_629, &message));
    }
    Ok((right, true))
}

fn is_looked_up(details: &AddressDetails) -> bool {
    let country = details.iso_country.as_str();
    LOOKED_UP.iter().any(|(iso, _)| *iso == country)
        || details.emergency_enabled && matches!(country, "US" | "CA")
}

fn exists(details: &AddressDetails) -> bool {
    let postal = details.postal_code.as_str();
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    match details.iso_country.as_str() {
        "US" => {
            let (zip, more) = postal.split_once('-').unwrap_or((postal, "0000"));
            digits(zip, 5) && digits(more, 4)
        }
        "CA" => {
            let form: Vec<bool> = postal
                .bytes()
                .filter(|byte| *byte != b' ')
                .map(|byte| byte.is_ascii_digit())
                .collect();
            form == [false, true, false, true, false, true]
        }
        country => LOOKED_UP
            .iter()
            .find(|(iso, _)| *iso == country)
            .is_none_or(|(_, count)| digits(postal, *count)),
    }
}

/// Single blanks, and postal codes in capitals.
fn corrected(details: &AddressDetails) -> AddressDetails {
    let single = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    AddressDetails {
        street: single(&details.street),
        city: single(&details.city),
        region: single(&details.region),
        postal_code: single(&details.postal_code).to_uppercase(),
        ..details.clone()
    }
}
