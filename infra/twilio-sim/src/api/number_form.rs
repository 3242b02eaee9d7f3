//! What a request sets of a phone number, read and checked as a whole before anything is changed.
//!
//! A number is checked against the account that will hold it: the buyer, the holder, or the gaining account
//! of a transfer.

use jiff::Timestamp;

use crate::sid::Sid;
use crate::world::World;
use crate::world::addresses::{BundleUnmet, Unmet};
use crate::world::numbers::Settings;
use crate::world::supply::{Requirement, Supply};

use super::answer::Refusal;
use super::ask::Ask;
use super::forms::{self, invalid};

/// Why a number is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    Purchase,
    Update,
    Transfer,
}

/// A number that is being set up, and for whom.
pub(super) struct Setup<'a> {
    pub(super) world: &'a World,
    pub(super) ask: &'a Ask,
    pub(super) owner: usize,
    pub(super) supply: &'static Supply,
    pub(super) occasion: Occasion,
}

impl Setup<'_> {
    /// The settings after the request, which start as they are before it.
    pub(super) fn read(&self, mut settings: Settings) -> Result<Settings, Refusal> {
        let ask = self.ask;
        forms::name(ask, &mut settings.friendly_name)?;
        forms::api_version(ask, &mut settings.api_version)?;
        self.capable()?;
        forms::webhooks(ask, &mut settings.webhooks)?;
        self.voice(&mut settings)?;
        self.application("SmsApplicationSid", &mut settings.sms_application)?;
        self.regulation(&mut settings)?;
        self.emergency(&mut settings, ask.now)?;
        Ok(settings)
    }

    /// Refuses what the type of number cannot do.
    fn capable(&self) -> Result<(), Refusal> {
        const OF_SMS: [&str; 5] = [
            "SmsUrl",
            "SmsMethod",
            "SmsFallbackUrl",
            "SmsFallbackMethod",
            "SmsApplicationSid",
        ];
        let capabilities = self.supply.capabilities;
        if !capabilities.sms && OF_SMS.iter().any(|name| self.ask.form(name).is_some()) {
            return Err(Refusal::bad(
                21_407,
                "This Phone Number type does not support SMS or MMS",
            ));
        }
        let looked_up = self
            .ask
            .form("VoiceCallerIdLookup")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        // The names of callers are known in North America only.
        if looked_up && !matches!(self.supply.iso, "US" | "CA") {
            return Err(Refusal::bad(
                21_409,
                "VoiceCallerIdLookup cannot be set for this phone number",
            ));
        }
        Ok(())
    }

    /// A trunk and an Application for calls take each other's place.
    fn voice(&self, settings: &mut Settings) -> Result<(), Refusal> {
        self.application("VoiceApplicationSid", &mut settings.voice_application)?;
        if self.ask.form("VoiceApplicationSid").is_some() {
            settings.trunk = None;
        }
        forms::sid(self.ask, "TrunkSid", "TK", &mut settings.trunk, || {
            invalid("TrunkSid")
        })?;
        if self.ask.form("TrunkSid").is_some() {
            settings.voice_application = None;
        }
        match self.ask.form("VoiceReceiveMode") {
            None => {}
            Some("voice") => settings.receives_fax = false,
            Some("fax") => settings.receives_fax = true,
            Some(_) => return Err(invalid("VoiceReceiveMode")),
        }
        Ok(())
    }

    fn application(&self, name: &str, into: &mut Option<Sid>) -> Result<(), Refusal> {
        let refused = || Refusal::bad(21_420, "ApplicationSid is not accessible");
        forms::sid(self.ask, name, "AP", into, refused)?;
        match self.ask.form(name) {
            Some(named) if self.world.application_of(self.owner, named).is_none() => Err(refused()),
            _ => Ok(()),
        }
    }

    /// Address, Bundle and Identity: asked for when the number gets a new holder, and when they change.
    fn regulation(&self, settings: &mut Settings) -> Result<(), Refusal> {
        let Self { ask, supply, .. } = *self;
        let anew = self.occasion != Occasion::Update;
        forms::sid(ask, "IdentitySid", "RI", &mut settings.identity, || {
            Refusal::bad(21_651, "Document does not satisfy regulatory requirement")
        })?;
        let named = ask.form_set("AddressSid");
        if named == Some("") && !anew && supply.requirement != Requirement::None {
            return Err(Refusal::bad(
                21_625,
                "Address Required for Active IncomingPhoneNumber",
            ));
        }
        if anew || named.is_some() {
            let transferred = self.occasion == Occasion::Transfer;
            settings.address = self
                .world
                .suitable_address(self.owner, supply, ask.form("AddressSid"), transferred)
                .map_err(|unmet| refused(unmet, supply))?;
        }
        if anew || ask.form_set("BundleSid").is_some() {
            settings.bundle = self
                .world
                .suitable_bundle(self.owner, supply, ask.form("BundleSid"))
                .map_err(|unmet| refused(unmet, supply))?;
        }
        Ok(())
    }

    fn emergency(&self, settings: &mut Settings, now: Timestamp) -> Result<(), Refusal> {
        let before = settings.emergency_address;
        let name = "EmergencyAddressSid";
        forms::sid(
            self.ask,
            name,
            "AD",
            &mut settings.emergency_address,
            || invalid(name),
        )?;
        if let Some(named) = self.ask.form(name) {
            let address = self.world.address_of(self.owner, named);
            let enabled = address.is_some_and(|index| {
                self.world.numbering.addresses[index]
                    .details
                    .emergency_enabled
            });
            if !enabled {
                return Err(invalid(name));
            }
        }
        if settings.emergency_address != before {
            settings.emergency_changed_at = Some(now);
        }
        match self.ask.form("EmergencyStatus") {
            None => {}
            Some("Active") if settings.emergency_address.is_some() => {
                settings.emergency_active = true;
            }
            Some("Inactive") => settings.emergency_active = false,
            Some(_) => return Err(invalid("EmergencyStatus")),
        }
        // Nobody can be sent to an address that is not known.
        settings.emergency_active &= settings.emergency_address.is_some();
        Ok(())
    }
}

fn refused(unmet: Unmet, supply: &Supply) -> Refusal {
    match unmet {
        Unmet::NotYours if supply.requirement == Requirement::None => invalid("AddressSid"),
        Unmet::NoAddress | Unmet::NotYours => {
            Refusal::bad(21_613, "PhoneNumber Requires an Address")
        }
        Unmet::NotNamed => Refusal::bad(
            21_631,
            "Phone Number Requires an Address (AddressSid must be passed)",
        ),
        Unmet::NotLocal => Refusal::bad(21_615, "PhoneNumber Requires a Local Address"),
        Unmet::NotForeign => Refusal::bad(21_624, "PhoneNumber Requires a Foreign Address"),
        Unmet::Bundle(why) => Refusal::bad(
            21_649,
            match why {
                BundleUnmet::Missing => "Bundle required and not provided",
                BundleUnmet::Unknown => "Bundle does not exist in the account",
                BundleUnmet::NotApproved => "Bundle status is not twilio-approved",
                BundleUnmet::ForOthers => {
                    "Bundle is not for the country and type of the phone number"
                }
            },
        ),
    }
}
