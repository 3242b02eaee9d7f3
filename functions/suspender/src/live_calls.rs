//! Ending live calls: list, end, list again, until two empty listings lie far enough apart.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::Timestamp;
use domain::ids::{AccountSid, CallSid};
use domain::suspension::{EMPTY_LISTS_APART_S, LiveCallWatch};
use futures::{StreamExt as _, stream};
use jiff::SignedDuration;
use twilio::{Call, CallFilter, CallStatus, Credentials};

use crate::{Function, SuspendError};

/// Calls that are being ended at once.
const ENDING_MAX: usize = 8;
/// A run ends calls for this long; what is left then is done by the next one.
const RUN_S: i64 = 75;

impl Function {
    /// Ends queued, ringing and in-progress calls of a subaccount that is already suspended and adds them to
    /// `ended`. True: no call was live in two listings far enough apart. False: time is up.
    pub(crate) async fn end_live_calls(
        &self,
        credentials: &Credentials,
        account_sid: &AccountSid,
        ended: &mut BTreeSet<CallSid>,
    ) -> Result<bool, SuspendError> {
        let until = self
            .host
            .now()
            .saturating_add(SignedDuration::from_secs(RUN_S))
            .unwrap_or(Timestamp::MAX);
        let mut watch = LiveCallWatch::default();
        let mut failed = None;
        while self.host.now() < until {
            let live = self.live_calls(credentials, account_sid).await?;
            if watch.observe(live.len(), self.host.now()) {
                return Ok(true);
            }
            failed = self
                .end_calls(credentials, account_sid, &live, until, ended)
                .await?;
            self.host
                .sleep(Duration::from_secs(EMPTY_LISTS_APART_S.unsigned_abs()))
                .await;
        }
        failed.map_or(Ok(false), |error| Err(error.into()))
    }

    /// Ends calls until time is up. A call that cannot be ended keeps no other from being ended; the last
    /// such failure is returned, for the case that the call does not end by itself.
    async fn end_calls(
        &self,
        credentials: &Credentials,
        account_sid: &AccountSid,
        live: &[Call],
        until: Timestamp,
        ended: &mut BTreeSet<CallSid>,
    ) -> Result<Option<twilio::Error>, SuspendError> {
        let end = |call: Call| async move {
            self.twilio
                .end_call(credentials, account_sid, &call.sid, &call.status)
                .await
        };
        let in_time = stream::iter(live.to_vec())
            .take_while(|_| std::future::ready(self.host.now() < until))
            .map(end);
        let mut ending = std::pin::pin!(in_time.buffer_unordered(ENDING_MAX));
        let mut failed = None;
        while let Some(outcome) = ending.next().await {
            match outcome {
                Ok(call) => {
                    ended.insert(call.sid);
                }
                // Nothing else would succeed either.
                Err(error @ twilio::Error::Alarm { .. }) => return Err(error.into()),
                Err(error) => failed = Some(error),
            }
        }
        Ok(failed)
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
