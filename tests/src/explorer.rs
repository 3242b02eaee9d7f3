//! The crash explorer: a function is stopped at each of its outgoing requests, before and after the
//! request's effect, then its work is delivered again and the invariants are checked.
//!
//! One undisturbed run says which requests there are; every schedule begins in a fresh world, which takes
//! the same way, because time and randomness come from a clock and a seed. "Stopped" means that from that
//! request on nothing of the function has an effect any more; what it still tries goes nowhere.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use local::aws::Fault;
use twilio_sim::{FaultAction, FaultRule, Sim};

use crate::World;

/// What happens at one outgoing request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// The function is stopped before the request has any effect.
    KilledBefore,
    /// The request has its effect; the function is stopped before it sees the answer.
    KilledAfter,
    /// This one request is lost; the function goes on.
    RequestLost,
    /// The request has its effect, its answer is lost; the function goes on.
    AnswerLost,
}

impl Disturbance {
    /// A process that dies.
    pub const KILLED: [Self; 2] = [Self::KilledBefore, Self::KilledAfter];
    /// A network that fails once.
    pub const LOST: [Self; 2] = [Self::RequestLost, Self::AnswerLost];

    fn has_effect(self) -> bool {
        matches!(self, Self::KilledAfter | Self::AnswerLost)
    }

    fn is_deadly(self) -> bool {
        matches!(self, Self::KilledBefore | Self::KilledAfter)
    }
}

/// What an exploration found.
#[derive(Debug)]
pub struct Exploration {
    /// Outgoing requests of the undisturbed run, in order.
    pub requests: Vec<String>,
    /// Schedules that were run.
    pub explored: usize,
    /// Violated invariants, each with its schedule.
    pub violations: Vec<String>,
}

impl Exploration {
    /// Asserts that every request was disturbed in both ways and that every invariant held.
    #[track_caller]
    pub fn assert_sound(&self) {
        assert!(!self.requests.is_empty(), "nothing was asked");
        assert_eq!(self.explored, 2 * self.requests.len());
        assert!(self.violations.is_empty(), "{:#?}", self.violations);
    }
}

/// The place of a request among those of its kind, from 1.
#[derive(Debug, Clone, Copy)]
enum Place {
    Aws(u64),
    Twilio(u64),
}

/// Runs every schedule of a function.
///
/// `run` starts the function once, and must make no other function ask Twilio: the simulator cannot tell
/// them apart. `redeliver` lets pass and repeats what the real world would; `check` names what is wrong
/// then. All get the value that `make_world` returned with its world.
pub async fn explore<T>(
    name: &str,
    function: &str,
    disturbances: [Disturbance; 2],
    make_world: impl AsyncFn() -> (World, T),
    run: impl AsyncFn(&World, &T),
    redeliver: impl AsyncFn(&World, &T),
    check: impl AsyncFn(&World, &T) -> Vec<String>,
) -> Exploration {
    let (world, context) = make_world().await;
    let watch = Watch::start(&world, function);
    run(&world, &context).await;
    let places = watch.stop(&world);
    let mut exploration = Exploration {
        requests: places.iter().map(|(_, label)| label.clone()).collect(),
        explored: 0,
        violations: Vec::new(),
    };
    redeliver(&world, &context).await;
    for violation in check(&world, &context).await {
        exploration
            .violations
            .push(format!("{name}, undisturbed: {violation}"));
    }
    drop(world);
    for (index, (place, label)) in places.iter().enumerate() {
        for disturbance in disturbances {
            let (world, context) = make_world().await;
            disturb(&world, function, *place, disturbance);
            run(&world, &context).await;
            heal(&world);
            redeliver(&world, &context).await;
            exploration.explored += 1;
            for violation in check(&world, &context).await {
                exploration.violations.push(format!(
                    "{name}, {disturbance:?} at request {} ({label}): {violation}",
                    index + 1
                ));
            }
        }
    }
    report(name, &exploration);
    exploration
}

#[expect(clippy::print_stdout, reason = "the numbers are the result")]
fn report(name: &str, exploration: &Exploration) {
    let mut lines = format!(
        "{name}: schedules explored: {}, violations: {}",
        exploration.explored,
        exploration.violations.len()
    );
    for violation in &exploration.violations {
        write!(lines, "\n  {violation}").expect("a String takes every write");
    }
    println!("{lines}");
}

/// Counts a function's requests without touching them.
struct Watch {
    /// Each AWS call with the number of Twilio requests before it.
    calls: Arc<Mutex<Vec<(String, u64)>>>,
    twilio_before: u64,
}

fn asked(sim: &Sim) -> u64 {
    sim.counters().requests
}

fn caller_of(function: &str) -> String {
    format!("tollgate-{function}")
}

impl Watch {
    fn start(world: &World, function: &str) -> Self {
        let calls: Arc<Mutex<Vec<(String, u64)>>> = Arc::default();
        let (seen, sim, caller) = (calls.clone(), world.stack.sim.clone(), caller_of(function));
        world.stack.aws.set_fault_hook(Some(Arc::new(move |call| {
            if call.caller == caller {
                let label = format!("{} {}", call.operation, call.resources.join("+"));
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.push((label, asked(&sim)));
            }
            Fault::None
        })));
        Self {
            calls,
            twilio_before: asked(&world.stack.sim),
        }
    }

    fn stop(self, world: &World) -> Vec<(Place, String)> {
        world.stack.aws.set_fault_hook(None);
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let log = world.stack.sim.requests();
        let made =
            usize::try_from(asked(&world.stack.sim) - self.twilio_before).expect("a small number");
        let mut twilio = (1..).zip(&log[log.len() - made..]).map(|(place, request)| {
            let path = request.path.split('?').next().unwrap_or_default();
            (Place::Twilio(place), format!("{} {path}", request.method))
        });
        let mut places = Vec::new();
        let mut done = self.twilio_before;
        for (place, (label, before)) in (1..).zip(calls.iter()) {
            while done < *before {
                places.extend(twilio.next());
                done += 1;
            }
            places.push((Place::Aws(place), label.clone()));
        }
        places.extend(twilio);
        places
    }
}

/// Arms one disturbance.
fn disturb(world: &World, function: &str, place: Place, disturbance: Disturbance) {
    if let Place::Twilio(nth) = place {
        strike(&world.stack.sim, nth, 1, disturbance.has_effect());
        if disturbance.is_deadly() {
            strike(&world.stack.sim, nth + 1, 0, false);
        }
    }
    let (sim, caller) = (world.stack.sim.clone(), caller_of(function));
    let twilio_before = asked(&sim);
    let state = Mutex::new((0_u64, false));
    world.stack.aws.set_fault_hook(Some(Arc::new(move |call| {
        if call.caller != caller {
            return Fault::None;
        }
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        let is_dead = state.1
            || matches!(place, Place::Twilio(nth)
                if disturbance.is_deadly() && asked(&sim) - twilio_before >= nth);
        if is_dead {
            return Fault::DropBefore;
        }
        if !matches!(place, Place::Aws(nth) if nth == state.0) {
            return Fault::None;
        }
        if disturbance.is_deadly() {
            state.1 = true;
            strike(&sim, 1, 0, false);
        }
        if disturbance.has_effect() {
            Fault::DropAfter
        } else {
            Fault::DropBefore
        }
    })));
}

/// Drops `count` requests to Twilio from the `nth` from now on; 0 is all.
fn strike(sim: &Sim, nth: u64, count: u64, after_effect: bool) {
    sim.script_fault(FaultRule {
        method: None,
        path: "*".to_owned(),
        nth,
        count,
        action: FaultAction::Drop { after_effect },
    });
}

/// Everything works again.
fn heal(world: &World) {
    world.stack.aws.set_fault_hook(None);
    world.stack.sim.clear_faults();
}
