//! What happens at which request: written so that a line can be given back and played again.

use std::fmt;
use std::str::FromStr;

use local::passage::Fate;

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
    /// The connection breaks, the function goes on, and the request has its effect much later.
    LandsLater,
}

impl Disturbance {
    /// A process that dies.
    pub const KILLED: [Self; 2] = [Self::KilledBefore, Self::KilledAfter];
    /// A network that fails once.
    pub const LOST: [Self; 2] = [Self::RequestLost, Self::AnswerLost];
    /// Everything.
    pub const ALL: [Self; 5] = [
        Self::KilledBefore,
        Self::KilledAfter,
        Self::RequestLost,
        Self::AnswerLost,
        Self::LandsLater,
    ];

    fn fate(self) -> Fate {
        match self {
            Self::KilledBefore => Fate::KilledBefore,
            Self::KilledAfter => Fate::KilledAfter,
            Self::RequestLost => Fate::Lost,
            Self::AnswerLost => Fate::Unanswered,
            Self::LandsLater => Fate::Late,
        }
    }
}

/// A disturbance and its request, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) disturbance: Disturbance,
    pub(super) request: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.disturbance, self.request)
    }
}

impl FromStr for Point {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, request) = text.split_once(':').ok_or(())?;
        let mut all = Disturbance::ALL.into_iter();
        let disturbance = all.find(|one| format!("{one:?}") == name).ok_or(())?;
        let request = request.parse().map_err(|_| ())?;
        Ok(Self {
            disturbance,
            request,
        })
    }
}

/// Disturbances of the run and of what is delivered after it: `KilledAfter:17`, `RequestLost:3+KilledBefore:5`
/// both in the run, `KilledAfter:17/AnswerLost:2` with the second in the redelivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Schedule {
    pub(super) run: Vec<Point>,
    pub(super) redelivery: Option<Point>,
}

impl Schedule {
    pub(super) fn of(point: Point) -> Self {
        Self {
            run: vec![point],
            redelivery: None,
        }
    }

    /// Whether the late request lands in the middle of the redelivery: at its disturbed request.
    pub(super) fn lands_in_redelivery(&self) -> bool {
        let is_late = |point: &Point| point.disturbance == Disturbance::LandsLater;
        self.redelivery.is_some() && self.run.iter().any(is_late)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, point) in self.run.iter().enumerate() {
            write!(f, "{}{point}", if index == 0 { "" } else { "+" })?;
        }
        match self.redelivery {
            Some(point) => write!(f, "/{point}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Schedule {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (run, redelivery) = match text.split_once('/') {
            Some((run, redelivery)) => (run, Some(redelivery.parse()?)),
            None => (text, None),
        };
        let run = run.split('+').filter(|point| !point.is_empty());
        Ok(Self {
            run: run.map(str::parse).collect::<Result<_, _>>()?,
            redelivery,
        })
    }
}

/// What becomes of the request with this number.
pub(super) fn fate_of(points: &[Point], request: usize) -> Fate {
    let mut struck = points.iter().filter(|point| point.request == request);
    struck
        .next()
        .map_or(Fate::Through, |point| point.disturbance.fate())
}

/// A small seeded generator (SplitMix64): the same sample every time.
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which must not be 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let drawn = (mixed ^ (mixed >> 31)) % u64::try_from(bound).expect("it fits");
        usize::try_from(drawn).expect("it fits")
    }

    /// `count` of the numbers below `bound`, or all of them, in order.
    pub(super) fn sample(&mut self, count: usize, bound: usize) -> Vec<usize> {
        if count >= bound {
            return (0..bound).collect();
        }
        let mut drawn = std::collections::BTreeSet::new();
        while drawn.len() < count {
            drawn.insert(self.below(bound));
        }
        drawn.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_that_was_printed_is_read_again() {
        for text in [
            "KilledAfter:17",
            "RequestLost:3+KilledBefore:5",
            "LandsLater:1/AnswerLost:2",
        ] {
            let schedule: Schedule = text.parse().unwrap();
            assert_eq!(schedule.to_string(), text);
        }
        for wrong in [
            "KilledAfter",
            "Killed:3",
            "KilledAfter:x",
            "/",
            "LandsLater:1/",
        ] {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_sample_is_the_same_each_time_and_has_nothing_twice() {
        let one = Draw::new(7).sample(50, 90);
        assert_eq!(one, Draw::new(7).sample(50, 90));
        assert!(one.len() == 50 && one.is_sorted_by(|a, b| a < b) && one[49] < 90);
        assert_eq!(Draw::new(7).sample(5, 3), [0, 1, 2]);
    }
}
