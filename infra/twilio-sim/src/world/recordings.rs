//! Recordings of calls and conferences: made while somebody speaks, processed afterwards, paid for once,
//! and stored, which costs every day until they are deleted.

use std::collections::HashMap;

use jiff::Timestamp;

use super::accounts::Status;
use super::{Event, World, after};
use crate::callbacks::Hook;
use crate::rng::Rng;
use crate::sid::Sid;

/// A recording's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordingStatus {
    InProgress,
    Paused,
    /// Ended by request, and not yet processed.
    Stopped,
    Processing,
    Completed,
    /// Nothing was there to be recorded.
    Absent,
}

impl RecordingStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in-progress",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Absent => "absent",
        }
    }

    /// Whether it goes on, or could.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::InProgress | Self::Paused)
    }
}

/// Which events a recording's callback is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    in_progress: bool,
    completed: bool,
    absent: bool,
}

impl Told {
    /// The names of events that Twilio knows.
    pub(crate) const EVENTS: [&'static str; 3] = ["in-progress", "completed", "absent"];

    /// Reads lists of events separated by spaces; none at all is `completed`.
    pub(crate) fn of<'a>(lists: impl Iterator<Item = &'a str>) -> Self {
        let events: Vec<&str> = lists.flat_map(str::split_whitespace).collect();
        let has = |event| events.contains(&event);
        Self {
            in_progress: has("in-progress"),
            completed: events.is_empty() || has("completed"),
            absent: has("absent"),
        }
    }

    fn wants(self, status: RecordingStatus) -> bool {
        match status {
            RecordingStatus::InProgress => self.in_progress,
            RecordingStatus::Completed => self.completed,
            RecordingStatus::Absent => self.absent,
            _ => false,
        }
    }
}

/// How something is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordPlan {
    pub(crate) source: &'static str,
    pub(crate) dual: bool,
    /// `both`, `inbound` or `outbound`.
    pub(crate) track: &'static str,
    pub(crate) hook: Option<Hook>,
    pub(crate) told: Told,
    /// Its owner fetches and deletes it as soon as it is complete, so that it is never stored.
    pub(crate) is_fetched: bool,
}

impl From<&'static str> for RecordPlan {
    /// As a source records without being told more.
    fn from(source: &'static str) -> Self {
        Self {
            source,
            dual: false,
            track: "both",
            hook: None,
            told: Told::of(std::iter::empty()),
            is_fetched: false,
        }
    }
}

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    Call(usize),
    Conference(usize),
}

/// A recording.
#[derive(Clone)]
pub(crate) struct Recording {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) of: Recorded,
    pub(crate) plan: RecordPlan,
    pub(crate) status: RecordingStatus,
    pub(crate) started_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Its length in seconds, once it has ended.
    pub(crate) seconds: Option<u64>,
    /// The price once Twilio knows it.
    pub(crate) price: Option<i64>,
    pub(crate) deleted_at: Option<Timestamp>,
    /// Since when it pauses, if what is said meanwhile is left out.
    skips_since: Option<Timestamp>,
    skipped_ms: u64,
    pub(super) cost: i64,
    pub(super) rng: Rng,
}

/// All recordings and where they belong.
#[derive(Clone, Default)]
pub(crate) struct Recordings {
    pub(crate) all: Vec<Recording>,
    by_account: HashMap<usize, Vec<usize>>,
    by_call: HashMap<usize, Vec<usize>>,
    by_conference: HashMap<usize, Vec<usize>>,
}

impl Recordings {
    /// An account's recordings, oldest first.
    pub(crate) fn of_account(&self, account: usize) -> &[usize] {
        self.by_account.get(&account).map_or(&[], Vec::as_slice)
    }

    /// A call's or a conference's recordings, oldest first.
    pub(crate) fn of(&self, recorded: Recorded) -> &[usize] {
        match recorded {
            Recorded::Call(call) => self.by_call.get(&call),
            Recorded::Conference(conference) => self.by_conference.get(&conference),
        }
        .map_or(&[], Vec::as_slice)
    }
}

/// What happens to a recording next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Complete,
    Price,
    /// Another day in storage.
    Store,
}

/// How long Twilio keeps what it knows of a deleted recording: 40 days, by the IncludeSoftDeleted parameter.
const KEPT_MS: u64 = 40 * DAY_MS;
const DAY_MS: u64 = 86_400_000;

impl Recording {
    /// Whether a request may still see it.
    pub(crate) fn is_shown(&self, now: Timestamp, include_deleted: bool) -> bool {
        self.deleted_at
            .is_none_or(|at| include_deleted && now < after(at, KEPT_MS))
    }

    fn recorded_seconds(&self, at: Timestamp) -> u64 {
        let lasted = u64::try_from(at.duration_since(self.started_at).as_millis()).unwrap_or(0);
        lasted.saturating_sub(self.skipped_ms) / 1000
    }
}

impl World {
    /// Starts recording.
    pub(crate) fn start_recording(
        &mut self,
        at: Timestamp,
        of: Recorded,
        plan: RecordPlan,
    ) -> usize {
        let before = u64::try_from(self.recordings.of(of).len()).unwrap_or(u64::MAX);
        let (account, owner) = match of {
            Recorded::Call(call) => (self.calls[call].account, self.calls[call].sid),
            Recorded::Conference(conference) => {
                let conference = &self.conferences.all[conference];
                (conference.account, conference.sid)
            }
        };
        let parts: &[&[u8]] = &[b"recording", owner.bytes(), &before.to_le_bytes()];
        let mut rng = Rng::of(self.seed, parts);
        let sid = Sid::draw("RE", &mut rng);
        let index = self.recordings.all.len();
        self.recordings.all.push(Recording {
            sid,
            account,
            of,
            plan,
            status: RecordingStatus::InProgress,
            started_at: at,
            updated_at: at,
            seconds: None,
            price: None,
            deleted_at: None,
            skips_since: None,
            skipped_ms: 0,
            cost: 0,
            rng,
        });
        self.enter(sid, index);
        let recordings = &mut self.recordings;
        recordings
            .by_account
            .entry(account)
            .or_default()
            .push(index);
        match of {
            Recorded::Call(call) => recordings.by_call.entry(call).or_default().push(index),
            Recorded::Conference(conference) => recordings
                .by_conference
                .entry(conference)
                .or_default()
                .push(index),
        }
        self.notify_recording(at, index);
        index
    }

    /// Pauses a recording; what is said meanwhile is left out when `skip` is set, silent otherwise.
    pub(crate) fn pause_recording(&mut self, at: Timestamp, index: usize, skip: bool) {
        let recording = &mut self.recordings.all[index];
        recording.status = RecordingStatus::Paused;
        recording.updated_at = at;
        if skip {
            recording.skips_since.get_or_insert(at);
        }
    }

    /// Goes on with a recording that was paused.
    pub(crate) fn resume_recording(&mut self, at: Timestamp, index: usize) {
        let recording = &mut self.recordings.all[index];
        recording.status = RecordingStatus::InProgress;
        recording.updated_at = at;
        if let Some(since) = recording.skips_since.take() {
            let skipped = u64::try_from(at.duration_since(since).as_millis()).unwrap_or(0);
            recording.skipped_ms = recording.skipped_ms.saturating_add(skipped);
        }
    }

    /// Ends a live recording: `Stopped` when somebody asked, `Processing` when there is nothing left to record.
    pub(crate) fn stop_recording(&mut self, at: Timestamp, index: usize, into: RecordingStatus) {
        if !self.recordings.all[index].status.is_live() {
            return;
        }
        self.resume_recording(at, index);
        let recording = &mut self.recordings.all[index];
        recording.status = into;
        recording.seconds = Some(recording.recorded_seconds(at));
        let processing = recording.rng.within(self.pace.recording_ms);
        self.charge_recording(at, index);
        let step = Step::Complete;
        self.push_in(
            at,
            processing,
            Event::Recording {
                recording: index,
                step,
            },
        );
    }

    /// Ends whatever records this.
    pub(super) fn stop_recordings(&mut self, at: Timestamp, of: Recorded) {
        for index in self.recordings.of(of).to_vec() {
            self.stop_recording(at, index, RecordingStatus::Processing);
        }
    }

    /// Deletes a recording; its storage costs no more.
    pub(crate) fn delete_recording(&mut self, at: Timestamp, index: usize) {
        let recording = &mut self.recordings.all[index];
        recording.deleted_at = Some(at);
        recording.updated_at = at;
    }

    pub(super) fn step_recording(&mut self, at: Timestamp, index: usize, step: Step) {
        let recording = &mut self.recordings.all[index];
        match step {
            Step::Complete => {
                let is_empty = recording.seconds == Some(0);
                recording.status = if is_empty {
                    RecordingStatus::Absent
                } else {
                    RecordingStatus::Completed
                };
                recording.updated_at = at;
                if recording.plan.is_fetched {
                    recording.deleted_at = Some(at);
                }
                let settle = recording.rng.within(self.pace.price_ms);
                self.notify_recording(at, index);
                if !is_empty {
                    let event = |step| Event::Recording {
                        recording: index,
                        step,
                    };
                    self.push_in(at, settle, event(Step::Price));
                    self.push_in(at, DAY_MS, event(Step::Store));
                }
            }
            Step::Price => recording.price = Some(recording.cost),
            Step::Store => self.store_recording(at, index),
        }
    }

    /// A day in storage, and the next one, until the recording or its account is gone.
    fn store_recording(&mut self, at: Timestamp, index: usize) {
        let recording = &self.recordings.all[index];
        let is_open = self.accounts[recording.account].status != Status::Closed;
        if recording.deleted_at.is_some() || !is_open {
            return;
        }
        self.charge_storage(at, index);
        let step = Step::Store;
        self.push_in(
            at,
            DAY_MS,
            Event::Recording {
                recording: index,
                step,
            },
        );
    }

    /// Whether a recording's callback is told of its status.
    pub(super) fn recording_hook(&self, index: usize) -> Option<Hook> {
        let recording = &self.recordings.all[index];
        let wanted = recording.plan.told.wants(recording.status);
        recording.plan.hook.clone().filter(|_| wanted)
    }
}
