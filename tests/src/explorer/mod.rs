//! The crash explorer: each outgoing request of a function is disturbed in each way that the world has, its
//! work is delivered again, and the invariants are checked.
//!
//! One undisturbed run says which requests there are. Every schedule begins in the same world, taken back to
//! the moment before, and takes the same way, because time and randomness come from a clock and a seed. A
//! function that is killed is dropped at that request with all that it remembered; the next event finds a
//! new instance. No request takes a socket.

mod report;
mod schedule;
mod together;
mod watch;

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;

use crate::{Beginning, World};
use report::{Wanted, text_of};
use schedule::{Draw, Point, Schedule};
use watch::Watch;

pub use report::Exploration;
pub use schedule::Disturbance;
pub use together::explore_together;

/// Pairs of disturbances that an exploration of all kinds samples. `TOLLGATE_EXPLORE_ALL_PAIRS=1` takes all.
pub const PAIRS: usize = 650;
/// Where the sample begins.
const SEED: u64 = 20_260_301;

/// Runs every schedule of a function with one disturbance, and a sample of those with two.
///
/// `run` delivers the function's work. `redeliver` lets pass and repeats what the real world would; `check`
/// names what is wrong then. All get the value that `make_world` returned with its world, for each schedule
/// the same one. Two disturbances are sampled when all kinds are asked for.
pub async fn explore<T, const N: usize>(
    name: &str,
    function: &str,
    disturbances: [Disturbance; N],
    make_world: impl AsyncFn() -> (World, T),
    run: impl AsyncFn(&World, &T),
    redeliver: impl AsyncFn(&World, &T),
    check: impl AsyncFn(&World, &T) -> Vec<String>,
) -> Exploration {
    let pairs = if N == Disturbance::ALL.len() {
        PAIRS
    } else {
        0
    };
    let saga = Saga {
        name,
        function,
        disturbances: &disturbances,
        pairs,
    };
    Box::pin(explore_saga(saga, make_world, run, redeliver, check)).await
}

/// As [`explore`] in all five ways, without pairs: for stories whose redelivery cannot be disturbed itself.
pub async fn explore_singles<T>(
    name: &str,
    function: &str,
    make_world: impl AsyncFn() -> (World, T),
    run: impl AsyncFn(&World, &T),
    redeliver: impl AsyncFn(&World, &T),
    check: impl AsyncFn(&World, &T) -> Vec<String>,
) -> Exploration {
    let saga = Saga {
        name,
        function,
        disturbances: &Disturbance::ALL,
        pairs: 0,
    };
    Box::pin(explore_saga(saga, make_world, run, redeliver, check)).await
}

/// What is explored.
#[derive(Debug, Clone, Copy)]
pub struct Saga<'a> {
    /// What its lines are called.
    pub name: &'a str,
    /// The function whose requests are disturbed.
    pub function: &'a str,
    /// How each is.
    pub disturbances: &'a [Disturbance],
    /// How many schedules with two disturbances are sampled.
    pub pairs: usize,
}

/// As [`explore`], with as many pairs as the saga says.
pub async fn explore_saga<T>(
    saga: Saga<'_>,
    make_world: impl AsyncFn() -> (World, T),
    run: impl AsyncFn(&World, &T),
    redeliver: impl AsyncFn(&World, &T),
    check: impl AsyncFn(&World, &T) -> Vec<String>,
) -> Exploration {
    let (name, function) = (saga.name, saga.function);
    let (world, context) = make_world().await;
    world.go_in_memory();
    let begin = world.beginning();
    let explorer = Explorer {
        function,
        world: &world,
        context: &context,
        begin: &begin,
        run,
        redeliver,
        check,
    };
    let mut found = Exploration::new(name);
    let undisturbed = Box::pin(explorer.play(&Schedule::default())).await;
    found.requests.clone_from(&undisturbed.run);
    found.add("undisturbed", &undisturbed.violations);
    let again = Box::pin(explorer.play(&Schedule::default())).await;
    if again.run != undisturbed.run {
        let what = format!("another way when it begins again: {:?}", again.run);
        found.add("undisturbed", &[what]);
    }
    match Wanted::of(name) {
        Wanted::One(schedule) => {
            let schedule = schedule.parse().expect("a schedule as it was printed");
            let played = Box::pin(explorer.play(&schedule)).await;
            found.replayed(&schedule, &played.run, &played.violations);
        }
        Wanted::Nothing => found.is_partial = true,
        Wanted::Everything { all_pairs } => {
            let singles = Box::pin(explorer.singles(saga.disturbances, &mut found)).await;
            let all_pairs = all_pairs && saga.pairs > 0;
            let count = if all_pairs { usize::MAX } else { saga.pairs };
            Box::pin(explorer.pairs(&singles, count, &mut found)).await;
        }
    }
    found.print();
    found
}

/// What became of one schedule.
struct Played {
    /// The function's requests in the run, in order.
    run: Vec<String>,
    /// How many it made in the redelivery.
    redelivery: usize,
    violations: Vec<String>,
}

struct Explorer<'a, T, R, D, C> {
    function: &'a str,
    world: &'a World,
    context: &'a T,
    begin: &'a Beginning,
    run: R,
    redeliver: D,
    check: C,
}

impl<T, R, D, C> Explorer<'_, T, R, D, C>
where
    R: AsyncFn(&World, &T),
    D: AsyncFn(&World, &T),
    C: AsyncFn(&World, &T) -> Vec<String>,
{
    /// Every disturbance at every request; what each left, for the pairs.
    async fn singles(
        &self,
        disturbances: &[Disturbance],
        found: &mut Exploration,
    ) -> Vec<(Point, Played)> {
        let mut singles = Vec::new();
        for request in 1..=found.requests.len() {
            for disturbance in disturbances {
                let point = Point {
                    disturbance: *disturbance,
                    request,
                };
                let schedule = Schedule::of(point);
                let played = Box::pin(self.play(&schedule)).await;
                found.played(&schedule, &played.violations);
                singles.push((point, played));
            }
        }
        found.expected += found.requests.len() * disturbances.len();
        singles
    }

    /// A sample of all schedules with a second disturbance: later in the run, or in the redelivery.
    async fn pairs(&self, singles: &[(Point, Played)], count: usize, found: &mut Exploration) {
        let kinds = Disturbance::ALL.len();
        let seconds = |(point, played): &(Point, Played)| {
            kinds * (played.run.len() - point.request.min(played.run.len()) + played.redelivery)
        };
        let all: usize = singles.iter().map(seconds).sum();
        let sample = Draw::new(SEED).sample(count, all);
        found.expected += sample.len();
        let (mut singles, mut before) = (singles.iter(), 0);
        let mut single = singles.next();
        for number in sample {
            while let Some(one) = single
                && number >= before + seconds(one)
            {
                before += seconds(one);
                single = singles.next();
            }
            let (first, played) = single.expect("the sample is of them");
            let (place, kind) = ((number - before) / kinds, (number - before) % kinds);
            let later = played.run.len() - first.request.min(played.run.len());
            let mut schedule = Schedule::of(*first);
            let mut second = Point {
                disturbance: Disturbance::ALL[kind],
                request: first.request + 1 + place,
            };
            if place < later {
                schedule.run.push(second);
            } else {
                second.request = place - later + 1;
                schedule.redelivery = Some(second);
            }
            let played = Box::pin(self.play(&schedule)).await;
            found.played(&schedule, &played.violations);
        }
    }

    /// Plays one schedule from the beginning. A panic is a violation like others.
    async fn play(&self, schedule: &Schedule) -> Played {
        let (in_run, in_redelivery) = (Watch::new(self.function), Watch::new(self.function));
        let work = Box::pin(self.violations(schedule, &in_run, &in_redelivery));
        let violations = AssertUnwindSafe(work).catch_unwind().await;
        let mut violations =
            violations.unwrap_or_else(|panic| vec![format!("panicked: {}", text_of(&*panic))]);
        let (run, redelivery) = (in_run.requests(), in_redelivery.requests());
        let last = schedule.run.iter().map(|point| point.request).max();
        let second = schedule.redelivery.map(|point| point.request);
        // Where a late request lands in the redelivery, that goes another way than the one it was drawn from.
        let second = second.filter(|_| !schedule.lands_in_redelivery());
        if last.unwrap_or(0) > run.len() || second.unwrap_or(0) > redelivery.len() {
            violations.push(format!("never came so far: {run:?}, {redelivery:?}"));
        }
        Played {
            run,
            redelivery: redelivery.len(),
            violations,
        }
    }

    async fn violations(
        &self,
        schedule: &Schedule,
        in_run: &Watch,
        in_redelivery: &Watch,
    ) -> Vec<String> {
        let (world, context) = (self.world, self.context);
        let (passage, clock) = (world.stack.aws.passage(), &world.stack.clock);
        world.begin_again(self.begin);
        in_run.disturb(passage, clock, &schedule.run, false);
        (self.run)(world, context).await;
        let lands_later = schedule.lands_in_redelivery();
        if !lands_later {
            passage.watch(None);
            passage.land().await;
        }
        in_redelivery.disturb(passage, clock, schedule.redelivery.as_slice(), lands_later);
        (self.redeliver)(world, context).await;
        passage.watch(None);
        if schedule.redelivery.is_some() {
            // It was disturbed too, so everything comes once more.
            passage.land().await;
            (self.redeliver)(world, context).await;
        }
        (self.check)(world, context).await
    }
}
