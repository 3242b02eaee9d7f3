//! Calls and messages as rating and reports look at them, where a plan's rules ask for destinations, lengths or own
//! numbers, or a person for single items.
//!
//! They are read only for the days and lists that are wanted. Message bodies are not looked at.

use crate::calls::{Call, CallFilter, CallStatus};
use crate::messages::{Message, MessageDirection, MessageFilter, MessageStatus};
use crate::{Client, Credentials, Error, TimeBound};
use domain::Date;
use domain::booking::follows;
use domain::category::{Category, DetailFamily, Direction};
use domain::detail::{Item, minutes};
use domain::ids::AccountSid;
use jiff::{Timestamp, ToSpan as _};

/// Days whose rules ask for calls, and for messages, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of calls.
    pub calls: Vec<Date>,
    /// Of messages.
    pub messages: Vec<Date>,
}

/// Reads what is wanted; nothing wanted asks nothing.
pub async fn list(
    client: &Client,
    credentials: &Credentials,
    account_sid: &AccountSid,
    wanted: &Wanted,
) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    for span in wanted.calls.chunk_by(|day, next| follows(*day, *next)) {
        let (first, behind) = bounds(span);
        let filter = CallFilter {
            status: Some(CallStatus::Completed),
            ended_from: Some(TimeBound::Day(first)),
            ended_before: Some(TimeBound::Day(behind)),
            ..CallFilter::default()
        };
        let calls = client.list_calls(credentials, account_sid, &filter).await?;
        items.extend(calls.iter().filter_map(call));
    }
    for span in wanted.messages.chunk_by(|day, next| follows(*day, *next)) {
        let (first, behind) = bounds(span);
        let filter = MessageFilter {
            sent_from: Some(TimeBound::Day(first)),
            sent_until: Some(TimeBound::Day(behind)),
            ..MessageFilter::default()
        };
        let messages = client
            .list_messages(credentials, account_sid, &filter)
            .await?;
        items.extend(messages.iter().filter_map(message));
    }
    // One day more was asked for at each end than is wanted: bounds are read differently in lists.
    items.retain(|item| {
        let days = match item.family {
            DetailFamily::Calls => &wanted.calls,
            DetailFamily::Sms | DetailFamily::Mms => &wanted.messages,
        };
        days.binary_search(&item.day()).is_ok()
    });
    Ok(items)
}

/// Calls and messages that were over at a moment or later, whatever their price.
pub async fn since(
    client: &Client,
    credentials: &Credentials,
    account_sid: &AccountSid,
    since: Timestamp,
) -> Result<Vec<Item>, Error> {
    let ended = CallFilter {
        status: Some(CallStatus::Completed),
        ended_from: Some(TimeBound::Moment(since)),
        ..CallFilter::default()
    };
    let calls = client.list_calls(credentials, account_sid, &ended).await?;
    let sent = MessageFilter {
        sent_from: Some(TimeBound::Moment(since)),
        ..MessageFilter::default()
    };
    let messages = client
        .list_messages(credentials, account_sid, &sent)
        .await?;
    let calls = calls.iter().filter_map(call);
    let mut items: Vec<Item> = calls.chain(messages.iter().filter_map(message)).collect();
    items.retain(|item| item.at >= since);
    Ok(items)
}

/// Calls that are queued, ringing or in progress, as if they ended now.
pub async fn live(
    client: &Client,
    credentials: &Credentials,
    account_sid: &AccountSid,
    now: Timestamp,
) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    for status in CallStatus::LIVE {
        let filter = CallFilter {
            status: Some(status),
            ..CallFilter::default()
        };
        let calls = client.list_calls(credentials, account_sid, &filter).await?;
        items.extend(calls.into_iter().filter_map(|live| {
            let began = live.start_time.or(live.date_created).unwrap_or(now);
            let length_s = now.duration_since(began).as_secs();
            let ended = Call {
                status: CallStatus::Completed,
                end_time: Some(now),
                duration: Some(u64::try_from(length_s).unwrap_or_default()),
                ..live
            };
            call(&ended)
        }));
    }
    Ok(items)
}

fn bounds(span: &[Date]) -> (Date, Date) {
    let first = span[0].saturating_sub(1.day());
    let behind = span[span.len() - 1].saturating_add(2.days());
    (first, behind)
}

/// An answered call over the telephone network: those with clients and SIP addresses are other categories.
fn call(call: &Call) -> Option<Item> {
    let (from, to) = (call.from.clone()?, call.to.clone()?);
    let direction = match call.direction.as_deref()? {
        "inbound" => Direction::Inbound,
        "outbound-api" | "outbound-dial" => Direction::Outbound,
        _ => return None,
    };
    if call.status != CallStatus::Completed || to.contains(':') {
        return None;
    }
    let duration_s = call.duration.unwrap_or_default();
    Some(Item {
        sid: call.sid.as_str().to_owned(),
        family: DetailFamily::Calls,
        direction,
        at: call.end_time?,
        from,
        to,
        units: minutes(duration_s),
        duration_s,
        price: call.price,
        price_unit: call.price_unit.clone(),
    })
}

/// A message that was sent or received; what failed or still waits is charged otherwise or not yet.
fn message(message: &Message) -> Option<Item> {
    let happened = matches!(
        message.status,
        MessageStatus::Sent
            | MessageStatus::Delivered
            | MessageStatus::Undelivered
            | MessageStatus::PartiallyDelivered
            | MessageStatus::Read
            | MessageStatus::Received
    );
    if !happened {
        return None;
    }
    let direction = match message.direction.as_ref()? {
        MessageDirection::Inbound => Direction::Inbound,
        _ => Direction::Outbound,
    };
    let has_media = message.num_media.unwrap_or_default() > 0;
    let (family, units) = if has_media {
        (DetailFamily::Mms, 1)
    } else {
        (DetailFamily::Sms, message.num_segments.unwrap_or(1).max(1))
    };
    Some(Item {
        sid: message.sid.as_str().to_owned(),
        family,
        direction,
        at: message.date_sent?,
        from: message.from.clone()?,
        to: message.to.clone()?,
        units,
        duration_s: 0,
        price: message.price,
        price_unit: message.price_unit.clone(),
    })
}

impl Wanted {
    /// Is everything of a day listed that a category is made of?
    pub fn holds(&self, day: Date, category: &Category) -> bool {
        let days = match category.detail_family() {
            Some(DetailFamily::Calls) => &self.calls,
            Some(DetailFamily::Sms | DetailFamily::Mms) => &self.messages,
            None => return false,
        };
        days.binary_search(&day).is_ok()
    }
}

/// Do rules ask for single items at all?
pub fn is_needed(rules: &domain::plan::RuleSet<'_>) -> bool {
    let families = [DetailFamily::Calls, DetailFamily::Sms, DetailFamily::Mms];
    families
        .into_iter()
        .any(|family| rules.needs_detail(family))
}

/// Sorts days into what their rules ask for.
pub fn wanted<'a>(
    window: &[Date],
    rules_on: impl Fn(&Date) -> Option<&'a domain::plan::RuleSet<'a>>,
) -> Wanted {
    let mut wanted = Wanted::default();
    for day in window {
        let Some(rules) = rules_on(day) else { continue };
        if rules.needs_detail(DetailFamily::Calls) {
            wanted.calls.push(*day);
        }
        if rules.needs_detail(DetailFamily::Sms) || rules.needs_detail(DetailFamily::Mms) {
            wanted.messages.push(*day);
        }
    }
    wanted
}
