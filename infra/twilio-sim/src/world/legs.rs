//! What a call does once it is answered: talk, wait for the legs that its `<Dial>` made, or be in a
//! conference. A leg ends with its parent, and a parent that only dialled ends with its last leg.

use jiff::Timestamp;

use super::World;
use super::calls::{CallDraft, CallStatus, Direction, Step};
use super::recordings::Recorded;
use super::tariff;
use super::twiml::{Dial, Script, Verb};

impl World {
    pub(super) fn run_script(&mut self, at: Timestamp, index: usize) {
        let call = &self.calls[index];
        let (limit_s, lasts_s) = (call.time_limit_s, call.seconds);
        let script = call.script.clone();
        let hangs_up_s = match script.verb {
            Verb::Talk => Some(lasts_s.min(limit_s.unwrap_or(u64::MAX))),
            Verb::Conference(room) => {
                self.join_conference(at, index, &room);
                Some(lasts_s.min(limit_s.unwrap_or(u64::MAX)))
            }
            // Whoever was dialled decides how long it takes.
            Verb::Dial(dial) => {
                self.dial(at, index, &dial);
                limit_s
            }
        };
        if let Some(seconds) = hangs_up_s {
            self.next_step(at, index, seconds.saturating_mul(1000), Step::HangUp);
        }
    }

    /// Gives a live call other instructions; one that is not answered yet follows them when it is.
    pub(crate) fn redirect_call(&mut self, at: Timestamp, index: usize, script: Script) {
        let call = &mut self.calls[index];
        call.updated_at = at;
        call.script = script;
        if call.status != CallStatus::InProgress {
            return;
        }
        let dialled = std::mem::take(&mut call.dialing);
        // Who leaves a room may end it, but goes on himself.
        self.leave_conference(at, index);
        for leg in dialled {
            self.end_call(at, leg, CallStatus::Completed);
        }
        self.run_script(at, index);
    }

    /// Limits how long a live call may last, from its answer on.
    pub(crate) fn limit_call(&mut self, at: Timestamp, index: usize, seconds: u64) {
        let call = &mut self.calls[index];
        call.updated_at = at;
        call.time_limit_s = Some(seconds);
        if let Some(answered) = call.answered_at {
            let lasted = u64::try_from(at.duration_since(answered).as_millis()).unwrap_or(0);
            let left = seconds.saturating_mul(1000).saturating_sub(lasted);
            self.next_step(at, index, left, Step::HangUp);
        }
    }

    fn dial(&mut self, at: Timestamp, index: usize, dial: &Dial) {
        let call = &self.calls[index];
        let (account, seconds) = (call.account, call.seconds);
        let from = dial.caller_id.clone().unwrap_or_else(|| call.from.clone());
        if !self.may_start(account) {
            // A suspended account makes no leg: the verb fails, and nothing follows it.
            self.end_call(at, index, CallStatus::Completed);
            return;
        }
        for target in &dial.targets {
            let draft = CallDraft {
                outcome: if tariff::is_endpoint(&target.to) {
                    CallStatus::Completed
                } else {
                    CallStatus::Failed
                },
                timeout_s: dial.timeout_s,
                time_limit_s: dial.time_limit_s,
                parent: Some(index),
                hook: target.hook.clone(),
                wanted: target.wanted,
                ..CallDraft::new(
                    from.clone(),
                    target.to.clone(),
                    Direction::OutboundDial,
                    seconds,
                )
            };
            let leg = self.create_call(at, account, draft);
            self.calls[index].dialing.push(leg);
        }
        if let Some(plan) = dial.record.clone().filter(|_| dial.from_ringing) {
            self.start_recording(at, Recorded::Call(index), plan);
        }
    }

    /// The first leg that is answered is connected; the others stop ringing.
    pub(super) fn leg_answered(&mut self, at: Timestamp, index: usize) {
        let Some(parent) = self.calls[index].parent else {
            return;
        };
        let legs = self.calls[parent].dialing.clone();
        if !legs.contains(&index) {
            return;
        }
        for other in legs.into_iter().filter(|leg| *leg != index) {
            self.end_call(at, other, CallStatus::Canceled);
        }
        let record = match &self.calls[parent].script.verb {
            Verb::Dial(dial) if !dial.from_ringing => dial.record.clone(),
            _ => None,
        };
        if let Some(plan) = record {
            self.start_recording(at, Recorded::Call(parent), plan);
        }
    }

    /// A parent has nothing left to do when all legs that it dialled are over.
    pub(super) fn leg_ended(&mut self, at: Timestamp, parent: usize) {
        let dialing = &self.calls[parent].dialing;
        let is_over = |leg: &usize| !self.calls[*leg].status.is_live();
        if !dialing.is_empty() && dialing.iter().all(is_over) {
            self.end_call(at, parent, CallStatus::Completed);
        }
    }
}
