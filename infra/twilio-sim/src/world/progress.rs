//! How far a call is, who began it, and which of its events its callback is told of: Twilio's names.

/// A call's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallStatus {
    Queued,
    Ringing,
    InProgress,
    Completed,
    Busy,
    NoAnswer,
    Failed,
    Canceled,
}

impl CallStatus {
    const ALL: [Self; 8] = [
        Self::Queued,
        Self::Ringing,
        Self::InProgress,
        Self::Completed,
        Self::Busy,
        Self::NoAnswer,
        Self::Failed,
        Self::Canceled,
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Ringing | Self::InProgress)
    }
}

/// Who began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Inbound,
    OutboundApi,
    /// By `<Dial>` of another call.
    OutboundDial,
}

impl Direction {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::OutboundApi => "outbound-api",
            Self::OutboundDial => "outbound-dial",
        }
    }
}

/// Which events a call's callback wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the four events that Twilio names"
)]
pub(crate) struct Wanted {
    pub(crate) initiated: bool,
    pub(crate) ringing: bool,
    pub(crate) answered: bool,
    /// Any end.
    pub(crate) completed: bool,
}

impl Wanted {
    /// The names of the events that Twilio knows.
    pub(crate) const EVENTS: [&'static str; 4] = ["initiated", "ringing", "answered", "completed"];
    /// All of them.
    pub(crate) const ALL: Self = Self {
        initiated: true,
        ringing: true,
        answered: true,
        completed: true,
    };

    /// Reads lists of events separated by spaces; none at all is `completed`.
    pub(crate) fn of<'a>(lists: impl Iterator<Item = &'a str>) -> Self {
        let events: Vec<&str> = lists
            .flat_map(|list| list.split([' ', ',']))
            .filter(|event| !event.is_empty())
            .collect();
        let has = |event| events.contains(&event);
        Self {
            initiated: has("initiated"),
            ringing: has("ringing"),
            answered: has("answered"),
            completed: events.is_empty() || has("completed"),
        }
    }
}

impl Default for Wanted {
    fn default() -> Self {
        Self::of(std::iter::empty())
    }
}
