//! One clock for everything that pretends to be outside: it can stand still, jump and run.
//!
//! It never goes backwards, unless its whole world begins again. A manual or frozen clock moves only when someone moves it; a sleeper on
//! such a clock moves it himself, so that back-off and waiting cost no real time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

/// Reads the time.
pub type NowFn = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Waits for a duration.
pub type SleepFn = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// The shared clock; clones are the same clock.
#[derive(Clone)]
pub struct VirtualClock {
    inner: Arc<Inner>,
}

struct Inner {
    face: Mutex<Face>,
    changes: watch::Sender<Timestamp>,
}

struct Face {
    shown: Timestamp,
    /// Since when it runs from `shown`; `None` while it stands still.
    running_since: Option<Instant>,
    /// Its seconds in one of the machine's, while it runs.
    speed: u32,
}

impl Face {
    fn now(&self) -> Timestamp {
        match self.running_since {
            None => self.shown,
            Some(since) => {
                let real = monotonic_now().saturating_duration_since(since);
                later(self.shown, real.saturating_mul(self.speed))
            }
        }
    }

    fn set(&mut self, now: Timestamp) {
        self.shown = now;
        if self.running_since.is_some() {
            self.running_since = Some(monotonic_now());
        }
    }
}

impl VirtualClock {
    /// A clock that shows `start` until it is moved.
    pub fn manual(start: Timestamp) -> Self {
        Self::with(Face {
            shown: start,
            running_since: None,
            speed: 1,
        })
    }

    /// A clock that starts at the machine's time and runs.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where simulated time starts from real time"
    )]
    pub fn real() -> Self {
        Self::with(Face {
            shown: Timestamp::now(),
            running_since: Some(Instant::now()),
            speed: 1,
        })
    }

    fn with(face: Face) -> Self {
        let changes = watch::Sender::new(face.shown);
        Self {
            inner: Arc::new(Inner {
                face: Mutex::new(face),
                changes,
            }),
        }
    }

    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        self.face().now()
    }

    /// Whether it moves by itself.
    pub fn is_running(&self) -> bool {
        self.face().running_since.is_some()
    }

    /// Moves forward to `to`; an earlier moment changes nothing.
    pub fn advance_to(&self, to: Timestamp) {
        self.change(|face| {
            let now = face.now();
            face.set(now.max(to));
        });
    }

    /// Moves forward by `by`.
    pub fn advance(&self, by: Duration) {
        self.change(|face| {
            let to = later(face.now(), by);
            face.set(to);
        });
    }

    /// Shows `at` from now on, also an earlier moment: only for a world that begins again.
    pub fn begin_again_at(&self, at: Timestamp) {
        self.change(|face| face.set(at));
    }

    /// Stops it where it is.
    pub fn freeze(&self) {
        self.change(|face| {
            face.shown = face.now();
            face.running_since = None;
        });
    }

    /// Lets it run from where it is.
    pub fn resume(&self) {
        self.change(|face| {
            if face.running_since.is_none() {
                face.running_since = Some(monotonic_now());
            }
        });
    }

    /// How many of its seconds pass in one of the machine's, while it runs.
    pub fn speed(&self) -> u32 {
        self.face().speed
    }

    /// Lets it run so many times as fast as the machine's clock; 0 counts as 1.
    pub fn set_speed(&self, speed: u32) {
        self.change(|face| {
            face.set(face.now());
            face.speed = speed.max(1);
        });
    }

    /// What a span of its time is on the machine's clock, while it runs.
    pub(crate) fn real_span(&self, span: Duration) -> Duration {
        span / self.speed()
    }

    /// Waits for `duration` of this clock's time. On a standing clock the sleeper moves it and goes on.
    pub async fn sleep(&self, duration: Duration) {
        let until = later(self.now(), duration);
        let mut moved = self.subscribe();
        if !self.is_running() {
            self.advance_to(until);
            tokio::task::yield_now().await;
            return;
        }
        loop {
            let now = self.now();
            if now >= until {
                return;
            }
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            tokio::select! {
                () = real_sleep(self.real_span(left)), if self.is_running() => {}
                changed = moved.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// `now` as the closure that our crates take.
    pub fn now_fn(&self) -> NowFn {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }

    /// `sleep` as the closure that our crates take.
    pub fn sleep_fn(&self) -> SleepFn {
        let clock = self.clone();
        Arc::new(move |duration| {
            let clock = clock.clone();
            async move { clock.sleep(duration).await }.boxed()
        })
    }

    /// Tells of every change made by hand (not of the running seconds).
    pub fn subscribe(&self) -> watch::Receiver<Timestamp> {
        self.inner.changes.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Face)) {
        let now = {
            let mut face = self.face();
            change(&mut face);
            face.now()
        };
        self.inner.changes.send_replace(now);
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        self.inner
            .face
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VirtualClock({})", self.now())
    }
}

fn later(from: Timestamp, by: Duration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a running clock is the machine's own"
)]
fn monotonic_now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a running clock is the machine's own"
)]
async fn real_sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_standing_clock_is_moved_by_its_sleeper_and_never_goes_back() {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let clock = VirtualClock::manual(start);
        clock.sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now().to_string(), "2026-03-01T00:01:30Z");
        clock.advance_to(start);
        assert_eq!(clock.now().to_string(), "2026-03-01T00:01:30Z");
        clock.advance(Duration::from_secs(1));
        assert_eq!((clock.now_fn())().to_string(), "2026-03-01T00:01:31Z");
    }

    #[tokio::test]
    async fn a_running_clock_wakes_its_sleeper_when_it_is_advanced() {
        let clock = VirtualClock::real();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_hours(1)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_hours(2));
        sleeper.await.unwrap();
    }

    #[test]
    fn a_faster_clock_goes_on_from_where_it_is() {
        let clock = VirtualClock::manual("2026-03-01T00:00:00Z".parse().unwrap());
        clock.set_speed(3600);
        assert_eq!(clock.now().to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(
            clock.real_span(Duration::from_hours(2)),
            Duration::from_secs(2)
        );
        clock.resume();
        assert!(clock.now() >= "2026-03-01T00:00:00Z".parse().unwrap());
        clock.freeze();
        let shown = clock.now();
        clock.set_speed(0);
        assert_eq!((clock.speed(), clock.now()), (1, shown));
    }

    #[test]
    fn a_frozen_clock_stands_until_it_is_resumed() {
        let clock = VirtualClock::real();
        clock.freeze();
        assert_eq!(clock.now(), clock.now());
        assert!(!clock.is_running());
        clock.resume();
        assert!(clock.is_running());
    }
}
