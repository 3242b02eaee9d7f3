//! What calls, messages and recordings cost, and where it is booked.
//!
//! A call's price is its connection alone; recording it, storing that, and finding out whether a machine
//! answered are rows of their own. A message's price includes the carrier's fee, which usage shows apart.

use jiff::Timestamp;

use super::calls::{Call, Direction, Step as CallStep};
use super::messages::{Message, Step as MessageStep};
use super::tariff::{self, NumberType};
use super::{Event, World, day_of};
use crate::amount::UNIT;
use crate::rng::Rng;
use crate::usage::book::Cell;

impl World {
    pub(super) fn charge_call(&mut self, at: Timestamp, index: usize) {
        let call = &self.calls[index];
        let (list_price, category) = voice_rate(call);
        let each = self.discounted(call.account, list_price);
        let call = &mut self.calls[index];
        let minutes = minutes(call.duration().unwrap_or(0));
        call.cost = each * minutes;
        let settle = call.rng.within(self.pace.price_ms);
        let connected = Cell {
            count: 1,
            usage: minutes * UNIT,
            price: call.cost,
        };
        let (account, mut rng) = (call.account, call.rng.clone());
        self.book(at, account, day_of(at), category, connected, &mut rng);
        self.next_step(at, index, settle, CallStep::Price);
    }

    /// Answering machine detection, once per call.
    pub(super) fn charge_detection(&mut self, at: Timestamp, index: usize) {
        let call = &self.calls[index];
        let mut rng = Rng::of(self.seed, &[b"detection", call.sid.bytes()]);
        let detected = Cell {
            count: 1,
            usage: UNIT,
            price: tariff::DETECTION,
        };
        let category = "answering-machine-detection";
        self.book(at, call.account, day_of(at), category, detected, &mut rng);
    }

    pub(super) fn charge_recording(&mut self, at: Timestamp, index: usize) {
        let recording = &mut self.recordings.all[index];
        let seconds = recording.seconds.unwrap_or(0);
        if seconds == 0 {
            return;
        }
        let minutes = minutes(seconds);
        recording.cost = tariff::RECORDING_MINUTE * minutes;
        let cell = Cell {
            count: 1,
            usage: minutes * UNIT,
            price: recording.cost,
        };
        let (account, mut rng) = (recording.account, recording.rng.clone());
        self.book(at, account, day_of(at), "calls-recordings", cell, &mut rng);
    }

    /// One recording in storage for one day; its usage is megabytes.
    pub(super) fn charge_storage(&mut self, at: Timestamp, index: usize) {
        let recording = &mut self.recordings.all[index];
        let seconds = i64::try_from(recording.seconds.unwrap_or(0)).unwrap_or(i64::MAX);
        let channels = if recording.plan.dual { 2 } else { 1 };
        let cell = Cell {
            count: 1,
            usage: seconds.saturating_mul(tariff::RECORDED_MB_SECOND * channels),
            price: tariff::STORAGE_MINUTE_DAY * minutes(recording.seconds.unwrap_or(0)),
        };
        let account = recording.account;
        let mut rng = Rng::of(recording.rng.next(), &[b"storage"]);
        self.book(at, account, day_of(at), "recordingstorage", cell, &mut rng);
    }

    /// Twilio's fee for a message that failed.
    pub(super) fn charge_failure(&mut self, at: Timestamp, index: usize) {
        let message = &self.messages[index];
        let (account, mut rng) = (message.account, message.rng.clone());
        let cell = Cell {
            count: 1,
            usage: UNIT,
            price: tariff::FAILED_FEE,
        };
        let category = "failed-message-processing-fee";
        self.book(at, account, day_of(at), category, cell, &mut rng);
    }

    pub(super) fn charge_message(&mut self, at: Timestamp, index: usize) {
        let message = &self.messages[index];
        let (list_price, fee) = message_rate(message);
        // The carrier's fee knows no discount.
        let each = self.discounted(message.account, list_price);
        let message = &mut self.messages[index];
        let media = message.num_media > 0;
        let parts = if media {
            1
        } else {
            i64::from(message.segments)
        };
        message.cost = (each + fee) * parts;
        let own = if message.inbound {
            &message.to
        } else {
            &message.from
        };
        let category = message_category(media, message.inbound, tariff::type_of(own));
        let (account, mut rng) = (message.account, message.rng.clone());
        let settle = message.rng.within(self.pace.price_ms);
        let cell = |price| Cell {
            count: 1,
            usage: parts * UNIT,
            price,
        };
        let day = day_of(at);
        self.book(at, account, day, category, cell(each * parts), &mut rng);
        if fee > 0 {
            let row = if media {
                "mms-messages-carrierfees"
            } else {
                "sms-messages-carrierfees"
            };
            self.book(at, account, day, row, cell(fee * parts), &mut rng);
        }
        let step = MessageStep::Price;
        self.push_in(
            at,
            settle,
            Event::Message {
                message: index,
                step,
            },
        );
    }
}

/// Minutes that are charged: begun ones count, and so does a connection of no length.
fn minutes(seconds: u64) -> i64 {
    i64::try_from(seconds.div_ceil(60).max(1)).unwrap_or(i64::MAX)
}

/// A minute's price and the category of a call.
fn voice_rate(call: &Call) -> (i64, &'static str) {
    if call.direction == Direction::Inbound {
        let category = match tariff::type_of(&call.to) {
            NumberType::Local => "calls-inbound-local",
            NumberType::Mobile => "calls-inbound-mobile",
            NumberType::TollFree => "calls-inbound-tollfree",
        };
        return (tariff::country_of(&call.to).voice_in, category);
    }
    match call.to.split_once(':') {
        Some(("client", _)) => (tariff::CLIENT_MINUTE, "calls-client"),
        Some(_) => (tariff::SIP_MINUTE, "calls-sip-outbound"),
        None => (tariff::country_of(&call.to).voice_out, "calls-outbound"),
    }
}

/// A message part's price and the carrier's fee for it.
fn message_rate(message: &Message) -> (i64, i64) {
    // By where it goes, which for a received one is the account's own number.
    let country = tariff::country_of(&message.to);
    match (message.num_media > 0, message.inbound) {
        (false, false) => (country.sms_out, country.sms_fee),
        (false, true) => (country.sms_in, 0),
        (true, false) => (country.mms_out, country.mms_fee),
        (true, true) => (country.mms_in, 0),
    }
}

fn message_category(media: bool, inbound: bool, own: NumberType) -> &'static str {
    match (media, inbound, own == NumberType::TollFree) {
        (false, true, false) => "sms-inbound-longcode",
        (false, true, true) => "sms-inbound-tollfree",
        (false, false, false) => "sms-outbound-longcode",
        (false, false, true) => "sms-outbound-tollfree",
        (true, true, false) => "mms-inbound-longcode",
        (true, true, true) => "mms-inbound-toll-free",
        (true, false, false) => "mms-outbound-longcode",
        (true, false, true) => "mms-outbound-tollfree",
    }
}
