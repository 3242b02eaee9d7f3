//! Calls: queued, ringing, in progress, and an end that comes by itself or is asked for.
//!
//! Suspending an account changes nothing about the calls that it has: they go on, and cost, until their
//! own end or until somebody ends them.

use jiff::Timestamp;

use super::tariff::{self, NumberType};
use super::{Event, World, after, day_of};
use crate::amount::UNIT;
use crate::rng::Rng;
use crate::sid::Sid;
use crate::usage::book::Cell;

/// A call's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallStatus {
    Queued,
    Ringing,
    InProgress,
    Completed,
    Busy,
    NoAnswer,
    Failed,
    Canceled,
}

impl CallStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Ringing | Self::InProgress)
    }
}

/// What happens to a call next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Initiate,
    Ring,
    Answer,
    HangUp,
    Price,
}

/// Which events a call's callback wants.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    pub(crate) initiated: bool,
    pub(crate) ringing: bool,
    pub(crate) answered: bool,
}

impl Wanted {
    /// All of them.
    pub(crate) const ALL: Self = Self {
        initiated: true,
        ringing: true,
        answered: true,
    };
}

/// A call.
pub(crate) struct Call {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) inbound: bool,
    pub(crate) status: CallStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) answered_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) price: Option<i64>,
    pub(crate) parent: Option<Sid>,
    pub(crate) callback: Option<String>,
    pub(crate) sequence: u32,
    wanted: Wanted,
    outcome: CallStatus,
    seconds: u64,
    recorded: bool,
    cost: i64,
    rng: Rng,
}

impl Call {
    /// Seconds between answer and end; `None` before the end.
    pub(crate) fn duration(&self) -> Option<u64> {
        let ended = self.ended_at?;
        let spoken = self
            .answered_at
            .map_or(0, |answered| ended.duration_since(answered).as_secs());
        Some(u64::try_from(spoken).unwrap_or(0))
    }
}

/// A call to be made.
pub(crate) struct CallDraft {
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) inbound: bool,
    pub(crate) outcome: CallStatus,
    pub(crate) seconds: u64,
    pub(crate) recorded: bool,
    pub(crate) parent: Option<Sid>,
    pub(crate) callback: Option<String>,
    pub(crate) wanted: Wanted,
}

impl World {
    /// Makes a call and sets it on its way.
    pub(crate) fn create_call(&mut self, at: Timestamp, account: usize, draft: CallDraft) -> usize {
        let mut rng = self.draw(account);
        let sid = Sid::draw("CA", &mut rng);
        let index = self.calls.len();
        let setup = rng.within(self.pace.call_setup_ms);
        self.calls.push(Call {
            sid,
            account,
            to: draft.to,
            from: draft.from,
            inbound: draft.inbound,
            status: if draft.inbound {
                CallStatus::Ringing
            } else {
                CallStatus::Queued
            },
            created_at: at,
            updated_at: at,
            started_at: draft.inbound.then_some(at),
            answered_at: None,
            ended_at: None,
            price: None,
            parent: draft.parent,
            callback: draft.callback,
            sequence: 0,
            wanted: draft.wanted,
            outcome: draft.outcome,
            seconds: draft.seconds,
            recorded: draft.recorded,
            cost: 0,
            rng,
        });
        self.enter(sid, index);
        self.accounts[account].calls.push(index);
        self.accounts[account].live.insert(index);
        let step = if draft.inbound {
            Step::Answer
        } else {
            Step::Initiate
        };
        self.push_in(at, setup, Event::Call { call: index, step });
        index
    }

    pub(super) fn step_call(&mut self, at: Timestamp, index: usize, step: Step) {
        if let Step::Price = step {
            let call = &mut self.calls[index];
            call.price = Some(call.cost);
            call.updated_at = at;
            return;
        }
        let call = &mut self.calls[index];
        if !call.status.is_live() {
            return; // somebody ended it before
        }
        call.updated_at = at;
        match step {
            Step::Initiate => {
                call.started_at = Some(at);
                let (next, wanted) = (
                    call.rng.within(self.pace.call_setup_ms),
                    call.wanted.initiated,
                );
                self.push_in(
                    at,
                    next,
                    Event::Call {
                        call: index,
                        step: Step::Ring,
                    },
                );
                self.notify_call(at, index, "initiated", wanted);
            }
            Step::Ring => {
                call.status = CallStatus::Ringing;
                let (next, wanted) = (
                    call.rng.within(self.pace.call_answer_ms),
                    call.wanted.ringing,
                );
                self.push_in(
                    at,
                    next,
                    Event::Call {
                        call: index,
                        step: Step::Answer,
                    },
                );
                self.notify_call(at, index, "ringing", wanted);
            }
            Step::Answer if call.outcome == CallStatus::Completed => {
                call.status = CallStatus::InProgress;
                call.answered_at = Some(at);
                let (next, wanted) = (call.seconds.saturating_mul(1000), call.wanted.answered);
                self.push_in(
                    at,
                    next,
                    Event::Call {
                        call: index,
                        step: Step::HangUp,
                    },
                );
                self.notify_call(at, index, "in-progress", wanted);
            }
            Step::Answer => {
                let outcome = call.outcome;
                self.end_call(at, index, outcome);
            }
            Step::HangUp | Step::Price => self.end_call(at, index, CallStatus::Completed),
        }
    }

    /// Ends a live call and charges what was spoken.
    pub(crate) fn end_call(&mut self, at: Timestamp, index: usize, status: CallStatus) {
        let call = &mut self.calls[index];
        call.status = if call.answered_at.is_some() || status != CallStatus::Completed {
            status
        } else {
            CallStatus::Canceled
        };
        call.ended_at = Some(at);
        call.updated_at = at;
        let (account, shown) = (call.account, call.status.as_str());
        self.accounts[account].live.remove(&index);
        if self.calls[index].answered_at.is_some() {
            self.charge_call(at, index);
        }
        self.notify_call(at, index, shown, true);
    }

    fn charge_call(&mut self, at: Timestamp, index: usize) {
        let call = &self.calls[index];
        let minutes =
            i64::try_from(call.duration().unwrap_or(0).div_ceil(60).max(1)).unwrap_or(i64::MAX);
        let (each, category) = if call.inbound {
            let own = tariff::country_of(&call.to);
            (
                own.voice_in,
                match tariff::type_of(&call.to) {
                    NumberType::Local => "calls-inbound-local",
                    NumberType::Mobile => "calls-inbound-mobile",
                    NumberType::TollFree => "calls-inbound-tollfree",
                },
            )
        } else {
            (tariff::country_of(&call.to).voice_out, "calls-outbound")
        };
        let each = self.discounted(call.account, each);
        let call = &mut self.calls[index];
        call.cost = each * minutes;
        let settle = call.rng.within(self.pace.price_ms);
        let (account, cost, recorded, mut rng) =
            (call.account, call.cost, call.recorded, call.rng.clone());
        let usage = minutes * UNIT;
        self.book(
            at,
            account,
            day_of(at),
            category,
            Cell {
                count: 1,
                usage,
                price: cost,
            },
            &mut rng,
        );
        if recorded {
            let price = tariff::RECORDING_MINUTE * minutes;
            self.book(
                at,
                account,
                day_of(at),
                "calls-recordings",
                Cell {
                    count: 1,
                    usage,
                    price,
                },
                &mut rng,
            );
        }
        self.push(
            after(at, settle),
            Event::Call {
                call: index,
                step: Step::Price,
            },
        );
    }
}
