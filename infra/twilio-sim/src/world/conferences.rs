//! Conferences: rooms that calls join by name and that end with their last participant, with one that ends
//! them, or by request.
//!
//! A room waits (`init`) until two are in it, one of whom may start it: that is when Twilio says that it
//! begins. Who waits alone costs nevertheless, and is not among the conferences in progress.

use std::collections::HashMap;

use jiff::Timestamp;

use super::World;
use super::calls::CallStatus;
use super::recordings::{RecordPlan, Recorded};
use super::twiml::Room;
use crate::rng::Rng;
use crate::sid::Sid;

/// A conference's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConferenceStatus {
    Init,
    InProgress,
    Completed,
}

impl ConferenceStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
        }
    }
}

/// Why a conference ended, by Twilio's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    ViaApi,
    ByWhoEndsIt,
    LastLeft,
}

impl Ended {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ViaApi => "conference-ended-via-api",
            Self::ByWhoEndsIt => "participant-with-end-conference-on-exit-left",
            Self::LastLeft => "last-participant-left",
        }
    }
}

/// A conference.
#[derive(Clone)]
pub(crate) struct Conference {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) name: String,
    pub(crate) status: ConferenceStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) ended: Option<Ended>,
    /// The call that ended it.
    pub(crate) ending_call: Option<Sid>,
    participants: Vec<Participant>,
    record: Option<RecordPlan>,
}

#[derive(Clone)]
struct Participant {
    call: usize,
    starts: bool,
    ends_on_exit: bool,
}

/// All conferences, and the rooms that are open by account and name.
#[derive(Clone, Default)]
pub(crate) struct Conferences {
    pub(crate) all: Vec<Conference>,
    by_account: HashMap<usize, Vec<usize>>,
    open: HashMap<(usize, String), usize>,
}

impl Conferences {
    /// An account's conferences, oldest first.
    pub(crate) fn of_account(&self, account: usize) -> &[usize] {
        self.by_account.get(&account).map_or(&[], Vec::as_slice)
    }
}

impl World {
    /// A call joins a room, which opens when nobody is in it.
    pub(super) fn join_conference(&mut self, at: Timestamp, call: usize, room: &Room) {
        let account = self.calls[call].account;
        let key = (account, room.name.clone());
        let index = match self.conferences.open.get(&key) {
            Some(open) => *open,
            None => self.open_conference(at, key),
        };
        self.calls[call].conference = Some(index);
        let conference = &mut self.conferences.all[index];
        conference.participants.push(Participant {
            call,
            starts: room.starts,
            ends_on_exit: room.ends_on_exit,
        });
        if conference.record.is_none() {
            conference.record.clone_from(&room.record);
        }
        let may_start = conference.participants.iter().any(|one| one.starts);
        if conference.status == ConferenceStatus::Init
            && may_start
            && conference.participants.len() > 1
        {
            conference.status = ConferenceStatus::InProgress;
            conference.updated_at = at;
            if let Some(plan) = conference.record.clone() {
                self.start_recording(at, Recorded::Conference(index), plan);
            }
        }
    }

    fn open_conference(&mut self, at: Timestamp, key: (usize, String)) -> usize {
        let index = self.conferences.all.len();
        let account = key.0;
        let owner = self.accounts[account].sid;
        let before = u64::try_from(self.conferences.of_account(account).len()).unwrap_or(u64::MAX);
        let parts: &[&[u8]] = &[b"conference", owner.bytes(), &before.to_le_bytes()];
        let sid = Sid::draw("CF", &mut Rng::of(self.seed, parts));
        self.conferences.all.push(Conference {
            sid,
            account,
            name: key.1.clone(),
            status: ConferenceStatus::Init,
            created_at: at,
            updated_at: at,
            ended: None,
            ending_call: None,
            participants: Vec::new(),
            record: None,
        });
        let conferences = &mut self.conferences;
        conferences
            .by_account
            .entry(account)
            .or_default()
            .push(index);
        conferences.open.insert(key, index);
        self.enter(sid, index);
        index
    }

    /// A call leaves the conference that it is in, which may end with it.
    pub(super) fn leave_conference(&mut self, at: Timestamp, call: usize) {
        let Some(index) = self.calls[call].conference.take() else {
            return;
        };
        let conference = &mut self.conferences.all[index];
        let Some(place) = conference
            .participants
            .iter()
            .position(|one| one.call == call)
        else {
            return; // the conference ends and takes everybody with it
        };
        let left = conference.participants.remove(place);
        let why = match () {
            () if left.ends_on_exit => Ended::ByWhoEndsIt,
            () if conference.participants.is_empty() => Ended::LastLeft,
            () => return,
        };
        let sid = self.calls[call].sid;
        self.end_conference(at, index, why, Some(sid));
    }

    /// Ends a conference and the calls in it.
    pub(crate) fn end_conference(
        &mut self,
        at: Timestamp,
        index: usize,
        why: Ended,
        ending_call: Option<Sid>,
    ) {
        let conference = &mut self.conferences.all[index];
        if conference.status == ConferenceStatus::Completed {
            return;
        }
        conference.status = ConferenceStatus::Completed;
        conference.updated_at = at;
        conference.ended = Some(why);
        conference.ending_call = ending_call;
        let left = std::mem::take(&mut conference.participants);
        let key = (conference.account, conference.name.clone());
        self.conferences.open.remove(&key);
        self.stop_recordings(at, Recorded::Conference(index));
        for participant in left {
            self.end_call(at, participant.call, CallStatus::Completed);
        }
    }
}
