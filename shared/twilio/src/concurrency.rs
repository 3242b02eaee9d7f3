//! How many requests may be in flight: Twilio limits concurrency per account and publishes no figure.
//!
//! The limit halves when Twilio throttles, shrinks by one while the account as a whole is crowded (other
//! processes use it too), and grows back by one after a run of undisturbed answers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Undisturbed answers until one more request may be in flight.
const ANSWERS_TO_GROW: usize = 20;
/// Requests in flight on the account, by `Twilio-Concurrent-Requests`, from which on we make room. Our
/// own choice: Twilio names no ceiling.
const ACCOUNT_CROWDED_FROM: usize = 40;

/// The bound of one client, shared by its clones.
pub(crate) struct Limiter {
    max: usize,
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    limit: usize,
    in_flight: usize,
    undisturbed: usize,
}

/// A place in flight, given back on drop.
pub(crate) struct Permit<'a>(&'a Limiter);

impl Limiter {
    pub(crate) fn new(max: usize) -> Self {
        let state = State {
            limit: max,
            in_flight: 0,
            undisturbed: 0,
        };
        Self {
            max,
            state: Mutex::new(state),
            freed: Notify::new(),
        }
    }

    /// Waits for a place.
    pub(crate) async fn acquire(&self) -> Permit<'_> {
        loop {
            let freed = self.freed.notified();
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            freed.await;
        }
    }

    fn try_acquire(&self) -> Option<Permit<'_>> {
        let mut state = self.state();
        if state.in_flight >= state.limit {
            return None;
        }
        state.in_flight += 1;
        Some(Permit(self))
    }

    /// Twilio refused for too many requests: half as many from now on.
    pub(crate) fn throttled(&self) {
        let mut state = self.state();
        state.limit = (state.limit / 2).max(1);
        state.undisturbed = 0;
    }

    /// Twilio answered; `on_account` is what it said is in flight on the whole account.
    pub(crate) fn answered(&self, on_account: Option<usize>) {
        let mut state = self.state();
        if on_account.is_some_and(|requests| requests >= ACCOUNT_CROWDED_FROM) {
            state.limit = (state.limit - 1).max(1);
            state.undisturbed = 0;
            return;
        }
        state.undisturbed += 1;
        if state.undisturbed >= ANSWERS_TO_GROW && state.limit < self.max {
            state.limit += 1;
            state.undisturbed = 0;
            drop(state);
            self.freed.notify_one();
        }
    }

    /// Counters stay true whatever panicked while they were locked.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn limit(limiter: &Limiter) -> usize {
        limiter.state().limit
    }

    #[test]
    fn no_more_than_the_limit_are_in_flight() {
        let limiter = Limiter::new(2);
        let first = limiter.acquire().now_or_never().unwrap();
        let _second = limiter.acquire().now_or_never().unwrap();
        let mut third = Box::pin(limiter.acquire());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn a_throttle_halves_the_limit_and_calm_grows_it_back() {
        let limiter = Limiter::new(8);
        limiter.throttled();
        assert_eq!(limit(&limiter), 4);
        for _ in 0..5 {
            limiter.throttled();
        }
        assert_eq!(limit(&limiter), 1);
        for _ in 0..ANSWERS_TO_GROW * 20 {
            limiter.answered(Some(1));
        }
        assert_eq!(limit(&limiter), 8);
    }

    #[test]
    fn a_crowded_account_shrinks_the_limit_to_one_at_least() {
        let limiter = Limiter::new(3);
        for _ in 0..10 {
            limiter.answered(Some(ACCOUNT_CROWDED_FROM));
        }
        assert_eq!(limit(&limiter), 1);
    }

    #[test]
    fn a_waiter_that_gave_up_does_not_swallow_the_place() {
        let limiter = Limiter::new(1);
        let held = limiter.acquire().now_or_never().unwrap();
        let mut gives_up = Box::pin(limiter.acquire());
        let mut waits = Box::pin(limiter.acquire());
        assert!(gives_up.as_mut().now_or_never().is_none());
        assert!(waits.as_mut().now_or_never().is_none());
        drop(held);
        drop(gives_up);
        assert!(waits.now_or_never().is_some());
    }
}
