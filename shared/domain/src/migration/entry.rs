//! What enters a migration: numbers, addresses and names are checked, and papers that are missing stop a number.

use super::{ItemState, Marks};
use crate::numbers::Obstacle;
use crate::tenant::is_unprintable;

/// Characters of an e-mail address (RFC 5321: 254).
const EMAIL_MAX: usize = 254;

/// The state that the pre-flight of a number comes to.
pub fn preflight(obstacles: &[Obstacle]) -> ItemState {
    if obstacles.is_empty() {
        return ItemState::PreflightOk;
    }
    let codes: Vec<&str> = obstacles.iter().map(|obstacle| obstacle.code()).collect();
    ItemState::blocked(&codes.join(", "))
}

/// What stands in the way of a number that Twilio moves for us: papers that the gaining subaccount lacks. The rest
/// is for the check list, since Twilio's people look at it.
pub fn external_obstacles(marks: Marks, has_address: bool, has_bundle: bool) -> Vec<Obstacle> {
    let checks = [
        (
            marks.needs_address && !has_address,
            Obstacle::AddressRequired,
        ),
        (marks.needs_bundle && !has_bundle, Obstacle::BundleRequired),
    ];
    let standing = checks.into_iter().filter(|(stands, _)| *stands);
    standing.map(|(_, obstacle)| obstacle).collect()
}

/// Refuses what is no number in E.164 form.
pub fn check_number(phone_number: &str) -> Result<(), &'static str> {
    let digits = phone_number.strip_prefix('+').unwrap_or_default();
    let is_number = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    is_number
        .then_some(())
        .ok_or("numbers must be in E.164 form")
}

/// Refuses what is no e-mail address, or one that could break out of its line in a ticket.
pub fn check_email(email: &str) -> Result<(), &'static str> {
    let parts = email.split_once('@');
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
    let is_email = email.len() <= EMAIL_MAX
        && parts.is_some_and(|(name, host)| {
            is_part(name) && is_part(host) && host.contains('.') && !host.contains('@')
        });
    is_email
        .then_some(())
        .ok_or("client_email must be an e-mail address")
}

/// A text on one line: whatever could end the line or turn its direction is a question mark.
pub(super) fn one_line(text: &str) -> String {
    let shown = text.chars();
    shown
        .map(|character| {
            if is_unprintable(character) {
                '?'
            } else {
                character
            }
        })
        .collect()
}
