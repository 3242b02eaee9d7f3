//! SQS standard queues in memory: visibility on the injected clock, receive counts, redrive.
//!
//! Order is that of sending; duplicates come by seed (off by default). FIFO is not played.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::names::{
    self, COMMAND_VISIBILITY_SECONDS, Names, QUEUES, RECEIVES_MAX, STREAM_FAILURES,
};
use super::random::Random;

/// SQS's default visibility timeout.
const DEFAULT_VISIBILITY_SECONDS: i64 = 30;
/// SQS's default `MaximumMessageSize` for queues made before August 2025, and still our template's.
pub(crate) const MESSAGE_BYTES_MAX: usize = 262_144;

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub id: String,
    pub body: String,
    /// Message attributes in the shape of the API.
    pub attributes: Value,
    sent_at: Timestamp,
    first_received_at: Option<Timestamp>,
    receives: u32,
    visible_at: Timestamp,
}

/// A message as handed to a receiver.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub receipt: String,
    pub message: Message,
}

/// One queue.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    visibility: SignedDuration,
    redrive: Option<(String, u32)>,
    /// By order of arrival.
    messages: BTreeMap<u64, Message>,
}

/// How many messages of a queue are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// Waiting to be received.
    pub visible: usize,
    /// Received and not deleted.
    pub in_flight: usize,
    /// Sent with a delay that has not passed.
    pub delayed: usize,
}

/// What became of a receipt handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// Names the latest receive of a message that is there.
    Current(u64),
    /// Once named a message; a later receive or a deletion took its place.
    Stale,
    /// Never was a receipt handle.
    Malformed,
}

/// All queues of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Queues {
    by_name: BTreeMap<String, Queue>,
    next_order: u64,
    pub duplicate_percent: u8,
}

impl Queues {
    /// The queues of contracts: commands with their dead-letter queues, and the failure queue.
    pub fn of(names: &Names, duplicate_percent: u8) -> Self {
        let mut queues = BTreeMap::new();
        let plain = || Queue {
            visibility: SignedDuration::from_secs(DEFAULT_VISIBILITY_SECONDS),
            redrive: None,
            messages: BTreeMap::new(),
        };
        for shape in &QUEUES {
            let dead = names.of(&format!("{}-dlq", shape.name));
            queues.insert(dead.clone(), plain());
            let queue = Queue {
                visibility: SignedDuration::from_secs(COMMAND_VISIBILITY_SECONDS),
                redrive: Some((dead, RECEIVES_MAX)),
                messages: BTreeMap::new(),
            };
            queues.insert(names.of(shape.name), queue);
        }
        queues.insert(names.of(STREAM_FAILURES), plain());
        Self {
            by_name: queues,
            next_order: 0,
            duplicate_percent,
        }
    }

    pub fn exists(&self, queue: &str) -> bool {
        self.by_name.contains_key(queue)
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }

    /// Puts a message into a queue that exists and returns its id.
    pub fn send(
        &mut self,
        queue: &str,
        body: &str,
        attributes: Value,
        now: Timestamp,
        delay: SignedDuration,
        random: &mut Random,
    ) -> Option<String> {
        let copies = if random.chance(self.duplicate_percent) {
            2
        } else {
            1
        };
        let message = Message {
            id: random.uuid(),
            body: body.to_owned(),
            attributes,
            sent_at: now,
            first_received_at: None,
            receives: 0,
            visible_at: now + delay,
        };
        let id = message.id.clone();
        for _ in 0..copies {
            self.place(queue, message.clone())?;
        }
        Some(id)
    }

    fn place(&mut self, queue: &str, message: Message) -> Option<()> {
        let queue = self.by_name.get_mut(queue)?;
        queue.messages.insert(self.next_order, message);
        self.next_order += 1;
        Some(())
    }

    /// Receives at most `max` visible messages. One that has been received too often goes to the
    /// dead-letter queue instead.
    pub fn receive(
        &mut self,
        name: &str,
        max: usize,
        visibility: Option<SignedDuration>,
        now: Timestamp,
    ) -> Vec<Received> {
        let (mut received, mut dead) = (Vec::new(), Vec::new());
        let Some(queue) = self.by_name.get_mut(name) else {
            return received;
        };
        let visible_at = now + visibility.unwrap_or(queue.visibility);
        for (order, message) in &mut queue.messages {
            if received.len() == max {
                break;
            }
            if message.visible_at > now {
                continue;
            }
            if queue
                .redrive
                .as_ref()
                .is_some_and(|(_, limit)| message.receives >= *limit)
            {
                dead.push(*order);
                continue;
            }
            message.receives += 1;
            message.visible_at = visible_at;
            message.first_received_at.get_or_insert(now);
            received.push(Received {
                receipt: receipt(*order, message),
                message: message.clone(),
            });
        }
        if let Some((target, _)) = queue.redrive.clone() {
            let dead: Vec<Message> = dead
                .iter()
                .filter_map(|order| queue.messages.remove(order))
                .collect();
            for mut message in dead {
                message.visible_at = now;
                message.receives = 0;
                self.place(&target, message);
            }
        }
        received
    }

    pub fn look_up(&self, queue: &str, handle: &str) -> Receipt {
        let Some((order, _)) = handle
            .strip_prefix("r-")
            .and_then(|rest| rest.split_once('-'))
        else {
            return Receipt::Malformed;
        };
        let Ok(order) = order.parse::<u64>() else {
            return Receipt::Malformed;
        };
        let message = self
            .by_name
            .get(queue)
            .and_then(|queue| queue.messages.get(&order));
        match message {
            Some(message) if receipt(order, message) == handle => Receipt::Current(order),
            _ => Receipt::Stale,
        }
    }

    pub fn delete(&mut self, queue: &str, order: u64) {
        if let Some(queue) = self.by_name.get_mut(queue) {
            queue.messages.remove(&order);
        }
    }

    /// False when the message is not in flight.
    pub fn change_visibility(
        &mut self,
        queue: &str,
        order: u64,
        visible_at: Timestamp,
        now: Timestamp,
    ) -> bool {
        let message = self
            .by_name
            .get_mut(queue)
            .and_then(|queue| queue.messages.get_mut(&order));
        match message {
            Some(message) if message.visible_at > now => {
                message.visible_at = visible_at;
                true
            }
            _ => false,
        }
    }

    /// When the next message of a queue is or becomes visible.
    pub fn next_visible_at(&self, queue: &str) -> Option<Timestamp> {
        self.by_name
            .get(queue)?
            .messages
            .values()
            .map(|message| message.visible_at)
            .min()
    }

    pub fn depth(&self, queue: &str, now: Timestamp) -> Option<QueueDepth> {
        let mut depth = QueueDepth::default();
        for message in self.by_name.get(queue)?.messages.values() {
            match (message.visible_at > now, message.receives) {
                (false, _) => depth.visible += 1,
                (true, 0) => depth.delayed += 1,
                (true, _) => depth.in_flight += 1,
            }
        }
        Some(depth)
    }

    /// Bodies of all messages that have not been deleted, in order of arrival.
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        let queue = self.by_name.get(queue);
        queue.map_or_else(Vec::new, |queue| {
            queue
                .messages
                .values()
                .map(|message| message.body.clone())
                .collect()
        })
    }

    /// The attributes that GetQueueAttributes knows.
    pub fn describe(&self, name: &str, now: Timestamp) -> Option<Map<String, Value>> {
        let queue = self.by_name.get(name)?;
        let depth = self.depth(name, now)?;
        let mut attributes = Map::new();
        let mut set =
            |key: &str, value: String| attributes.insert(key.to_owned(), Value::String(value));
        set("QueueArn", names::queue_arn(name));
        set("ApproximateNumberOfMessages", depth.visible.to_string());
        set(
            "ApproximateNumberOfMessagesNotVisible",
            depth.in_flight.to_string(),
        );
        set(
            "ApproximateNumberOfMessagesDelayed",
            depth.delayed.to_string(),
        );
        set("VisibilityTimeout", queue.visibility.as_secs().to_string());
        set("MaximumMessageSize", MESSAGE_BYTES_MAX.to_string());
        if let Some((target, limit)) = &queue.redrive {
            let policy =
                json!({"deadLetterTargetArn": names::queue_arn(target), "maxReceiveCount": limit});
            set("RedrivePolicy", policy.to_string());
        }
        Some(attributes)
    }
}

fn receipt(order: u64, message: &Message) -> String {
    format!("r-{order}-{}", message.receives)
}

impl Received {
    /// The system attributes of a received message.
    pub fn system_attributes(&self) -> Value {
        let message = &self.message;
        let first = message.first_received_at.unwrap_or(message.sent_at);
        json!({
            "ApproximateReceiveCount": message.receives.to_string(),
            "SentTimestamp": message.sent_at.as_millisecond().to_string(),
            "SenderId": names::ACCOUNT,
            "ApproximateFirstReceiveTimestamp": first.as_millisecond().to_string(),
        })
    }
}

/// MD5 of a body, as SQS reports it.
pub(crate) fn md5_of(body: &str) -> String {
    format!("{:x}", md5::compute(body))
}
