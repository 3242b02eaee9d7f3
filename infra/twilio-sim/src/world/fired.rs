//! What the callback of a usage trigger says, and when it leaves.

use jiff::Timestamp;

use super::notices::{DUPLICATE_AFTER_MS, LEAVES_AFTER_MS};
use super::triggers::{VALUE_DECIMALS, record_uri};
use super::{Event, World, after, day_of};
use crate::amount;
use crate::callbacks::Callback;
use crate::rng::Rng;

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
        let name: [&[u8]; 3] = [b"notice", trigger.sid.bytes(), callback.token.as_bytes()];
        let mut rng = Rng::of(self.seed, &name);
        let leaves = after(at, rng.within(LEAVES_AFTER_MS));
        if rng.strikes(self.quirks.callback_duplicate_per_mille) {
            let again = Box::new(Callback {
                duplicate: true,
                ..callback.clone()
            });
            let later = rng.within(DUPLICATE_AFTER_MS);
            self.push_in(leaves, later, Event::Callback(again));
        }
        self.push(leaves, Event::Callback(Box::new(callback)));
    }
}
