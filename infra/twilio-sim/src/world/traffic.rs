//! Seeded traffic: what an account's end users do, planned day by day.

use jiff::Timestamp;
use jiff::ToSpan as _;

use super::accounts::Status;
use super::calls::{CallDraft, CallStatus, Direction, Wanted};
use super::messages::{MessageDraft, MessageStatus};
use super::recordings::RecordPlan;
use super::twiml::{Dial, DialTarget, Room, Script, Verb};
use super::{Event, World, after, day_of, start_of, tariff};
use crate::amount::UNIT;
use crate::callbacks::Hook;
use crate::config::TrafficProfile;
use crate::rng::Rng;
use crate::usage::book::Cell;

/// Traffic that goes on.
#[derive(Clone)]
pub(crate) struct Traffic {
    pub(crate) profile: TrafficProfile,
}

const DAY_MS: u64 = 86_400_000;
/// The conference that calls join.
const CONFERENCE: &str = "Daily round";
const TEXTS: [&str; 4] = [
    "Your appointment is tomorrow at 10:00.",
    "Your parcel is on its way. Reply STOP to opt out.",
    "Danke f\u{fc}r Ihre Bestellung!",
    "Hello from the sim. This one is somewhat longer than a single segment allows, so that it counts as two: a reminder of your \
     booking, with the address, the time and what to bring along.",
];

impl World {
    /// Starts traffic, or replaces it; returns the numbers it uses.
    pub(crate) fn start_traffic(
        &mut self,
        at: Timestamp,
        account: usize,
        profile: TrafficProfile,
    ) -> Vec<String> {
        while self.accounts[account].numbers.len() < usize::try_from(profile.numbers).unwrap_or(0) {
            if self.buy_number(at, account, None, "US").is_none() {
                break;
            }
        }
        self.stop_traffic(account);
        let owner = &mut self.accounts[account];
        owner.traffic = Some(Traffic { profile });
        let generation = owner.generation;
        let numbers = owner
            .numbers
            .iter()
            .map(|number| self.numbers[*number].e164.clone())
            .collect();
        self.push(
            at,
            Event::TrafficDay {
                account,
                generation,
            },
        );
        numbers
    }

    /// Stops traffic: what was planned does not happen, what happens goes on.
    pub(crate) fn stop_traffic(&mut self, account: usize) {
        let owner = &mut self.accounts[account];
        owner.traffic = None;
        owner.generation += 1;
    }

    fn profile(&self, account: usize, generation: u32) -> Option<TrafficProfile> {
        let owner = &self.accounts[account];
        (owner.generation == generation).then(|| {
            owner
                .traffic
                .as_ref()
                .map(|traffic| traffic.profile.clone())
        })?
    }

    pub(super) fn plan_day(&mut self, at: Timestamp, account: usize, generation: u32) {
        let Some(profile) = self.profile(account, generation) else {
            return;
        };
        let day = day_of(at);
        let Ok(tomorrow) = day.checked_add(1.day()) else {
            return;
        };
        let next = start_of(tomorrow);
        let left = u64::try_from(next.duration_since(at).as_millis())
            .unwrap_or(DAY_MS)
            .min(DAY_MS);
        let mut rng = Rng::of(
            self.seed,
            &[
                b"day",
                self.accounts[account].sid.bytes(),
                &at.as_second().to_le_bytes(),
            ],
        );
        for _ in 0..times(&mut rng, profile.messages_per_day, left) {
            let offset = rng.below(left);
            self.push(
                after(at, offset),
                Event::TrafficMessage {
                    account,
                    generation,
                },
            );
        }
        for _ in 0..times(&mut rng, profile.calls_per_day, left) {
            let offset = rng.below(left);
            self.push(
                after(at, offset),
                Event::TrafficCall {
                    account,
                    generation,
                },
            );
        }
        if rng.strikes(self.quirks.unknown_category_per_mille) && self.may_start(account) {
            let price = 10_000 * i64::try_from(rng.within([100, 5000])).unwrap_or_default();
            let cell = Cell {
                count: 3,
                usage: 3 * UNIT,
                price,
            };
            self.book(
                after(at, rng.below(left)),
                account,
                day,
                "sim-unlisted-product",
                cell,
                &mut rng,
            );
        }
        self.push(
            next,
            Event::TrafficDay {
                account,
                generation,
            },
        );
    }

    pub(super) fn traffic_message(&mut self, at: Timestamp, account: usize, generation: u32) {
        let Some(profile) = self.profile(account, generation) else {
            return;
        };
        let mut rng = self.draw(account);
        let inbound = rng.strikes(profile.inbound_per_mille);
        let Some((own, other)) = self.ends(account, &profile, &mut rng) else {
            return;
        };
        let failed = profile.failed_per_mille;
        let outcome = match rng.below(1000) {
            drawn if drawn < failed => MessageStatus::Failed,
            drawn if drawn < failed.saturating_add(profile.undelivered_per_mille) => {
                MessageStatus::Undelivered
            }
            _ => MessageStatus::Delivered,
        };
        let (from, to) = if inbound { (other, own) } else { (own, other) };
        let body = rng.pick(&TEXTS).copied().unwrap_or_default().to_owned();
        let draft = MessageDraft {
            inbound,
            num_media: u32::from(rng.strikes(profile.mms_per_mille)),
            callback: profile.message_status_callback.filter(|_| !inbound),
            outcome,
            ..MessageDraft::new(from, to, body)
        };
        self.create_message(at, account, draft);
    }

    pub(super) fn traffic_call(&mut self, at: Timestamp, account: usize, generation: u32) {
        let Some(profile) = self.profile(account, generation) else {
            return;
        };
        let mut rng = self.draw(account);
        let inbound = rng.strikes(profile.inbound_per_mille);
        let Some((own, other)) = self.ends(account, &profile, &mut rng) else {
            return;
        };
        let outcome = match rng.below(1000) {
            drawn if drawn < profile.unanswered_per_mille && drawn % 2 == 0 => CallStatus::Busy,
            drawn if drawn < profile.unanswered_per_mille => CallStatus::NoAnswer,
            _ => CallStatus::Completed,
        };
        let (from, to, direction) = if inbound {
            (other, own, Direction::Inbound)
        } else {
            (own, other, Direction::OutboundApi)
        };
        let seconds = rng.within(profile.call_seconds);
        let recorded = rng.strikes(profile.recorded_per_mille);
        let draft = CallDraft {
            outcome,
            script: script(&profile, &mut rng),
            record: recorded.then(|| RecordPlan {
                is_fetched: !rng.strikes(profile.recordings_kept_per_mille),
                ..RecordPlan::from("OutboundAPI")
            }),
            hook: profile.call_status_callback.map(Hook::from),
            // A number's own StatusCallback tells only of the end.
            wanted: if inbound {
                Wanted::default()
            } else {
                Wanted::ALL
            },
            ..CallDraft::new(from, to, direction, seconds)
        };
        self.create_call(at, account, draft);
    }

    /// One of the account's numbers and someone's; `None` when the account may not start anything.
    fn ends(
        &self,
        account: usize,
        profile: &TrafficProfile,
        rng: &mut Rng,
    ) -> Option<(String, String)> {
        let owner = &self.accounts[account];
        if owner.status != Status::Active || !self.may_start(account) {
            return None;
        }
        let own = self.numbers[*rng.pick(&owner.numbers)?].e164.clone();
        Some((own, somebody(profile, rng)))
    }
}

/// A number in one of the countries that the traffic is with.
fn somebody(profile: &TrafficProfile, rng: &mut Rng) -> String {
    let iso = rng.pick(&profile.countries).map_or("US", String::as_str);
    tariff::draw_number(tariff::country(iso).unwrap_or(&tariff::COUNTRIES[0]), rng)
}

/// What a call does once it is answered.
fn script(profile: &TrafficProfile, rng: &mut Rng) -> Script {
    let legs = profile.child_legs_per_mille;
    let verb = match rng.below(1000) {
        drawn if drawn < legs => Verb::Dial(Box::new(Dial {
            targets: vec![DialTarget::plain(somebody(profile, rng))],
            ..Dial::default()
        })),
        drawn if drawn < legs.saturating_add(profile.conferences_per_mille) => {
            Verb::Conference(Box::new(Room::named(CONFERENCE.to_owned())))
        }
        _ => Verb::Talk,
    };
    Script {
        recorded: false,
        verb,
    }
}

/// How often something happens in what is left of a day: half to one and a half times as often as asked.
fn times(rng: &mut Rng, per_day: u32, left_ms: u64) -> u64 {
    let share = u64::from(per_day) * rng.within([500, 1500]) * left_ms / DAY_MS;
    share / 1000 + u64::from(rng.strikes(share % 1000))
}
