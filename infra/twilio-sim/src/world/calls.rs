//! Calls: queued, ringing, in progress, and an end that comes by itself or is asked for.
//!
//! Suspending an account changes nothing about the calls that it has: they go on, and cost, until their
//! own end or until somebody ends them.

use jiff::Timestamp;

pub(crate) use super::progress::{CallStatus, Direction, Wanted};
use super::recordings::{RecordPlan, Recorded};
use super::twiml::Script;
use super::{Event, World};
use crate::callbacks::Hook;
use crate::rng::Rng;
use crate::sid::Sid;

/// What happens to a call next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Initiate,
    Ring,
    Answer,
    HangUp,
    Price,
}

/// A call.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) direction: Direction,
    pub(crate) status: CallStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ringing_at: Option<Timestamp>,
    pub(crate) answered_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) price: Option<i64>,
    pub(crate) parent: Option<usize>,
    pub(crate) hook: Option<Hook>,
    pub(crate) sequence: u32,
    pub(crate) forwarded_from: Option<String>,
    pub(crate) sip_code: Option<u16>,
    pub(crate) conference: Option<usize>,
    pub(crate) deleted: bool,
    /// The legs that it made, and those that its `<Dial>` waits for.
    pub(super) children: Vec<usize>,
    pub(super) dialing: Vec<usize>,
    pub(super) wanted: Wanted,
    pub(super) script: Script,
    pub(super) outcome: CallStatus,
    pub(super) seconds: u64,
    pub(super) time_limit_s: Option<u64>,
    pub(super) cost: i64,
    pub(super) rng: Rng,
    timeout_s: Option<u64>,
    answers_as: Option<&'static str>,
    record: Option<RecordPlan>,
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

    /// What answered, if that was to be found out.
    pub(crate) fn answered_by(&self) -> Option<&'static str> {
        self.answers_as.filter(|_| self.answered_at.is_some())
    }

    /// The status that it had then.
    pub(crate) fn status_at(&self, then: Timestamp) -> CallStatus {
        let reached = |at: Option<Timestamp>| at.is_some_and(|at| at <= then);
        match () {
            () if reached(self.ended_at) => self.status,
            () if reached(self.answered_at) => CallStatus::InProgress,
            () if reached(self.ringing_at) => CallStatus::Ringing,
            () => CallStatus::Queued,
        }
    }
}

/// A call to be made.
pub(crate) struct CallDraft {
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) direction: Direction,
    pub(crate) outcome: CallStatus,
    pub(crate) seconds: u64,
    pub(crate) timeout_s: Option<u64>,
    pub(crate) time_limit_s: Option<u64>,
    pub(crate) script: Script,
    pub(crate) record: Option<RecordPlan>,
    pub(crate) answers_as: Option<&'static str>,
    pub(crate) forwarded_from: Option<String>,
    pub(crate) sip_code: Option<u16>,
    pub(crate) parent: Option<usize>,
    pub(crate) hook: Option<Hook>,
    pub(crate) wanted: Wanted,
}

impl CallDraft {
    /// A call that is answered and lasts so long.
    pub(crate) fn new(from: String, to: String, direction: Direction, seconds: u64) -> Self {
        Self {
            to,
            from,
            direction,
            outcome: CallStatus::Completed,
            seconds,
            timeout_s: None,
            time_limit_s: None,
            script: Script::default(),
            record: None,
            answers_as: None,
            forwarded_from: None,
            sip_code: None,
            parent: None,
            hook: None,
            wanted: Wanted::default(),
        }
    }
}

impl World {
    /// Makes a call and sets it on its way.
    pub(crate) fn create_call(&mut self, at: Timestamp, account: usize, draft: CallDraft) -> usize {
        let mut rng = self.draw(account);
        let sid = Sid::draw("CA", &mut rng);
        let index = self.calls.len();
        let setup = rng.within(self.pace.call_setup_ms);
        let is_inbound = draft.direction == Direction::Inbound;
        let (status, step) = if is_inbound {
            (CallStatus::Ringing, Step::Answer)
        } else {
            (CallStatus::Queued, Step::Initiate)
        };
        let hook = draft
            .hook
            .or_else(|| self.number_hook(account, &draft.to).filter(|_| is_inbound));
        self.calls.push(Call {
            sid,
            account,
            to: draft.to,
            from: draft.from,
            direction: draft.direction,
            status,
            created_at: at,
            updated_at: at,
            started_at: is_inbound.then_some(at),
            ringing_at: is_inbound.then_some(at),
            answered_at: None,
            ended_at: None,
            price: None,
            parent: draft.parent,
            hook,
            sequence: 0,
            forwarded_from: draft.forwarded_from,
            sip_code: draft.sip_code,
            conference: None,
            deleted: false,
            children: Vec::new(),
            dialing: Vec::new(),
            wanted: draft.wanted,
            script: draft.script,
            outcome: draft.outcome,
            seconds: draft.seconds,
            time_limit_s: draft.time_limit_s,
            cost: 0,
            rng,
            timeout_s: draft.timeout_s,
            answers_as: draft.answers_as,
            record: draft.record,
        });
        self.enter(sid, index);
        self.accounts[account].calls.push(index);
        self.accounts[account].live.insert(index);
        if let Some(parent) = draft.parent {
            self.calls[parent].children.push(index);
        }
        self.next_step(at, index, setup, step);
        index
    }

    /// The callback of a number of this account, for the calls that it gets.
    fn number_hook(&self, account: usize, number: &str) -> Option<Hook> {
        let number = *self.held.get(number)?;
        let own = self.numbers[number].account == account;
        let webhook = self.voice_status_callback(number).filter(|_| own)?;
        Hook::is_valid_url(&webhook.url).then(|| webhook.into())
    }

    pub(super) fn next_step(&mut self, at: Timestamp, call: usize, milliseconds: u64, step: Step) {
        self.push_in(at, milliseconds, Event::Call { call, step });
    }

    pub(super) fn step_call(&mut self, at: Timestamp, index: usize, step: Step) {
        let call = &mut self.calls[index];
        if let Step::Price = step {
            call.price = Some(call.cost);
            call.updated_at = at;
            return;
        }
        if !call.status.is_live() {
            return; // somebody ended it before
        }
        call.updated_at = at;
        match step {
            Step::Initiate => {
                call.started_at = Some(at);
                let (setup, wanted) = (
                    call.rng.within(self.pace.call_setup_ms),
                    call.wanted.initiated,
                );
                self.next_step(at, index, setup, Step::Ring);
                self.notify_call(at, index, "initiated", wanted);
            }
            Step::Ring => self.ring(at, index),
            Step::Answer if call.outcome == CallStatus::Completed => self.answer(at, index),
            Step::Answer => {
                let outcome = call.outcome;
                self.end_call(at, index, outcome);
            }
            Step::HangUp | Step::Price => self.end_call(at, index, CallStatus::Completed),
        }
    }

    fn ring(&mut self, at: Timestamp, index: usize) {
        let call = &mut self.calls[index];
        call.status = CallStatus::Ringing;
        call.ringing_at = Some(at);
        let mut rings = call.rng.within(self.pace.call_answer_ms);
        if let Some(timeout) = call.timeout_s.map(|seconds| seconds.saturating_mul(1000)) {
            let nobody = call.outcome == CallStatus::NoAnswer;
            if nobody || rings > timeout && call.outcome == CallStatus::Completed {
                (rings, call.outcome) = (timeout, CallStatus::NoAnswer);
            }
        }
        let wanted = call.wanted.ringing;
        self.next_step(at, index, rings, Step::Answer);
        self.notify_call(at, index, "ringing", wanted);
    }

    fn answer(&mut self, at: Timestamp, index: usize) {
        let call = &mut self.calls[index];
        call.status = CallStatus::InProgress;
        call.answered_at = Some(at);
        let (wanted, detects) = (call.wanted.answered, call.answers_as.is_some());
        let by_verb = call.script.recorded.then(|| RecordPlan::from("RecordVerb"));
        for plan in call.record.take().into_iter().chain(by_verb) {
            self.start_recording(at, Recorded::Call(index), plan);
        }
        if detects {
            self.charge_detection(at, index);
        }
        self.notify_call(at, index, "in-progress", wanted);
        self.leg_answered(at, index);
        self.run_script(at, index);
    }

    /// Ends a live call with whatever hangs on it, and charges what was spoken.
    pub(crate) fn end_call(&mut self, at: Timestamp, index: usize, status: CallStatus) {
        let call = &mut self.calls[index];
        if !call.status.is_live() {
            return;
        }
        call.status = if call.answered_at.is_some() || status != CallStatus::Completed {
            status
        } else {
            CallStatus::Canceled
        };
        call.ended_at = Some(at);
        call.updated_at = at;
        call.dialing.clear();
        let (account, shown, wanted) = (call.account, call.status.as_str(), call.wanted.completed);
        let (parent, children) = (call.parent, call.children.clone());
        self.accounts[account].live.remove(&index);
        self.leave_conference(at, index);
        for child in children {
            self.end_call(at, child, CallStatus::Completed);
        }
        self.stop_recordings(at, Recorded::Call(index));
        if self.calls[index].answered_at.is_some() {
            self.charge_call(at, index);
        }
        self.notify_call(at, index, shown, wanted);
        if let Some(parent) = parent {
            self.leg_ended(at, parent);
        }
    }
}
