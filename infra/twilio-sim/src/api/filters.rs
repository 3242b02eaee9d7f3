//! Dates as Twilio writes them in v2010 bodies, and as its filters take them.

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime};

use crate::json::Obj;
use crate::stamp;
use crate::world::{day_of, start_of};

use super::answer::Refusal;
use super::ask::Ask;

/// Writes a moment as `Thu, 30 Jul 2015 20:00:00 +0000`.
pub(crate) fn write_date(object: &mut Obj<'_>, name: &str, at: Option<Timestamp>) {
    match at {
        Some(at) => {
            let out = object.name(name);
            out.push(b'"');
            stamp::write_mail(out, at);
            out.push(b'"');
        }
        None => {
            object.null(name);
        }
    }
}

/// Writes a moment as `2015-07-30T20:00:00Z`, as products other than the v2010 API do.
pub(crate) fn write_iso(object: &mut Obj<'_>, name: &str, at: Option<Timestamp>) {
    match at {
        Some(at) => object.str(name, &at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        None => object.null(name),
    };
}

/// A filter on a moment: at, from and before or until.
#[derive(Default)]
pub(crate) struct Window {
    from: Option<Timestamp>,
    /// Exclusive.
    until: Option<Timestamp>,
}

impl Window {
    /// Reads `Name`, `Name>` (on or after) and `Name<`: before, or on or before when `inclusive`.
    pub(crate) fn read(ask: &Ask, name: &str, inclusive: bool) -> Result<Self, Refusal> {
        let mut window = Self::default();
        let asked = |suffix: &str| -> Result<Option<(Timestamp, Timestamp)>, Refusal> {
            let Some(text) = ask.query(&format!("{name}{suffix}")) else {
                return Ok(None);
            };
            parse(text)
                .map(Some)
                .ok_or_else(|| Refusal::bad(20_001, "Invalid date"))
        };
        if let Some((first, end)) = asked("")? {
            // Official clients write a date as its midnight, and mean the day.
            let day = day_of(first);
            let end = if start_of(day) == first {
                start_of(day.checked_add(1.day()).unwrap_or(day))
            } else {
                end
            };
            (window.from, window.until) = (Some(first), Some(end));
        }
        if let Some((first, _)) = asked(">")? {
            window.from = Some(first);
        }
        if let Some((first, end)) = asked("<")? {
            window.until = Some(if inclusive { end } else { first });
        }
        Ok(window)
    }

    /// Reads two names: on or after the first, on or before the second.
    pub(crate) fn between(ask: &Ask, from: &str, until: &str) -> Result<Self, Refusal> {
        let asked = |name: &str| -> Result<Option<(Timestamp, Timestamp)>, Refusal> {
            ask.query(name)
                .map(|text| parse(text).ok_or_else(|| Refusal::invalid(name)))
                .transpose()
        };
        Ok(Self {
            from: asked(from)?.map(|(first, _)| first),
            until: asked(until)?.map(|(_, end)| end),
        })
    }

    /// Whether a moment passes; one that is not there passes only without a filter.
    pub(crate) fn admits(&self, at: Option<Timestamp>) -> bool {
        match at {
            None => self.from.is_none() && self.until.is_none(),
            Some(at) => {
                self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
            }
        }
    }
}

/// A date or date-time, as the moments from its first to (excluding) the first after it.
fn parse(text: &str) -> Option<(Timestamp, Timestamp)> {
    if text.len() == 10 {
        let day: Date = text.parse().ok()?;
        return Some((start_of(day), start_of(day.checked_add(1.day()).ok()?)));
    }
    let civil = || {
        text.parse::<DateTime>()
            .ok()
            .and_then(|civil| jiff::tz::Offset::UTC.to_timestamp(civil).ok())
    };
    let mail = || {
        jiff::fmt::rfc2822::parse(text)
            .ok()
            .map(|zoned| zoned.timestamp())
    };
    let at = text
        .parse::<Timestamp>()
        .ok()
        .or_else(mail)
        .or_else(civil)
        .or_else(|| american(text))?;
    Some((at, at.checked_add(1.second()).ok()?))
}

/// Hours that the time zones of North America are behind GMT.
const ZONES: [(&str, i8); 10] = [
    ("GMT", 0),
    ("UTC", 0),
    ("EDT", 4),
    ("EST", 5),
    ("CDT", 5),
    ("CST", 6),
    ("MDT", 6),
    ("MST", 7),
    ("PDT", 7),
    ("PST", 8),
];

/// `06/11/2019 22:05:25 MST`, which Twilio's examples filter by, too.
fn american(text: &str) -> Option<Timestamp> {
    let (civil, zone) = text.rsplit_once(' ')?;
    let (_, behind) = ZONES.iter().find(|(name, _)| *name == zone)?;
    let civil = DateTime::strptime("%m/%d/%Y %H:%M:%S", civil).ok()?;
    jiff::tz::offset(-behind).to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_in_the_forms_of_twilio_s_examples() {
        let (first, end) = parse("2026-03-01").unwrap();
        assert_eq!(end.duration_since(first).as_hours(), 24);
        for text in [
            "2026-03-01T12:30:05Z",
            "2026-03-01T12:30:05",
            "2026-03-01 12:30:05.000",
            "Sun, 01 Mar 2026 12:30:05 +0000",
            "Sun, 01 Mar 2026 12:30:05 -0000",
            "03/01/2026 05:30:05 MST",
        ] {
            assert_eq!(
                parse(text).unwrap().0.to_string(),
                "2026-03-01T12:30:05Z",
                "{text}"
            );
        }
        assert!(parse("yesterday").is_none());
    }
}
