//! What callbacks say: the form fields of SMS, voice and recording status callbacks, and when they leave.

use jiff::Timestamp;
use twilio::signature::SharedKey;

use super::calls::{Call, CallStatus, Direction};
use super::recordings::{Recorded, RecordingStatus};
use super::{Event, World, after, tariff};
use crate::callbacks::{Callback, Hook, Signer};
use crate::rng::Rng;
use crate::sid::Sid;

/// From what happened to the request that tells of it.
const LEAVES_AFTER_MS: [u64; 2] = [40, 250];
/// How long a callback out of order is held back.
const HELD_BACK_MS: [u64; 2] = [8_000, 40_000];
/// From a callback to its duplicate.
const DUPLICATE_AFTER_MS: [u64; 2] = [500, 30_000];

/// A callback's form fields.
#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Fields {
    fn put(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }
}

impl World {
    pub(super) fn notify_message(&mut self, at: Timestamp, index: usize) {
        let message = &self.messages[index];
        let Some(url) = message.callback.clone() else {
            return;
        };
        let status = message.status.as_str();
        let account = message.account;
        let mut fields = Fields::default();
        fields.put("AccountSid", self.accounts[account].sid.as_str());
        fields.put("MessageSid", message.sid.as_str());
        fields.put("SmsSid", message.sid.as_str());
        fields.put("MessageStatus", status);
        fields.put("SmsStatus", status);
        fields.put("To", &message.to);
        if let Some(sender) = message.sender() {
            fields.put("From", sender);
        }
        fields.put("ApiVersion", "2010-04-01");
        if let Some(service) = &message.service {
            fields.put("MessagingServiceSid", service.as_str());
        }
        if let Some(code) = message.error {
            fields.put("ErrorCode", &code.to_string());
            fields.put("ErrorMessage", error_message(code));
        }
        if matches!(status, "delivered" | "undelivered") {
            fields.put("RawDlrDoneDate", &at.strftime("%y%m%d%H%M").to_string());
        }
        let sid = message.sid;
        self.notify(at, account, url, sid, status, fields.0);
    }

    pub(super) fn notify_call(
        &mut self,
        at: Timestamp,
        index: usize,
        status: &'static str,
        wanted: bool,
    ) {
        let call = &mut self.calls[index];
        let Some(hook) = call.hook.clone().filter(|_| wanted) else {
            return;
        };
        let sequence = call.sequence;
        call.sequence += 1;
        let call = &self.calls[index];
        let (account, sid) = (call.account, call.sid);
        let mut fields = Fields::default();
        for (end, number) in [
            ("To", &call.to),
            ("From", &call.from),
            ("Called", &call.to),
            ("Caller", &call.from),
        ] {
            put_end(&mut fields, end, number);
        }
        fields.put("Direction", call.direction.as_str());
        fields.put("Timestamp", &rfc_2822(at));
        fields.put("CallbackSource", "call-progress-events");
        fields.put("SequenceNumber", &sequence.to_string());
        fields.put("CallSid", sid.as_str());
        fields.put("AccountSid", self.accounts[account].sid.as_str());
        fields.put("ApiVersion", "2010-04-01");
        fields.put("CallStatus", status);
        if let Some(parent) = call.parent {
            fields.put("ParentCallSid", self.calls[parent].sid.as_str());
        }
        put_progress(&mut fields, call, status);
        self.put_call_recording(&mut fields, index);
        self.notify(at, account, hook, sid, status, fields.0);
    }

    /// The recording that a call was made with is told of at the call's end.
    fn put_call_recording(&self, fields: &mut Fields, call: usize) {
        if self.calls[call].status != CallStatus::Completed {
            return;
        }
        let recordings = self.recordings.of(Recorded::Call(call)).iter();
        let made_with = recordings
            .map(|index| &self.recordings.all[*index])
            .find(|recording| recording.plan.source == "OutboundAPI");
        if let Some(recording) = made_with {
            fields.put(
                "RecordingUrl",
                &self.recording_url(recording.account, recording.sid),
            );
            fields.put("RecordingSid", recording.sid.as_str());
            let seconds = recording.seconds.unwrap_or(0);
            fields.put("RecordingDuration", &seconds.to_string());
        }
    }

    pub(super) fn notify_recording(&mut self, at: Timestamp, index: usize) {
        let Some(hook) = self.recording_hook(index) else {
            return;
        };
        let recording = &self.recordings.all[index];
        let (account, sid, status) = (recording.account, recording.sid, recording.status);
        let mut fields = Fields::default();
        fields.put("AccountSid", self.accounts[account].sid.as_str());
        match recording.of {
            Recorded::Call(call) => fields.put("CallSid", self.calls[call].sid.as_str()),
            Recorded::Conference(conference) => {
                let conference = &self.conferences.all[conference];
                fields.put("ConferenceSid", conference.sid.as_str());
                fields.put("FriendlyName", &conference.name);
            }
        }
        fields.put("RecordingSid", sid.as_str());
        fields.put("RecordingUrl", &self.recording_url(account, sid));
        fields.put("RecordingStatus", status.as_str());
        if status != RecordingStatus::InProgress {
            let seconds = recording.seconds.unwrap_or(0);
            fields.put("RecordingDuration", &seconds.to_string());
        }
        fields.put(
            "RecordingChannels",
            if recording.plan.dual { "2" } else { "1" },
        );
        fields.put("RecordingStartTime", &rfc_2822(recording.started_at));
        fields.put("RecordingSource", recording.plan.source);
        fields.put("RecordingTrack", recording.plan.track);
        self.notify(at, account, hook, sid, status.as_str(), fields.0);
    }

    /// Where a recording can be fetched.
    pub(crate) fn recording_url(&self, account: usize, recording: Sid) -> String {
        let account = self.accounts[account].sid;
        format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/{recording}")
    }

    /// Sends a callback.
    pub(super) fn notify(
        &mut self,
        at: Timestamp,
        account: usize,
        hook: impl Into<Hook>,
        resource: Sid,
        status: &'static str,
        fields: Vec<(String, String)>,
    ) {
        let moment = at.as_millisecond().to_le_bytes();
        let parts: &[&[u8]] = &[b"notice", resource.bytes(), status.as_bytes(), &moment];
        let token = Rng::of(self.seed, parts).hex(32);
        let callback = Callback {
            account,
            hook: hook.into(),
            fields,
            resource,
            status,
            token,
            duplicate: false,
            retries_after_5xx: 0,
        };
        self.post(at, callback);
    }

    /// Lets a callback leave: soon, perhaps late and perhaps twice.
    pub(super) fn post(&mut self, at: Timestamp, callback: Callback) {
        let mut rng = Rng::of(self.seed, &[b"leaves", callback.token.as_bytes()]);
        let mut leaves = after(at, rng.within(LEAVES_AFTER_MS));
        if rng.strikes(self.quirks.callback_disorder_per_mille) {
            leaves = after(leaves, rng.within(HELD_BACK_MS));
        }
        if rng.strikes(self.quirks.callback_duplicate_per_mille) {
            let again = Box::new(Callback {
                duplicate: true,
                ..callback.clone()
            });
            self.push_in(
                leaves,
                rng.within(DUPLICATE_AFTER_MS),
                Event::Callback(again),
            );
        }
        self.push(leaves, Event::Callback(Box::new(callback)));
    }

    /// What signs an account's callbacks now: its shared key if it has one, else the auth token that signs.
    pub(crate) fn signer(&self, account: usize, at: Timestamp) -> Signer {
        match self.shared_keys.get(&account) {
            Some(key) => Signer::SharedKey(key.clone()),
            None => Signer::AuthToken(self.signing_token(account, at).to_owned()),
        }
    }

    /// Has an account's callbacks signed with a shared key, or with its auth token again.
    pub(crate) fn set_shared_key(&mut self, account: usize, key: Option<SharedKey>) {
        match key {
            Some(key) => self.shared_keys.insert(account, key),
            None => self.shared_keys.remove(&account),
        };
    }
}

/// One end of a call; only numbers are somewhere.
fn put_end(fields: &mut Fields, end: &str, number: &str) {
    fields.put(end, number);
    if !tariff::is_e164(number) {
        return;
    }
    fields.put(&format!("{end}City"), "");
    fields.put(&format!("{end}State"), "");
    fields.put(&format!("{end}Zip"), "");
    fields.put(&format!("{end}Country"), tariff::country_of(number).iso);
}

/// What a call's status brings with it.
fn put_progress(fields: &mut Fields, call: &Call, status: &str) {
    if let Some(number) = &call.forwarded_from {
        fields.put("ForwardedFrom", number);
    }
    if let Some(answered_by) = call.answered_by() {
        fields.put("AnsweredBy", answered_by);
    }
    // STIR/SHAKEN is a matter of North America.
    if matches!(status, "ringing" | "in-progress") && call.to.starts_with("+1") {
        fields.put("StirStatus", "B");
    }
    if let Some(seconds) = call.duration() {
        fields.put("Duration", &seconds.div_ceil(60).to_string());
        fields.put("CallDuration", &seconds.to_string());
        let code = call.sip_code.or_else(|| sip_code(call));
        if let Some(code) = code {
            fields.put("SipResponseCode", &code.to_string());
        }
    }
}

/// How the other side's network ended a call.
fn sip_code(call: &Call) -> Option<u16> {
    if call.direction == Direction::Inbound {
        return None;
    }
    match call.status {
        CallStatus::Completed => Some(200),
        CallStatus::Busy => Some(486),
        CallStatus::NoAnswer | CallStatus::Canceled => Some(487),
        CallStatus::Failed => Some(503),
        CallStatus::Queued | CallStatus::Ringing | CallStatus::InProgress => None,
    }
}

fn rfc_2822(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// Twilio's short text for a delivery error.
pub(crate) fn error_message(code: u32) -> &'static str {
    match code {
        30_001 => "Queue overflow",
        30_002 => "Account suspended",
        30_003 => "Unreachable destination handset",
        30_004 => "Message blocked",
        30_005 => "Unknown destination handset",
        30_006 => "Landline or unreachable carrier",
        30_007 => "Carrier violation",
        30_034 => "Message from an unregistered number",
        30_036 => "Validity period expired",
        _ => "Unknown error",
    }
}
