//! The way out of the functions: each request to AWS or Twilio passes here, and a watcher says what becomes
//! of it. Nobody watches but the crash explorer.
//!
//! An invocation is a life: killing it drops it where it stands, as a process that dies.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::Notify;

/// What becomes of an outgoing request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has its effect, and its answer arrives.
    Through,
    /// It has no effect; the connection is lost.
    Lost,
    /// It has its effect; the connection is lost before the answer.
    Unanswered,
    /// The connection is lost; it has its effect when [`Passage::land`] is called.
    Late,
    /// The invocation dies before it has an effect.
    KilledBefore,
    /// It has its effect; the invocation dies before the answer.
    KilledAfter,
}

/// Decides on a request of a function (`tollgate-<name>`), which the second text describes. It may wait.
pub type Watcher = Arc<dyn Fn(&str, String) -> BoxFuture<'static, Fate> + Send + Sync>;

/// One invocation.
#[derive(Debug, Default)]
struct Life {
    ends: Notify,
}

tokio::task_local! {
    static LIFE: Arc<Life>;
    static DELIVERY: usize;
}

/// Runs `work` as one of several deliveries at once, each with instances of its own.
pub async fn as_delivery<T>(number: usize, work: impl Future<Output = T>) -> T {
    DELIVERY.scope(number, work).await
}

/// Which of several deliveries this is, if it is one.
pub fn delivery() -> Option<usize> {
    DELIVERY.try_with(|number| *number).ok()
}

/// Runs `work` as an invocation; none if it was killed.
pub async fn invocation<T>(work: impl Future<Output = T>) -> Option<T> {
    let life = Arc::new(Life::default());
    tokio::select! {
        biased;
        () = life.ends.notified() => None,
        done = LIFE.scope(life.clone(), work) => Some(done),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way out; clones are the same.
#[derive(Clone, Default)]
pub struct Passage {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    watcher: Mutex<Option<Watcher>>,
    /// Requests that have not had their effect yet.
    late: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl Passage {
    /// Lets somebody watch, or nobody.
    pub fn watch(&self, watcher: Option<Watcher>) {
        *lock(&self.inner.watcher) = watcher;
    }

    /// Does anybody watch?
    pub fn is_watched(&self) -> bool {
        lock(&self.inner.watcher).is_some()
    }

    /// Gives every late request its effect, in the order of sending; how many there were.
    pub async fn land(&self) -> usize {
        let late = std::mem::take(&mut *lock(&self.inner.late));
        let count = late.len();
        for effect in late {
            effect.await;
        }
        count
    }

    /// Forgets the watcher and every late request.
    pub(crate) fn clear(&self) {
        self.watch(None);
        lock(&self.inner.late).clear();
    }

    /// Sends a request; none if its connection is lost. `serve` is what has its effect.
    pub(crate) async fn send<T: Send + 'static>(
        &self,
        caller: &str,
        what: String,
        serve: BoxFuture<'static, T>,
    ) -> Option<T> {
        let watcher = lock(&self.inner.watcher).clone();
        let fate = match watcher {
            Some(watcher) => watcher(caller, what).await,
            None => Fate::Through,
        };
        match fate {
            Fate::Through => Some(serve.await),
            Fate::Lost => None,
            Fate::Unanswered => {
                serve.await;
                None
            }
            Fate::Late => {
                let effect = async move {
                    serve.await;
                };
                lock(&self.inner.late).push(Box::pin(effect));
                None
            }
            Fate::KilledBefore => die().await,
            Fate::KilledAfter => {
                serve.await;
                die().await
            }
        }
    }
}

/// Ends the invocation that asks, and never returns.
async fn die<T>() -> T {
    LIFE.try_with(|life| life.ends.notify_one())
        .expect("only an invocation can be killed");
    pending().await
}
