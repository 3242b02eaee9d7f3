//! What the callback of a usage trigger says.

use jiff::Timestamp;

use super::triggers::{VALUE_DECIMALS, record_uri};
use super::{World, day_of};
use crate::amount;
use crate::callbacks::Callback;

/// Twilio's quick repetitions of such a callback after a 5xx, from its page on usage triggers.
const RETRIES: u32 = 3;

impl World {
    /// Tells that a usage trigger fired: at least once, with a token that is the same for the whole day.
    pub(super) fn notify_trigger(&mut self, at: Timestamp, index: usize, current: i64) {
        let trigger = &self.triggers.all[index];
        let account = self.accounts[trigger.account].sid;
        let category = &self.catalogue.get(trigger.category).name;
        let token = format!("{account}-FIRES-{}-{}", trigger.sid, day_of(at));
        let mut fields = Vec::new();
        let mut put = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
        put("AccountSid", account.as_str());
        put("UsageTriggerSid", trigger.sid.as_str());
        let fired = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
        put("DateFired", &fired.to_string());
        let recurring = trigger.recurring.map_or("", |recurring| recurring.as_str());
        put("Recurring", recurring);
        put("UsageCategory", category);
        put("TriggerBy", trigger.by.as_str());
        let value = amount::fixed_text(trigger.value, VALUE_DECIMALS);
        put("TriggerValue", &value);
        put("CurrentValue", &amount::text(current));
        put("UsageRecordUri", &record_uri(account, category));
        put("IdempotencyToken", &token);
        let callback = Callback {
            account: trigger.account,
            hook: trigger.hook.clone(),
            fields,
            resource: trigger.sid,
            status: "fired",
            token,
            duplicate: false,
            retries_after_5xx: RETRIES,
        };
        self.post(at, callback);
    }
}
