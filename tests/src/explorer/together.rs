//! Two deliveries at once, each in instances of its own: every request waits until it is let go, so that one
//! order after the other is tried.
//!
//! An order says who begins and after how many requests the other goes on: `A3B5` is three of A, five of B,
//! then A to its end, then B. `mixed:17` is drawn from a seed.

use std::collections::VecDeque;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use local::passage::{Fate, Passage, as_delivery, delivery};
use tokio::sync::oneshot;

use super::report::{Exploration, Wanted, text_of};
use super::schedule::Draw;
use crate::{Beginning, World};

/// Orders that one exploration tries at most; a sample by seed if there are more.
const ORDERS_MAX: usize = 400;
/// Orders drawn at random beside them.
const MIXED: usize = 100;
/// Turns of the executor without news after which everybody who could go on has.
const QUIET_TURNS: usize = 40;
/// Turns without news after which two deliveries wait for each other.
const STUCK_TURNS: usize = 100_000;
/// Where samples begin.
const SEED: u64 = 20_260_302;

/// In which order the requests of two deliveries are let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// So many requests of the first, so many of the other, the rest of the first, the rest of the other.
    Switched { first: usize, counts: [usize; 2] },
    /// Whose turn it is is drawn each time.
    Mixed(u64),
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switched { first: 0, counts } => write!(f, "A{}B{}", counts[0], counts[1]),
            Self::Switched { counts, .. } => write!(f, "B{}A{}", counts[0], counts[1]),
            Self::Mixed(seed) => write!(f, "mixed:{seed}"),
        }
    }
}

impl FromStr for Order {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(seed) = text.strip_prefix("mixed:") {
            return seed.parse().map(Self::Mixed).map_err(|_| ());
        }
        let (first, rest) = match text.split_at_checked(1).ok_or(())? {
            ("A", rest) => (0, rest.split_once('B')),
            ("B", rest) => (1, rest.split_once('A')),
            _ => return Err(()),
        };
        let (one, two) = rest.ok_or(())?;
        let read = |text: &str| text.parse().map_err(|_| ());
        let counts = [read(one)?, read(two)?];
        Ok(Self::Switched { first, counts })
    }
}

/// Who waits at the way out.
#[derive(Default)]
struct Gate {
    waiting: [VecDeque<oneshot::Sender<()>>; 2],
    ended: [bool; 2],
    /// Requests that were let go, by delivery.
    passed: [Vec<String>; 2],
    /// Counts whatever happens.
    news: usize,
}

/// Runs two deliveries in many orders of their requests.
///
/// `one` and `two` deliver; neither may wait for a queue. Then `redeliver` and `check` as ever.
pub async fn explore_together<T>(
    name: &str,
    make_world: impl AsyncFn() -> (World, T),
    one: impl AsyncFn(&World, &T),
    two: impl AsyncFn(&World, &T),
    redeliver: impl AsyncFn(&World, &T),
    check: impl AsyncFn(&World, &T) -> Vec<String>,
) -> Exploration {
    let (world, context) = make_world().await;
    world.go_in_memory();
    let begin = world.beginning();
    let pair = Pair {
        world: &world,
        context: &context,
        begin: &begin,
        one,
        two,
        redeliver,
        check,
    };
    let mut found = Exploration::new(name);
    let whole = |first| Order::Switched {
        first,
        counts: [usize::MAX; 2],
    };
    let mut lengths = Vec::new();
    for first in [0, 1] {
        let (passed, violations) = Box::pin(pair.play(whole(first))).await;
        found.add(
            if first == 0 { "A, then B" } else { "B, then A" },
            &violations,
        );
        lengths.push([passed[first].len(), passed[1 - first].len()]);
        if first == 0 {
            found.requests = passed.concat();
        }
    }
    match Wanted::of(name) {
        Wanted::One(order) => {
            let order: Order = order.parse().expect("an order as it was printed");
            let (passed, violations) = Box::pin(pair.play(order)).await;
            found.replayed(&order, &passed.concat(), &violations);
        }
        Wanted::Nothing => found.is_partial = true,
        Wanted::Everything { all_pairs } => {
            let mut orders = Vec::new();
            for first in [0, 1] {
                let [own, other] = lengths[first];
                orders.extend((1..=own).flat_map(|one| {
                    (1..=other).map(move |two| Order::Switched {
                        first,
                        counts: [one, two],
                    })
                }));
            }
            let count = if all_pairs { usize::MAX } else { ORDERS_MAX };
            let sample = Draw::new(SEED).sample(count, orders.len());
            let mixed = (1..).take(MIXED).map(Order::Mixed);
            let orders: Vec<Order> = sample
                .into_iter()
                .map(|at| orders[at])
                .chain(mixed)
                .collect();
            found.expected = orders.len();
            for order in orders {
                let (_, violations) = Box::pin(pair.play(order)).await;
                found.played(&order, &violations);
            }
        }
    }
    found.print();
    found
}

struct Pair<'a, T, A, B, D, C> {
    world: &'a World,
    context: &'a T,
    begin: &'a Beginning,
    one: A,
    two: B,
    redeliver: D,
    check: C,
}

impl<T, A, B, D, C> Pair<'_, T, A, B, D, C>
where
    A: AsyncFn(&World, &T),
    B: AsyncFn(&World, &T),
    D: AsyncFn(&World, &T),
    C: AsyncFn(&World, &T) -> Vec<String>,
{
    /// Plays one order; the requests of each, and what is wrong.
    async fn play(&self, order: Order) -> ([Vec<String>; 2], Vec<String>) {
        let gate: Arc<Mutex<Gate>> = Arc::default();
        let work = Box::pin(self.violations(order, &gate));
        let violations = AssertUnwindSafe(work).catch_unwind().await;
        let violations =
            violations.unwrap_or_else(|panic| vec![format!("panicked: {}", text_of(&*panic))]);
        let passed = lock(&gate).passed.clone();
        (passed, violations)
    }

    async fn violations(&self, order: Order, gate: &Arc<Mutex<Gate>>) -> Vec<String> {
        let (world, context) = (self.world, self.context);
        let passage = world.stack.aws.passage();
        world.begin_again(self.begin);
        close(passage, gate);
        let one = async {
            as_delivery(0, (self.one)(world, context)).await;
            end(gate, 0);
        };
        let two = async {
            as_delivery(1, (self.two)(world, context)).await;
            end(gate, 1);
        };
        tokio::join!(one, two, conduct(order, gate));
        passage.watch(None);
        (self.redeliver)(world, context).await;
        (self.check)(world, context).await
    }
}

fn lock(gate: &Mutex<Gate>) -> MutexGuard<'_, Gate> {
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets every request of a delivery wait.
fn close(passage: &Passage, gate: &Arc<Mutex<Gate>>) {
    let gate = gate.clone();
    passage.watch(Some(Arc::new(move |_, what| {
        let Some(number) = delivery() else {
            return async { Fate::Through }.boxed();
        };
        let (go, going) = oneshot::channel();
        let mut gate = lock(&gate);
        gate.waiting[number].push_back(go);
        gate.passed[number].push(what);
        gate.news += 1;
        async move {
            // A gate that is gone holds nobody.
            going.await.ok();
            Fate::Through
        }
        .boxed()
    })));
}

fn end(gate: &Mutex<Gate>, number: usize) {
    let mut gate = lock(gate);
    gate.ended[number] = true;
    gate.news += 1;
}

/// Lets one request go after the other, as the order says.
async fn conduct(order: Order, gate: &Mutex<Gate>) {
    let mut draw = match order {
        Order::Mixed(seed) => Draw::new(seed),
        Order::Switched { .. } => Draw::new(0),
    };
    let mut let_go = [0, 0];
    loop {
        let ready = still(gate).await;
        let Some(ready) = ready else { return };
        let wished = match order {
            Order::Mixed(_) => draw.below(2),
            Order::Switched { first, counts } => {
                if let_go[first] < counts[0] {
                    first
                } else if let_go[1 - first] < counts[1] {
                    1 - first
                } else {
                    first
                }
            }
        };
        // Whoever has ended, or waits for the other, leaves the turn to the other.
        let number = if ready[wished] { wished } else { 1 - wished };
        let_go[number] += 1;
        let mut gate = lock(gate);
        gate.news += 1;
        if let Some(go) = gate.waiting[number].pop_front() {
            // Nobody waits any more: its invocation has ended.
            go.send(()).ok();
        }
    }
}

/// Waits until nobody moves by himself; who has a request waiting, or nothing when both have ended.
async fn still(gate: &Mutex<Gate>) -> Option<[bool; 2]> {
    let (mut quiet, mut turns, mut news) = (0, 0, lock(gate).news);
    loop {
        tokio::task::yield_now().await;
        turns += 1;
        let gate = lock(gate);
        if gate.ended == [true, true] {
            return None;
        }
        quiet = if gate.news == news { quiet + 1 } else { 0 };
        news = gate.news;
        let ready = [0, 1].map(|number| !gate.waiting[number].is_empty());
        if quiet >= QUIET_TURNS && ready != [false, false] {
            return Some(ready);
        }
        assert!(turns < STUCK_TURNS, "two deliveries wait for each other");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_was_printed_is_read_again() {
        for text in ["A3B5", "B12A1", "mixed:17"] {
            assert_eq!(text.parse::<Order>().unwrap().to_string(), text);
        }
        for wrong in ["", "A3", "C1D2", "A3A4", "mixed:x"] {
            assert!(wrong.parse::<Order>().is_err(), "{wrong:?}");
        }
    }
}
