//! The known fields: each with its form and whether it is stored. Collected from Twilio's documentation and
//! from real callbacks of calls, messages, recordings and usage triggers.

use super::Grammar;

/// Whether a known field is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// As it is.
    Stored,
    /// The item says it elsewhere, or it says nothing.
    Redundant,
    /// What people said or typed: never.
    Never,
}

pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) grammar: Grammar,
    pub(super) fate: Fate,
}

const fn known(name: &'static str, grammar: Grammar, fate: Fate) -> Known {
    Known {
        name,
        grammar,
        fate,
    }
}

const MESSAGE: Grammar = Grammar::Sid(&["SM", "MM"]);
const CALL: Grammar = Grammar::Sid(&["CA"]);

/// The known fields, sorted by name.
pub(super) const KNOWN: &[Known] = {
    use Fate::{Never, Redundant, Stored};
    use Grammar::{
        Address, Amount, Content, Country, Digits, Place, Sid, Status, Text, Time, TimeLike, Uri,
        Word, Zip,
    };
    &[
        known("AccountSid", Sid(&["AC"]), Redundant),
        known("AnsweredBy", Status, Stored),
        known("ApiVersion", Word, Redundant),
        known("Body", Content, Never),
        known("ButtonPayload", Content, Never),
        known("ButtonText", Content, Never),
        known("CallDuration", Digits, Stored),
        known("CallSid", CALL, Stored),
        known("CallStatus", Status, Stored),
        known("CallbackSource", Status, Stored),
        known("Called", Address, Stored),
        known("CalledCity", Place, Stored),
        known("CalledCountry", Country, Stored),
        known("CalledState", Place, Stored),
        known("CalledZip", Zip, Stored),
        known("Caller", Address, Stored),
        known("CallerCity", Place, Stored),
        known("CallerCountry", Country, Stored),
        known("CallerName", Place, Stored),
        known("CallerState", Place, Stored),
        known("CallerZip", Zip, Stored),
        known("ChannelInstallSid", Sid(&["XE"]), Stored),
        known("ChannelPrefix", Word, Stored),
        known("ChannelStatusMessage", Text, Stored),
        known("CurrentValue", Amount, Stored),
        known("DateFired", TimeLike, Stored),
        known("Digits", Content, Never),
        known("Direction", Status, Stored),
        known("Duration", Digits, Stored),
        known("ErrorCode", Digits, Stored),
        known("ErrorMessage", Text, Stored),
        known("EventType", Word, Stored),
        known("ForwardedFrom", Address, Stored),
        known("From", Address, Stored),
        known("FromCity", Place, Stored),
        known("FromCountry", Country, Stored),
        known("FromState", Place, Stored),
        known("FromZip", Zip, Stored),
        known("IdempotencyToken", Word, Stored),
        known("MessageSid", MESSAGE, Stored),
        known("MessageStatus", Status, Stored),
        known("MessagingServiceSid", Sid(&["MG"]), Stored),
        known("NumMedia", Digits, Stored),
        known("NumSegments", Digits, Stored),
        known("ParentCallSid", CALL, Stored),
        known("RawDlrDoneDate", Digits, Stored),
        known("RecordingChannels", Digits, Stored),
        known("RecordingDuration", Digits, Stored),
        known("RecordingSid", Sid(&["RE"]), Stored),
        known("RecordingSource", Word, Stored),
        known("RecordingStartTime", Time, Stored),
        known("RecordingStatus", Status, Stored),
        known("RecordingTrack", Status, Stored),
        known("RecordingUrl", Uri, Stored),
        known("Recurring", Word, Stored),
        known("SequenceNumber", Digits, Stored),
        known("SipResponseCode", Digits, Stored),
        known("SmsMessageSid", MESSAGE, Stored),
        known("SmsSid", MESSAGE, Stored),
        known("SmsStatus", Status, Stored),
        known("SpeechResult", Content, Never),
        known("StableSpeechResult", Content, Never),
        known("StirStatus", Word, Stored),
        known("StirVerstat", Word, Stored),
        known("Timestamp", Time, Stored),
        known("To", Address, Stored),
        known("ToCity", Place, Stored),
        known("ToCountry", Country, Stored),
        known("ToState", Place, Stored),
        known("ToZip", Zip, Stored),
        known("TranscriptionText", Content, Never),
        known("TriggerBy", Word, Stored),
        known("TriggerValue", Amount, Stored),
        known("UnstableSpeechResult", Content, Never),
        known("UsageCategory", Word, Stored),
        known("UsageRecordUri", Uri, Stored),
        known("UsageTriggerSid", Sid(&["UT"]), Stored),
    ]
};
