//! What callbacks say: the form fields of SMS and voice status callbacks and of usage triggers, and when
//! they leave.

use jiff::Timestamp;

use super::{Event, World, after, day_of, tariff};
use crate::amount;
use crate::callbacks::{Callback, Hook};
use crate::rng::Rng;
use crate::sid::Sid;

/// From what happened to the request that tells of it.
const LEAVES_AFTER_MS: [u64; 2] = [40, 250];
/// How long a callback out of order is held back.
const HELD_BACK_MS: [u64; 2] = [8_000, 40_000];
/// From a callback to its duplicate.
const DUPLICATE_AFTER_MS: [u64; 2] = [500, 30_000];

/// Twilio's quick repetitions of a trigger's callback after a 5xx, from its page on usage triggers.
const TRIGGER_RETRIES: u32 = 3;

type Fields = Vec<(String, String)>;

impl World {
    pub(super) fn notify_message(&mut self, at: Timestamp, index: usize) {
        let message = &self.messages[index];
        let Some(url) = message.callback.clone() else {
            return;
        };
        let status = message.status.as_str();
        let account = message.account;
        let mut fields = Fields::new();
        let mut put = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
        put("AccountSid", self.accounts[account].sid.as_str());
        put("MessageSid", message.sid.as_str());
        put("SmsSid", message.sid.as_str());
        put("MessageStatus", status);
        put("SmsStatus", status);
        put("To", &message.to);
        put("From", &message.from);
        put("ApiVersion", "2010-04-01");
        if let Some(code) = message.error {
            put("ErrorCode", &code.to_string());
            put("ErrorMessage", error_message(code));
        }
        if matches!(status, "delivered" | "undelivered") {
            put("RawDlrDoneDate", &at.strftime("%y%m%d%H%M").to_string());
        }
        let sid = message.sid;
        self.notify(at, account, url, sid, status, fields);
    }

    pub(super) fn notify_call(
        &mut self,
        at: Timestamp,
        index: usize,
        status: &'static str,
        wanted: bool,
    ) {
        let call = &mut self.calls[index];
        let Some(url) = call.callback.clone().filter(|_| wanted) else {
            return;
        };
        let sequence = call.sequence;
        call.sequence += 1;
        let call = &self.calls[index];
        let account = call.account;
        let mut fields = Fields::new();
        let mut put = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
        for (end, number) in [
            ("To", &call.to),
            ("From", &call.from),
            ("Called", &call.to),
            ("Caller", &call.from),
        ] {
            put(end, number);
            put(&format!("{end}City"), "");
            put(&format!("{end}State"), "");
            put(&format!("{end}Zip"), "");
            put(&format!("{end}Country"), tariff::country_of(number).iso);
        }
        put(
            "Direction",
            if call.inbound {
                "inbound"
            } else {
                "outbound-api"
            },
        );
        put(
            "Timestamp",
            &at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string(),
        );
        put("CallbackSource", "call-progress-events");
        put("SequenceNumber", &sequence.to_string());
        put("CallSid", call.sid.as_str());
        put("AccountSid", self.accounts[account].sid.as_str());
        put("ApiVersion", "2010-04-01");
        put("CallStatus", status);
        if let Some(parent) = &call.parent {
            put("ParentCallSid", parent.as_str());
        }
        if let Some(seconds) = call.duration() {
            put("Duration", &seconds.div_ceil(60).to_string());
            put("CallDuration", &seconds.to_string());
        }
        if status == "busy" {
            put("SipResponseCode", "486");
        }
        let sid = call.sid;
        self.notify(at, account, url, sid, status, fields);
    }

    /// Tells that a usage trigger fired: at least once, and once per interval.
    pub(super) fn notify_trigger(&mut self, at: Timestamp, index: usize, current: i64) {
        let trigger = &self.triggers.all[index];
        let account = self.accounts[trigger.account].sid;
        let category = &self.catalogue.get(trigger.category).name;
        let token = format!("{account}-FIRES-{}-{}", trigger.sid, day_of(at));
        let mut fields = Fields::new();
        let mut put = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
        put("AccountSid", account.as_str());
        put("UsageTriggerSid", trigger.sid.as_str());
        let fired = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
        put("DateFired", &fired.to_string());
        let recurring = trigger.recurring.map_or("", |recurring| recurring.as_str());
        put("Recurring", recurring);
        put("UsageCategory", category);
        put("TriggerBy", trigger.by.as_str());
        put("TriggerValue", &amount::fixed_text(trigger.value, 6));
        put("CurrentValue", &amount::text(current));
        let record =
            format!("/2010-04-01/Accounts/{account}/Usage/Records.json?Category={category}");
        put("UsageRecordUri", &record);
        put("IdempotencyToken", &token);
        let callback = Callback {
            account: trigger.account,
            hook: trigger.hook.clone(),
            fields,
            resource: trigger.sid,
            status: "fired",
            token,
            duplicate: false,
            retries_after_5xx: TRIGGER_RETRIES,
        };
        self.post(at, callback);
    }

    pub(super) fn notify(
        &mut self,
        at: Timestamp,
        account: usize,
        url: String,
        resource: Sid,
        status: &'static str,
        fields: Fields,
    ) {
        let callback = Callback {
            account,
            hook: Hook::from(url),
            fields,
            resource,
            status,
            token: String::new(),
            duplicate: false,
            retries_after_5xx: 0,
        };
        self.post(at, callback);
    }

    /// Lets a callback leave; one without a token is given one.
    fn post(&mut self, at: Timestamp, mut callback: Callback) {
        let (resource, status) = (callback.resource, callback.status);
        let name = Some(callback.token.as_str()).filter(|token| !token.is_empty());
        let name = name.unwrap_or(status).as_bytes();
        let mut rng = Rng::of(self.seed, &[b"notice", resource.bytes(), name]);
        let mut leaves = after(at, rng.within(LEAVES_AFTER_MS));
        if rng.strikes(self.quirks.callback_disorder_per_mille) {
            leaves = after(leaves, rng.within(HELD_BACK_MS));
        }
        let token = rng.hex(32);
        if callback.token.is_empty() {
            callback.token = token;
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
}

/// Twilio's short text for a delivery error.
pub(crate) fn error_message(code: u32) -> &'static str {
    match code {
        30_002 => "Account suspended",
        30_003 => "Unreachable destination handset",
        30_005 => "Unknown destination handset",
        _ => "Unknown error",
    }
}
