//! How a number is configured. What is absent stays as it is; an empty address clears the one that was set.

use std::fmt;

use domain::ids::{AddressSid, ApplicationSid, BundleSid, IdentitySid, TrunkSid};

use crate::hosts::Host;
use crate::request::Request;
use crate::values::CallbackMethod;

/// A reference to set or to take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assign<T> {
    /// This one.
    To(T),
    /// None.
    Nothing,
}

impl<T: fmt::Display> fmt::Display for Assign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::To(value) => value.fmt(f),
            Self::Nothing => Ok(()),
        }
    }
}

/// A number's configuration, as far as it is to be set.
#[derive(Debug, Clone, Default)]
pub struct NumberSettings {
    /// Its name.
    pub friendly_name: Option<String>,
    /// Where calls to it are announced.
    pub voice_url: Option<String>,
    /// How.
    pub voice_method: Option<CallbackMethod>,
    /// Where, if that fails.
    pub voice_fallback_url: Option<String>,
    /// How.
    pub voice_fallback_method: Option<CallbackMethod>,
    /// Whether the caller's name is looked up, which costs.
    pub voice_caller_id_lookup: Option<bool>,
    /// The application that its calls go to. Twilio takes the trunk away when one is set.
    pub voice_application_sid: Option<Assign<ApplicationSid>>,
    /// The trunk that its calls go to. Twilio takes the voice application away when one is set.
    pub trunk_sid: Option<Assign<TrunkSid>>,
    /// Where messages to it are announced.
    pub sms_url: Option<String>,
    /// How.
    pub sms_method: Option<CallbackMethod>,
    /// Where, if that fails.
    pub sms_fallback_url: Option<String>,
    /// How.
    pub sms_fallback_method: Option<CallbackMethod>,
    /// The application that its messages go to.
    pub sms_application_sid: Option<Assign<ApplicationSid>>,
    /// Where the end of a call to it is announced.
    pub status_callback: Option<String>,
    /// How.
    pub status_callback_method: Option<CallbackMethod>,
    /// The address it needs; it must exist in the account that holds, or is to hold, the number.
    pub address_sid: Option<AddressSid>,
    /// The papers it needs.
    pub bundle_sid: Option<BundleSid>,
    /// The identity it needs.
    pub identity_sid: Option<IdentitySid>,
    /// The address that emergency calls from it give.
    pub emergency_address_sid: Option<Assign<AddressSid>>,
}

impl NumberSettings {
    pub(super) fn fill<H: Host>(&self, request: Request<H>) -> Request<H> {
        request
            .form_if("FriendlyName", self.friendly_name.as_ref())
            .form_if("VoiceUrl", self.voice_url.as_ref())
            .form_if("VoiceMethod", self.voice_method.as_ref())
            .form_if("VoiceFallbackUrl", self.voice_fallback_url.as_ref())
            .form_if("VoiceFallbackMethod", self.voice_fallback_method.as_ref())
            .form_if("VoiceCallerIdLookup", self.voice_caller_id_lookup)
            .form_if("VoiceApplicationSid", self.voice_application_sid.as_ref())
            .form_if("TrunkSid", self.trunk_sid.as_ref())
            .form_if("SmsUrl", self.sms_url.as_ref())
            .form_if("SmsMethod", self.sms_method.as_ref())
            .form_if("SmsFallbackUrl", self.sms_fallback_url.as_ref())
            .form_if("SmsFallbackMethod", self.sms_fallback_method.as_ref())
            .form_if("SmsApplicationSid", self.sms_application_sid.as_ref())
            .form_if("StatusCallback", self.status_callback.as_ref())
            .form_if("StatusCallbackMethod", self.status_callback_method.as_ref())
            .form_if("AddressSid", self.address_sid.as_ref())
            .form_if("BundleSid", self.bundle_sid.as_ref())
            .form_if("IdentitySid", self.identity_sid.as_ref())
            .form_if("EmergencyAddressSid", self.emergency_address_sid.as_ref())
    }

    /// The same with every callback that is not given cleared, so that nothing of a former owner stays.
    pub(super) fn with_callbacks_reset(&self) -> Self {
        let mut settings = self.clone();
        for url in [
            &mut settings.voice_url,
            &mut settings.voice_fallback_url,
            &mut settings.sms_url,
            &mut settings.sms_fallback_url,
            &mut settings.status_callback,
        ] {
            url.get_or_insert_default();
        }
        settings.sms_application_sid.get_or_insert(Assign::Nothing);
        // Trunk and voice application push each other out: the one to keep is sent alone, so that the order
        // in which Twilio reads the fields does not matter.
        let has_application = matches!(settings.voice_application_sid, Some(Assign::To(_)));
        let has_trunk = matches!(settings.trunk_sid, Some(Assign::To(_)));
        if !has_trunk {
            settings
                .voice_application_sid
                .get_or_insert(Assign::Nothing);
        }
        if !has_application {
            settings.trunk_sid.get_or_insert(Assign::Nothing);
        }
        settings
    }
}
