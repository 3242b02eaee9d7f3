//! What a resource's callbacks say together: its latest state, whatever order they came in.

use serde::Serialize;

/// One stored callback, as far as its state goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackState {
    /// Status as Twilio wrote it; unknown ones are kept.
    pub status: String,
    /// Voice: position in the call's own sequence.
    pub sequence_number: Option<u32>,
}

/// The folded state of a message or call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceState {
    /// The latest status.
    pub status: String,
    /// No further change is expected.
    pub is_final: bool,
}

/// Folds callbacks in any order and repetition: a state never goes back.
pub fn fold<'a>(callbacks: impl IntoIterator<Item = &'a CallbackState>) -> Option<ResourceState> {
    let latest = callbacks.into_iter().max_by_key(|callback| {
        (
            rank(&callback.status),
            callback.sequence_number,
            callback.status.clone(),
        )
    })?;
    Some(ResourceState {
        status: latest.status.clone(),
        is_final: rank(&latest.status) >= FINAL,
    })
}

const FINAL: u8 = 10;

/// Rank in the lifecycle of messages and calls; an unknown status ranks lowest.
fn rank(status: &str) -> u8 {
    match status {
        "accepted" | "scheduled" | "queued" | "receiving" => 1,
        "initiated" | "sending" => 2,
        "ringing" | "sent" => 3,
        "in-progress" => 4,
        "delivered"
        | "undelivered"
        | "failed"
        | "canceled"
        | "partially_delivered"
        | "received"
        | "completed"
        | "busy"
        | "no-answer" => FINAL,
        "read" => FINAL + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn read_comes_after_delivered() {
        let states = ["read", "delivered", "sent"].map(|status| CallbackState {
            status: status.into(),
            sequence_number: None,
        });
        assert_eq!(fold(&states).unwrap().status, "read");
        assert_eq!(fold([]), None);
    }

    proptest! {
        #[test]
        fn order_and_repetition_change_nothing(order in proptest::collection::vec(0_usize..4, 0..20)) {
            let states: Vec<_> = ["initiated", "ringing", "in-progress", "completed"].iter().zip(0..)
                .map(|(status, sequence)| CallbackState { status: (*status).into(), sequence_number: Some(sequence) })
                .collect();
            let shuffled: Vec<_> = order.iter().map(|index| &states[*index]).chain(&states).collect();
            prop_assert_eq!(fold(shuffled).unwrap(), ResourceState { status: "completed".into(), is_final: true });
        }
    }
}
