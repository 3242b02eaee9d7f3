//! Time, sleep and randomness as values: mains take the system's, tests and the local stack their own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use ulid::Ulid;

/// Tells the time.
pub type NowFn = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Waits.
pub type SleepFn = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;
/// Draws 128 random bits.
pub type RandomFn = Arc<dyn Fn() -> u128 + Send + Sync>;

/// Carries a request to Twilio in the network's place; no answer is a lost connection.
pub type WireFn = Arc<
    dyn Fn(http::Request<Vec<u8>>) -> BoxFuture<'static, Option<http::Response<Vec<u8>>>>
        + Send
        + Sync,
>;

/// What the host gives to code that must not take it by itself.
#[derive(Clone)]
pub struct Host {
    /// The time.
    pub now: NowFn,
    /// Waiting.
    pub sleep: SleepFn,
    /// Randomness: for ids, secrets and jitter, so it must be unpredictable in production.
    pub random: RandomFn,
    /// The way to Twilio, if it is not the network.
    pub wire: Option<WireFn>,
}

impl Host {
    /// The system's clock, timer and random numbers.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that takes the system's clock and timer"
    )]
    pub fn system() -> Self {
        Self {
            now: Arc::new(Timestamp::now),
            sleep: Arc::new(|duration| tokio::time::sleep(duration).boxed()),
            random: Arc::new(|| {
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
                u128::from_le_bytes(bytes)
            }),
            wire: None,
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        (self.sleep)(duration).await;
    }

    /// A fresh ULID: sorts by time, 80 random bits.
    pub fn ulid(&self) -> Ulid {
        let millisecond = u64::try_from(self.now().as_millisecond()).unwrap_or_default();
        Ulid::from_parts(millisecond, (self.random)())
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}
