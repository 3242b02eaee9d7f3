//! Form fields of phone numbers, Applications and Addresses: each is read into what it means, or refused
//! with Twilio's code for it.

use crate::sid::Sid;
use crate::world::webhooks::{Method, Webhooks};

use super::answer::Refusal;
use super::ask::Ask;

/// The longest FriendlyName of these resources, in characters.
pub(super) const NAME_MAX: usize = 64;

/// Reads a FriendlyName into its place.
pub(super) fn name(ask: &Ask, into: &mut String) -> Result<(), Refusal> {
    let Some(name) = ask.form_set("FriendlyName") else {
        return Ok(());
    };
    if name.chars().count() > NAME_MAX {
        return Err(Refusal::bad(20_002, "Invalid FriendlyName"));
    }
    name.clone_into(into);
    Ok(())
}

/// Reads `true` or `false`.
pub(super) fn boolean(name: &str, text: &str) -> Result<bool, Refusal> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(invalid(name))
    }
}

/// Reads a flag into its place.
pub(super) fn flag(ask: &Ask, name: &str, into: &mut bool) -> Result<(), Refusal> {
    if let Some(text) = ask.form(name) {
        *into = boolean(name, text)?;
    }
    Ok(())
}

/// A value that makes no sense where Twilio documents no code of its own for it.
pub(super) fn invalid(name: &str) -> Refusal {
    Refusal::bad(20_001, &format!("Invalid {name}"))
}

/// Reads a URL into its place; empty takes it away.
pub(super) fn url(
    ask: &Ask,
    name: &str,
    into: &mut String,
    refusal: (u32, &str),
) -> Result<(), Refusal> {
    let Some(text) = ask.form_set(name) else {
        return Ok(());
    };
    let absolute = || {
        url::Url::parse(text)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    };
    if !text.is_empty() && !absolute() {
        return Err(Refusal::bad(refusal.0, refusal.1));
    }
    text.clone_into(into);
    Ok(())
}

/// Reads a SID of one kind into its place, whatever it names; empty takes it away.
pub(super) fn sid(
    ask: &Ask,
    name: &str,
    prefix: &str,
    into: &mut Option<Sid>,
    refusal: impl FnOnce() -> Refusal,
) -> Result<(), Refusal> {
    *into = match ask.form_set(name) {
        None => return Ok(()),
        Some("") => None,
        Some(text) => Some(Sid::parse(prefix, text).ok_or_else(refusal)?),
    };
    Ok(())
}

/// Reads an API version into its place.
pub(super) fn api_version(ask: &Ask, into: &mut &'static str) -> Result<(), Refusal> {
    const VERSIONS: [&str; 2] = ["2010-04-01", "2008-08-01"];
    if let Some(text) = ask.form("ApiVersion") {
        *into = VERSIONS
            .into_iter()
            .find(|version| *version == text)
            .ok_or_else(|| invalid("ApiVersion"))?;
    }
    Ok(())
}

/// Twilio's code for a URL of a number's that is none.
const INVALID_URL: (u32, &str) = (21_402, "Invalid Url");
const INVALID_CALLBACK: (u32, &str) = (21_502, "Invalid callback url");

/// Reads the URLs and methods that numbers and Applications share.
pub(super) fn webhooks(ask: &Ask, into: &mut Webhooks) -> Result<(), Refusal> {
    for (name, place, refusal) in [
        ("VoiceUrl", &mut into.voice_url, INVALID_URL),
        (
            "VoiceFallbackUrl",
            &mut into.voice_fallback_url,
            INVALID_URL,
        ),
        ("SmsUrl", &mut into.sms_url, INVALID_URL),
        ("SmsFallbackUrl", &mut into.sms_fallback_url, INVALID_URL),
        (
            "StatusCallback",
            &mut into.status_callback,
            INVALID_CALLBACK,
        ),
    ] {
        url(ask, name, place, refusal)?;
    }
    for (name, place) in [
        ("VoiceMethod", &mut into.voice_method),
        ("VoiceFallbackMethod", &mut into.voice_fallback_method),
        ("SmsMethod", &mut into.sms_method),
        ("SmsFallbackMethod", &mut into.sms_fallback_method),
        ("StatusCallbackMethod", &mut into.status_callback_method),
    ] {
        if let Some(text) = ask.form(name) {
            *place = Method::parse(text).ok_or_else(|| Refusal::bad(21_403, "Invalid Method"))?;
        }
    }
    flag(ask, "VoiceCallerIdLookup", &mut into.voice_caller_id_lookup)?;
    if ask.form("VoiceFallbackUrl").is_some() && into.voice_url.is_empty() {
        return Err(Refusal::bad(
            21_405,
            "Cannot set VoiceFallbackUrl without setting Url",
        ));
    }
    if ask.form("SmsFallbackUrl").is_some() && into.sms_url.is_empty() {
        return Err(Refusal::bad(
            21_406,
            "Cannot set SmsFallbackUrl without setting SmsUrl",
        ));
    }
    Ok(())
}
