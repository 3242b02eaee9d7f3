//! Messages: queued, sent, then delivered, undelivered or failed; charged when they are sent.

use jiff::Timestamp;

use super::tariff::{self, NumberType};
use super::{Event, World, day_of};
use crate::amount::UNIT;
use crate::rng::Rng;
use crate::sid::Sid;
use crate::usage::book::Cell;

/// A message's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageStatus {
    Queued,
    Sent,
    Delivered,
    Undelivered,
    Failed,
    Received,
}

impl MessageStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Received => "received",
        }
    }
}

/// What happens to a message next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Send,
    Finish,
    Price,
}

/// A message.
pub(crate) struct Message {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) inbound: bool,
    pub(crate) body: String,
    pub(crate) num_media: u32,
    pub(crate) segments: u32,
    pub(crate) status: MessageStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) error: Option<u32>,
    /// The price once Twilio knows it.
    pub(crate) price: Option<i64>,
    pub(crate) callback: Option<String>,
    outcome: MessageStatus,
    cost: i64,
    rng: Rng,
}

/// A message to be made.
pub(crate) struct MessageDraft {
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) inbound: bool,
    pub(crate) body: String,
    pub(crate) num_media: u32,
    pub(crate) callback: Option<String>,
    /// How it ends; outbound only.
    pub(crate) outcome: MessageStatus,
}

/// Failures that Twilio takes its processing fee for; a suspended account's is exempt.
const CHARGED_FAILURE: u32 = 30_003;
const SUSPENDED_FAILURE: u32 = 30_002;

impl World {
    /// Makes a message and sets it on its way.
    pub(crate) fn create_message(
        &mut self,
        at: Timestamp,
        account: usize,
        draft: MessageDraft,
    ) -> usize {
        let mut rng = self.draw(account);
        let sid = Sid::draw(if draft.num_media > 0 { "MM" } else { "SM" }, &mut rng);
        let index = self.messages.len();
        self.messages.push(Message {
            sid,
            account,
            segments: segments(&draft.body),
            to: draft.to,
            from: draft.from,
            inbound: draft.inbound,
            body: draft.body,
            num_media: draft.num_media,
            status: if draft.inbound {
                MessageStatus::Received
            } else {
                MessageStatus::Queued
            },
            created_at: at,
            updated_at: at,
            sent_at: draft.inbound.then_some(at),
            error: None,
            price: None,
            callback: draft.callback,
            outcome: draft.outcome,
            cost: 0,
            rng,
        });
        self.enter(sid, index);
        self.accounts[account].messages.push(index);
        if draft.inbound {
            self.charge_message(at, index);
        } else {
            self.notify_message(at, index);
            let delay = self.messages[index].rng.within(self.pace.message_sent_ms);
            self.push_in(
                at,
                delay,
                Event::Message {
                    message: index,
                    step: Step::Send,
                },
            );
        }
        index
    }

    pub(super) fn step_message(&mut self, at: Timestamp, index: usize, step: Step) {
        match step {
            Step::Send => self.send_message(at, index),
            Step::Finish => {
                let message = &mut self.messages[index];
                message.status = message.outcome;
                message.updated_at = at;
                if message.outcome == MessageStatus::Undelivered {
                    message.error = Some(30_005);
                }
                self.notify_message(at, index);
            }
            Step::Price => {
                let message = &mut self.messages[index];
                message.price = Some(message.cost);
                message.updated_at = at;
            }
        }
    }

    fn send_message(&mut self, at: Timestamp, index: usize) {
        let allowed = self.may_start(self.messages[index].account);
        let message = &mut self.messages[index];
        message.updated_at = at;
        if !allowed || message.outcome == MessageStatus::Failed {
            message.status = MessageStatus::Failed;
            message.error = Some(if allowed {
                CHARGED_FAILURE
            } else {
                SUSPENDED_FAILURE
            });
            if allowed {
                self.charge_failure(at, index);
            }
            self.notify_message(at, index);
            return;
        }
        message.status = MessageStatus::Sent;
        message.sent_at = Some(at);
        let delay = message.rng.within(self.pace.message_done_ms);
        self.charge_message(at, index);
        self.notify_message(at, index);
        self.push_in(
            at,
            delay,
            Event::Message {
                message: index,
                step: Step::Finish,
            },
        );
    }

    fn charge_failure(&mut self, at: Timestamp, index: usize) {
        let message = &self.messages[index];
        let (account, mut rng) = (message.account, message.rng.clone());
        let cell = Cell {
            count: 1,
            usage: UNIT,
            price: tariff::FAILED_FEE,
        };
        self.book(
            at,
            account,
            day_of(at),
            "failed-message-processing-fee",
            cell,
            &mut rng,
        );
    }

    fn charge_message(&mut self, at: Timestamp, index: usize) {
        let message = &self.messages[index];
        let own = if message.inbound {
            &message.to
        } else {
            &message.from
        };
        // By where it goes, which for a received one is the account's own number.
        let country = tariff::country_of(&message.to);
        let media = message.num_media > 0;
        let (each, fee) = match (media, message.inbound) {
            (false, false) => (country.sms_out, country.sms_fee),
            (false, true) => (country.sms_in, 0),
            (true, false) => (country.mms_out, country.mms_fee),
            (true, true) => (country.mms_in, 0),
        };
        let parts = if media {
            1
        } else {
            i64::from(message.segments)
        };
        let category = category(media, message.inbound, tariff::type_of(own));
        let each = self.discounted(message.account, each);
        let message = &mut self.messages[index];
        // A message's own price includes the carrier's fee, which usage shows as a row of its own.
        message.cost = (each + fee) * parts;
        let (account, mut rng) = (message.account, message.rng.clone());
        let settle = message.rng.within(self.pace.price_ms);
        let day = day_of(at);
        let usage = parts * UNIT;
        self.book(
            at,
            account,
            day,
            category,
            Cell {
                count: 1,
                usage,
                price: each * parts,
            },
            &mut rng,
        );
        if fee > 0 {
            let row = if media {
                "mms-messages-carrierfees"
            } else {
                "sms-messages-carrierfees"
            };
            self.book(
                at,
                account,
                day,
                row,
                Cell {
                    count: 1,
                    usage,
                    price: fee * parts,
                },
                &mut rng,
            );
        }
        self.push_in(
            at,
            settle,
            Event::Message {
                message: index,
                step: Step::Price,
            },
        );
    }
}

fn category(media: bool, inbound: bool, own: NumberType) -> &'static str {
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

/// Segments of a text: 160 characters alone or 153 each, 70 and 67 when one is outside ASCII.
fn segments(body: &str) -> u32 {
    let (alone, joined) = if body.is_ascii() {
        (160, 153)
    } else {
        (70, 67)
    };
    let length = body.chars().count();
    let parts = if length <= alone {
        1
    } else {
        length.div_ceil(joined)
    };
    u32::try_from(parts).unwrap_or(u32::MAX)
}
