//! How phone numbers are written: as IncomingPhoneNumbers, of the general list or of one type's, and as
//! an Address's DependentPhoneNumbers.

use jiff::Timestamp;

use crate::json::Obj;
use crate::sid::Sid;
use crate::world::World;
use crate::world::supply::Capabilities;
use crate::world::webhooks::Webhooks;

use super::ask::Ask;
use super::filters::write_date;

/// How what is not set is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unset {
    /// As the schema says: null.
    Null,
    /// As Twilio's examples of numbers show it: empty, the voice URLs null.
    AsInExamples,
}

impl Unset {
    pub(super) fn of_numbers(world: &World) -> Self {
        if world.quirks.numbers_as_in_examples {
            Self::AsInExamples
        } else {
            Self::Null
        }
    }

    fn text(self, object: &mut Obj<'_>, name: &str, text: &str) {
        if text.is_empty() && self == Self::Null {
            object.null(name);
        } else {
            object.str(name, text);
        }
    }
}

/// Writes a URL, or null.
pub(super) fn url_or_null(object: &mut Obj<'_>, name: &str, url: &str) {
    Unset::Null.text(object, name, url);
}

/// Writes the URLs and methods that numbers and Applications share.
pub(super) fn webhooks(object: &mut Obj<'_>, webhooks: &Webhooks, unset: Unset) {
    url_or_null(object, "voice_url", &webhooks.voice_url);
    object.str("voice_method", webhooks.voice_method.as_str());
    url_or_null(object, "voice_fallback_url", &webhooks.voice_fallback_url);
    object
        .str(
            "voice_fallback_method",
            webhooks.voice_fallback_method.as_str(),
        )
        .bool("voice_caller_id_lookup", webhooks.voice_caller_id_lookup);
    unset.text(object, "status_callback", &webhooks.status_callback);
    object.str(
        "status_callback_method",
        webhooks.status_callback_method.as_str(),
    );
    unset.text(object, "sms_url", &webhooks.sms_url);
    object.str("sms_method", webhooks.sms_method.as_str());
    unset.text(object, "sms_fallback_url", &webhooks.sms_fallback_url);
    object.str("sms_fallback_method", webhooks.sms_fallback_method.as_str());
}

fn opt_sid(object: &mut Obj<'_>, name: &str, sid: Option<&Sid>) {
    object.opt(name, sid.map(Sid::as_str));
}

/// What numbers show everywhere.
fn common(world: &World, object: &mut Obj<'_>, index: usize) {
    let number = &world.numbers[index];
    let settings = &number.settings;
    let account = world.accounts[number.account].sid;
    object
        .str("sid", number.sid.as_str())
        .str("account_sid", account.as_str())
        .str("friendly_name", &settings.friendly_name)
        .str("phone_number", &number.e164)
        .str("api_version", settings.api_version)
        .str("address_requirements", number.supply().requirement.as_str());
    write_date(object, "date_created", Some(number.created_at));
    write_date(object, "date_updated", Some(number.updated_at));
    let unset = Unset::of_numbers(world);
    webhooks(object, &settings.webhooks, unset);
    for (name, sid) in [
        ("voice_application_sid", &settings.voice_application),
        ("sms_application_sid", &settings.sms_application),
    ] {
        unset.text(object, name, sid.as_ref().map_or("", Sid::as_str));
    }
    opt_sid(object, "trunk_sid", settings.trunk.as_ref());
    object.str(
        "emergency_status",
        if settings.emergency_active {
            "Active"
        } else {
            "Inactive"
        },
    );
    opt_sid(
        object,
        "emergency_address_sid",
        settings.emergency_address.as_ref(),
    );
    object.str(
        "uri",
        &format!(
            "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{}.json",
            number.sid
        ),
    );
}

/// Writes a number; the lists of one type do not say which.
pub(super) fn incoming(
    world: &World,
    out: &mut Vec<u8>,
    index: usize,
    now: Timestamp,
    with_type: bool,
) {
    let number = &world.numbers[index];
    let (settings, supply) = (&number.settings, number.supply());
    let mut object = Obj::open(out);
    common(world, &mut object, index);
    opt_sid(&mut object, "address_sid", settings.address.as_ref());
    opt_sid(&mut object, "bundle_sid", settings.bundle.as_ref());
    opt_sid(&mut object, "identity_sid", settings.identity.as_ref());
    object.bool("beta", supply.beta);
    let mut capabilities = Obj::open(object.name("capabilities"));
    write_capabilities(
        &mut capabilities,
        ["voice", "sms", "mms"],
        supply.capabilities,
    );
    capabilities.bool("fax", false);
    capabilities.close();
    object
        .str(
            "emergency_address_status",
            settings.emergency_address_status(now),
        )
        .str("origin", if number.hosted { "hosted" } else { "twilio" })
        .str("status", "in-use")
        .str(
            "voice_receive_mode",
            if settings.receives_fax {
                "fax"
            } else {
                "voice"
            },
        );
    if with_type {
        object.str("type", supply.kind.text());
    }
    object.close();
}

/// Writes a number as a dependent of an Address.
pub(super) fn dependent(world: &World, out: &mut Vec<u8>, index: usize) {
    let mut object = Obj::open(out);
    common(world, &mut object, index);
    let mut capabilities = Obj::open(object.name("capabilities"));
    write_capabilities(
        &mut capabilities,
        ["Voice", "SMS", "MMS"],
        world.numbers[index].supply().capabilities,
    );
    capabilities.close();
    object.close();
}

/// Writes what a number can do; names differ between resources.
pub(super) fn write_capabilities(
    object: &mut Obj<'_>,
    names: [&str; 3],
    capabilities: Capabilities,
) {
    let Capabilities { voice, sms, mms } = capabilities;
    for (name, able) in names.into_iter().zip([voice, sms, mms]) {
        object.bool(name, able);
    }
}

/// A boolean filter of a list.
pub(super) fn filter(ask: &Ask, name: &str) -> Result<Option<bool>, super::answer::Refusal> {
    ask.query(name)
        .map(|text| super::forms::boolean(name, text))
        .transpose()
}
