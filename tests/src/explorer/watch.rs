//! Who stands at the way out: counts a function's requests and disturbs those that the schedule names.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use jiff::SignedDuration;
use local::passage::{Fate, Passage};
use twilio_sim::clock::VirtualClock;

use super::schedule::{Point, fate_of};

/// A connection is given up before this, and what it carried lands soon after.
const LANDS_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The requests of one function, as they come.
#[derive(Clone)]
pub(super) struct Watch {
    caller: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Watch {
    pub(super) fn new(function: &str) -> Self {
        Self {
            caller: format!("tollgate-{function}"),
            seen: Arc::default(),
        }
    }

    /// Disturbs the requests from now on, counted from 1. What is late has its effect just before the first
    /// disturbed one if `lands`, and before the next request once the clock has moved on for a minute.
    pub(super) fn disturb(
        &self,
        passage: &Passage,
        clock: &VirtualClock,
        points: &[Point],
        lands: bool,
    ) {
        let (watch, points, way, clock) = (
            self.clone(),
            points.to_vec(),
            passage.clone(),
            clock.clone(),
        );
        let first = points.iter().map(|point| point.request).min();
        let held_at = Mutex::new(lands.then(|| clock.now()));
        passage.watch(Some(Arc::new(move |caller, what| {
            let number = watch.count(caller, what);
            let fate = if number == 0 {
                Fate::Through
            } else {
                fate_of(&points, number)
            };
            let mut held_at = held_at.lock().unwrap_or_else(PoisonError::into_inner);
            let is_old = held_at.is_some_and(|at| clock.now().duration_since(at) > LANDS_AFTER);
            let is_first = lands && number > 0 && first == Some(number);
            if is_old {
                *held_at = None;
            }
            if fate == Fate::Late {
                *held_at = Some(clock.now());
            }
            let lands_now = (is_old || is_first).then(|| way.clone());
            async move {
                if let Some(way) = lands_now {
                    way.land().await;
                }
                fate
            }
            .boxed()
        })));
    }

    /// The requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.seen().clone()
    }

    /// The number of a request; 0 if it is another function's.
    fn count(&self, caller: &str, what: String) -> usize {
        if caller != self.caller {
            return 0;
        }
        let mut seen = self.seen();
        seen.push(what);
        seen.len()
    }

    fn seen(&self) -> MutexGuard<'_, Vec<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
