//! Ending live calls: list, end, list again, until two empty listings lie far enough apart.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::Timestamp;
use domain::ids::{AccountSid, CallSid};
use domain::suspension::{EMPTY_LISTS_APART_S, LiveCallWatch};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::SignedDuration;
use twilio::{Call, CallFilter, CallStatus, Credentials};

use crate::{Function, SuspendError};

/// Calls that are being ended at once.
const ENDING_MAX: usize = 8;
/// A run ends calls for this long; what is left then is done by the next one.
const RUN_S: i64 = 75;

/// What a run achieved.
pub(crate) struct Ended {
    /// Calls that this run ended.
    pub(crate) call_sids: BTreeSet<CallSid>,
    /// No call was live in two listings far enough apart.
    pub(crate) is_silent: bool,
}

impl Function {
    /// Ends queued, ringing and in-progress calls of a subaccount that is already suspended.
    pub(crate) async fn end_live_calls(
        &self,
        credentials: &Credentials,
        account_sid: &AccountSid,
    ) -> Result<Ended, SuspendError> {
        let until = self
            .host
            .now()
            .saturating_add(SignedDuration::from_secs(RUN_S))
            .unwrap_or(Timestamp::MAX);
        let mut ended = Ended {
            call_sids: BTreeSet::new(),
            is_silent: false,
        };
        let mut watch = LiveCallWatch::default();
        while self.host.now() < until {
            let live = self.live_calls(credentials, account_sid).await?;
            if watch.observe(live.len(), self.host.now()) {
                ended.is_silent = true;
                break;
            }
            let ending: Vec<_> = live
                .iter()
                .map(|call| {
                    self.twilio
                        .end_call(credentials, account_sid, &call.sid, &call.status)
                })
                .collect();
            let done: Vec<Call> = stream::iter(ending)
                .buffer_unordered(ENDING_MAX)
                .try_collect()
                .await?;
            ended
                .call_sids
                .extend(done.into_iter().map(|call| call.sid));
            self.host
                .sleep(Duration::from_secs(EMPTY_LISTS_APART_S.unsigned_abs()))
                .await;
        }
        Ok(ended)
    }

    async fn live_calls(
        &self,
        credentials: &Credentials,
        account_sid: &AccountSid,
    ) -> Result<Vec<Call>, SuspendError> {
        let mut live = Vec::new();
        for status in CallStatus::LIVE {
            let filter = CallFilter {
                status: Some(status),
                ..CallFilter::default()
            };
            live.extend(
                self.twilio
                    .list_calls(credentials, account_sid, &filter)
                    .await?,
            );
        }
        Ok(live)
    }
}
