//! Messages: scheduled or accepted where a Messaging Service is asked, queued, sent, and then delivered,
//! undelivered or failed; charged when they are sent.
//!
//! A message that is still queued when its account is suspended fails, without a fee.

use jiff::Timestamp;

use super::{Event, World, after};
use crate::rng::Rng;
use crate::sid::Sid;

/// A message's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageStatus {
    /// A Messaging Service has it.
    Accepted,
    Scheduled,
    Queued,
    Sending,
    Sent,
    Delivered,
    Undelivered,
    Failed,
    Canceled,
    Received,
}

impl MessageStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Received => "received",
        }
    }

    /// Whether nothing happens to it any more.
    pub(crate) fn is_final(self) -> bool {
        matches!(
            self,
            Self::Delivered | Self::Undelivered | Self::Failed | Self::Canceled | Self::Received
        )
    }

    /// Whether it can still be kept from being sent.
    pub(crate) fn is_cancelable(self) -> bool {
        matches!(self, Self::Accepted | Self::Scheduled | Self::Queued)
    }
}

/// What happens to a message next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Queue,
    Dispatch,
    Send,
    Finish,
    Price,
}

/// A message.
#[derive(Clone)]
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
    /// The Messaging Service that it was given to.
    pub(crate) service: Option<Sid>,
    pub(crate) deleted: bool,
    queued_at: Option<Timestamp>,
    validity_s: Option<u64>,
    outcome: MessageStatus,
    outcome_error: Option<u32>,
    unpriced: bool,
    pub(super) cost: i64,
    pub(super) rng: Rng,
}

impl Message {
    /// The sender, which a Messaging Service chooses only when it queues the message.
    pub(crate) fn sender(&self) -> Option<&str> {
        let is_chosen = self.inbound || self.service.is_none() || self.queued_at.is_some();
        is_chosen.then_some(self.from.as_str())
    }
}

/// A message to be made.
pub(crate) struct MessageDraft {
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) inbound: bool,
    pub(crate) body: String,
    pub(crate) num_media: u32,
    pub(crate) callback: Option<String>,
    pub(crate) service: Option<Sid>,
    pub(crate) send_at: Option<Timestamp>,
    pub(crate) validity_s: Option<u64>,
    /// How it ends; outbound only.
    pub(crate) outcome: MessageStatus,
    /// The error that it fails or stays undelivered with.
    pub(crate) error: Option<u32>,
    /// Its price stays unknown for ever.
    pub(crate) unpriced: bool,
}

impl MessageDraft {
    /// A text that is delivered.
    pub(crate) fn new(from: String, to: String, body: String) -> Self {
        Self {
            to,
            from,
            inbound: false,
            body,
            num_media: 0,
            callback: None,
            service: None,
            send_at: None,
            validity_s: None,
            outcome: MessageStatus::Delivered,
            error: None,
            unpriced: false,
        }
    }
}

/// How messages fail that nobody gave an error.
const UNREACHABLE: u32 = 30_003;
const UNKNOWN_HANDSET: u32 = 30_005;
const SUSPENDED: u32 = 30_002;
const EXPIRED: u32 = 30_036;
/// Failures that Twilio takes no processing fee for, by its help page about that fee.
const FREE_FAILURES: [u32; 6] = [SUSPENDED, 21_408, 30_450, EXPIRED, 20_500, 30_008];

/// What end users write to be sent nothing more, and to be sent something again, by Twilio's default.
const STOP_WORDS: [&str; 8] = [
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "REVOKE",
    "OPTOUT",
];
const START_WORDS: [&str; 3] = ["START", "YES", "UNSTOP"];

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
        let unpriced = draft.unpriced
            || Rng::of(self.seed, &[b"unpriced", sid.bytes()])
                .strikes(self.quirks.unpriced_per_mille);
        self.messages.push(Message {
            sid,
            account,
            segments: segments(&draft.body),
            to: draft.to,
            from: draft.from,
            inbound: draft.inbound,
            body: draft.body,
            num_media: draft.num_media,
            status: match (draft.inbound, draft.send_at, draft.service) {
                (true, ..) => MessageStatus::Received,
                (_, Some(_), _) => MessageStatus::Scheduled,
                _ => MessageStatus::Accepted,
            },
            created_at: at,
            updated_at: at,
            sent_at: draft.inbound.then_some(at),
            error: None,
            price: None,
            callback: draft.callback,
            service: draft.service,
            deleted: false,
            queued_at: None,
            validity_s: draft.validity_s,
            outcome: draft.outcome,
            outcome_error: draft.error,
            unpriced,
            cost: 0,
            rng,
        });
        self.enter(sid, index);
        self.accounts[account].messages.push(index);
        match (draft.inbound, draft.send_at, draft.service) {
            (true, ..) => {
                self.note_opt_out(index);
                self.charge_message(at, index);
            }
            (_, Some(send_at), _) => {
                self.notify_message(at, index);
                self.push_step(send_at.max(at), index, Step::Queue);
            }
            (_, None, Some(_)) => {
                self.notify_message(at, index);
                let chosen = self.messages[index].rng.within(self.pace.message_sent_ms) / 2;
                self.push_step(after(at, chosen), index, Step::Queue);
            }
            (_, None, None) => self.queue_message(at, index),
        }
        index
    }

    fn push_step(&mut self, at: Timestamp, message: usize, step: Step) {
        self.push(at, Event::Message { message, step });
    }

    pub(super) fn step_message(&mut self, at: Timestamp, index: usize, step: Step) {
        let message = &mut self.messages[index];
        match step {
            Step::Price => {
                if !message.unpriced {
                    message.price = Some(message.cost);
                    message.updated_at = at;
                }
            }
            // Somebody canceled it meanwhile.
            _ if message.status == MessageStatus::Canceled => {}
            Step::Queue => self.queue_message(at, index),
            Step::Dispatch => {
                message.status = MessageStatus::Sending;
                message.updated_at = at;
                self.leave_queue(index);
            }
            Step::Send => self.send_message(at, index),
            Step::Finish => {
                message.status = message.outcome;
                message.updated_at = at;
                if message.outcome == MessageStatus::Undelivered {
                    message.error = message.outcome_error.or(Some(UNKNOWN_HANDSET));
                }
                self.notify_message(at, index);
            }
        }
    }

    fn queue_message(&mut self, at: Timestamp, index: usize) {
        let message = &mut self.messages[index];
        message.status = MessageStatus::Queued;
        message.updated_at = at;
        message.queued_at = Some(at);
        let waits = message.rng.within(self.pace.message_sent_ms);
        let sender = message.from.clone();
        *self.queued_by_sender.entry(sender).or_default() += 1;
        self.notify_message(at, index);
        self.push_step(after(at, waits / 2), index, Step::Dispatch);
        self.push_step(after(at, waits), index, Step::Send);
    }

    fn leave_queue(&mut self, index: usize) {
        let sender = self.messages[index].from.as_str();
        let left = self.queued_by_sender.get_mut(sender).map(|queued| {
            *queued = queued.saturating_sub(1);
            *queued
        });
        if left == Some(0) {
            self.queued_by_sender.remove(sender);
        }
    }

    /// Whether a number may not queue more messages.
    pub(crate) fn is_queue_full(&self, sender: &str) -> bool {
        let queued = self.queued_by_sender.get(sender).copied().unwrap_or(0);
        queued >= self.quirks.queued_per_sender_max
    }

    fn send_message(&mut self, at: Timestamp, index: usize) {
        let allowed = self.may_start(self.messages[index].account);
        let message = &mut self.messages[index];
        message.updated_at = at;
        let expires = message
            .queued_at
            .zip(message.validity_s)
            .map(|(queued, seconds)| after(queued, seconds.saturating_mul(1000)));
        let failure = match () {
            () if !allowed => Some(SUSPENDED),
            () if expires.is_some_and(|expires| expires < at) => Some(EXPIRED),
            () if message.outcome == MessageStatus::Failed => {
                message.outcome_error.or(Some(UNREACHABLE))
            }
            () => None,
        };
        if let Some(error) = failure {
            message.status = MessageStatus::Failed;
            message.error = Some(error);
            if !FREE_FAILURES.contains(&error) {
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
        self.push_step(after(at, delay), index, Step::Finish);
    }

    /// Keeps a message from being sent.
    pub(crate) fn cancel_message(&mut self, at: Timestamp, index: usize) {
        let message = &mut self.messages[index];
        let was_queued = message.status == MessageStatus::Queued;
        message.status = MessageStatus::Canceled;
        message.updated_at = at;
        if was_queued {
            self.leave_queue(index);
        }
        self.notify_message(at, index);
    }

    /// Empties a message's text.
    pub(crate) fn redact_message(&mut self, at: Timestamp, index: usize) {
        let message = &mut self.messages[index];
        message.body.clear();
        message.updated_at = at;
    }

    /// `STOP` keeps a number from being written to by this one again, `START` allows it.
    fn note_opt_out(&mut self, index: usize) {
        let message = &self.messages[index];
        let word = message.body.trim().to_ascii_uppercase();
        let pair = (message.to.clone(), message.from.clone());
        if STOP_WORDS.contains(&word.as_str()) {
            self.opted_out.insert(pair);
        } else if START_WORDS.contains(&word.as_str()) {
            self.opted_out.remove(&pair);
        }
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
