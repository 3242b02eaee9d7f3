//! Callbacks as requests name them: an address, its method, and the events that it wants.

use crate::callbacks::Hook;

use super::answer::Refusal;
use super::ask::Ask;

/// Twilio's code of a method that is neither GET nor POST, on calls.
const INVALID_METHOD: u32 = 21_209;

/// Reads a callback's address and, from `{name}Method`, its method; an address that is none gives `code`.
pub(super) fn read(
    ask: &Ask,
    name: &str,
    code: u32,
    message: &str,
) -> Result<Option<Hook>, Refusal> {
    let method = read_method(ask, &format!("{name}Method"))?;
    match ask.form(name) {
        None => Ok(None),
        Some(url) if Hook::is_valid_url(url) => Ok(Some(Hook {
            url: url.to_owned(),
            get: method == Some("GET"),
        })),
        Some(_) => Err(Refusal::bad(code, message)),
    }
}

/// Reads a method; in lower case it is one, too.
pub(super) fn read_method(ask: &Ask, name: &str) -> Result<Option<&'static str>, Refusal> {
    match ask.form(name).map(str::to_ascii_uppercase).as_deref() {
        None => Ok(None),
        Some("GET") => Ok(Some("GET")),
        Some("POST") => Ok(Some("POST")),
        Some(_) => Err(Refusal::bad(INVALID_METHOD, "Invalid Method")),
    }
}

/// The events of a repeated field, each value one or several separated by spaces; an unknown one gives `code`.
pub(super) fn read_events<'a>(
    ask: &'a Ask,
    name: &'a str,
    known: &[&str],
    code: u32,
) -> Result<Vec<&'a str>, Refusal> {
    let events: Vec<&str> = ask
        .form_all(name)
        .flat_map(|value| value.split([' ', ',']))
        .filter(|event| !event.is_empty())
        .collect();
    if events.iter().all(|event| known.contains(event)) {
        Ok(events)
    } else {
        Err(Refusal::bad(code, &format!("Invalid '{name}'")))
    }
}
