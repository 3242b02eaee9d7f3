//! What a call's TwiML has it do, as far as it costs or shows: dial other numbers, join a conference, be
//! recorded. Everything else, and whatever cannot be read, is talk.
//!
//! The reader takes any text and never fails; TwiML that Twilio would fetch from a URL is not fetched.

use crate::callbacks::Hook;

use super::calls::Wanted;
use super::recordings::{RecordPlan, Told};

/// Numbers that one `<Dial>` calls at the same time, by its documentation.
const TARGETS_MAX: usize = 10;

/// What a call does once it is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// `<Record>`: what is said is recorded.
    pub(crate) recorded: bool,
    pub(crate) verb: Verb,
}

/// The verb that decides with whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Verb {
    #[default]
    Talk,
    Dial(Box<Dial>),
    Conference(Box<Room>),
}

/// `<Dial>`: the numbers ring at the same time, and who answers first is connected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dial {
    pub(crate) targets: Vec<DialTarget>,
    pub(crate) caller_id: Option<String>,
    pub(crate) timeout_s: Option<u64>,
    pub(crate) time_limit_s: Option<u64>,
    pub(crate) record: Option<RecordPlan>,
    /// Recorded from ringing on, not from the answer.
    pub(crate) from_ringing: bool,
}

/// A number, a client (`client:alice`) or a SIP address, and what is told of that leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DialTarget {
    pub(crate) to: String,
    pub(crate) hook: Option<Hook>,
    pub(crate) wanted: Wanted,
}

/// `<Conference>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) name: String,
    pub(crate) starts: bool,
    pub(crate) ends_on_exit: bool,
    pub(crate) record: Option<RecordPlan>,
}

impl Room {
    /// A room as `<Conference>` without attributes has it.
    pub(crate) fn named(name: String) -> Self {
        Self {
            name,
            starts: true,
            ends_on_exit: false,
            record: None,
        }
    }
}

impl Script {
    /// Reads TwiML.
    pub(crate) fn read(twiml: &str) -> Self {
        let mut script = Self::default();
        let mut tokens = Tokens { rest: twiml };
        while let Some(token) = tokens.next() {
            match token {
                Token::Open(tag) if tag.name == "Record" => script.recorded = true,
                Token::Open(tag) if tag.name == "Dial" => {
                    script.verb = read_dial(&tag, &mut tokens);
                    return script;
                }
                _ => {}
            }
        }
        script
    }
}

fn read_dial(dial_tag: &Tag<'_>, tokens: &mut Tokens<'_>) -> Verb {
    let (mut dial, mut tag, mut text) = (Dial::of(dial_tag), None, String::new());
    let mut is_open = !dial_tag.is_empty;
    while is_open {
        match tokens.next() {
            Some(Token::Text(more)) => text.push_str(&more),
            Some(Token::Open(inner)) => {
                text.clear();
                tag = Some(inner);
            }
            Some(Token::Close(name)) => {
                let named = std::mem::take(&mut text).trim().to_owned();
                match tag.take() {
                    Some(inner) if inner.name == "Conference" && !named.is_empty() => {
                        return Verb::Conference(Box::new(room(&inner, named)));
                    }
                    Some(inner) => dial.add(target(&inner, named)),
                    // Text of `<Dial>` itself.
                    None => dial.add(Some(DialTarget::plain(named))),
                }
                is_open = name != "Dial";
            }
            None => is_open = false,
        }
    }
    if dial.targets.is_empty() {
        return Verb::Talk;
    }
    Verb::Dial(Box::new(dial))
}

impl Dial {
    fn of(tag: &Tag<'_>) -> Self {
        let record = tag
            .attribute("record")
            .filter(|how| how.starts_with("record-"));
        Self {
            targets: Vec::new(),
            caller_id: tag.attribute("callerId"),
            timeout_s: tag.attribute("timeout").and_then(|text| text.parse().ok()),
            time_limit_s: tag
                .attribute("timeLimit")
                .and_then(|text| text.parse().ok()),
            from_ringing: record.as_ref().is_some_and(|how| how.contains("ringing")),
            record: record.map(|how| RecordPlan {
                dual: how.ends_with("-dual"),
                ..tag.record_plan("DialVerb")
            }),
        }
    }

    fn add(&mut self, target: Option<DialTarget>) {
        let target = target.filter(|target| !target.to.is_empty());
        if self.targets.len() < TARGETS_MAX {
            self.targets.extend(target);
        }
    }
}

impl DialTarget {
    /// A target that nothing is told of.
    pub(crate) fn plain(to: String) -> Self {
        Self {
            to,
            hook: None,
            wanted: Wanted::default(),
        }
    }
}

fn target(tag: &Tag<'_>, named: String) -> Option<DialTarget> {
    let to = match tag.name {
        "Number" | "Sip" => named,
        "Client" if !named.is_empty() => format!("client:{named}"),
        _ => return None,
    };
    let events = tag.attribute("statusCallbackEvent");
    Some(DialTarget {
        hook: tag.hook("statusCallback"),
        wanted: Wanted::of(events.iter().map(String::as_str)),
        ..DialTarget::plain(to)
    })
}

fn room(tag: &Tag<'_>, name: String) -> Room {
    let is = |attribute: &str, wanted: &str| tag.attribute(attribute).as_deref() == Some(wanted);
    Room {
        starts: !is("startConferenceOnEnter", "false"),
        ends_on_exit: is("endConferenceOnExit", "true"),
        record: is("record", "record-from-start").then(|| tag.record_plan("Conference")),
        name,
    }
}

struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
    /// Closes itself.
    is_empty: bool,
}

impl Tag<'_> {
    fn attribute(&self, wanted: &str) -> Option<String> {
        let mut rest = self.attributes;
        while let Some((name, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let quote = after
                .chars()
                .next()
                .filter(|quote| matches!(quote, '"' | '\''))?;
            let (value, left) = after[1..].split_once(quote)?;
            if name.trim() == wanted {
                return Some(decoded(value));
            }
            rest = left;
        }
        None
    }

    /// A callback's address in an attribute, its method in another.
    fn hook(&self, attribute: &str) -> Option<Hook> {
        let url = self
            .attribute(attribute)
            .filter(|url| Hook::is_valid_url(url))?;
        let method = self.attribute(&format!("{attribute}Method"));
        Some(Hook {
            url,
            get: method.as_deref() == Some("GET"),
        })
    }

    fn record_plan(&self, source: &'static str) -> RecordPlan {
        let events = self.attribute("recordingStatusCallbackEvent");
        RecordPlan {
            hook: self.hook("recordingStatusCallback"),
            told: Told::of(events.iter().map(String::as_str)),
            ..RecordPlan::from(source)
        }
    }
}

enum Token<'a> {
    Open(Tag<'a>),
    Close(&'a str),
    Text(String),
}

/// XML taken apart, as far as TwiML needs it; names and attributes are not checked.
struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let at = self.rest.find('<')?;
            if at > 0 {
                let (text, rest) = self.rest.split_at(at);
                self.rest = rest;
                return Some(Token::Text(decoded(text)));
            }
            let skipped = [("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>")]
                .into_iter()
                .find(|(opening, _)| self.rest.starts_with(opening));
            let Some((opening, closing)) = skipped else {
                let end = tag_end(self.rest)?;
                let inside = &self.rest[1..end];
                self.rest = &self.rest[end + 1..];
                return Some(tag_token(inside));
            };
            let (inside, rest) = self.rest[opening.len()..].split_once(closing)?;
            self.rest = rest;
            if opening == "<![CDATA[" {
                return Some(Token::Text(inside.to_owned()));
            }
        }
    }
}

/// Where a tag ends: the first `>` outside quotes.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

fn tag_token(inside: &str) -> Token<'_> {
    if let Some(name) = inside.strip_prefix('/') {
        return Token::Close(name.trim());
    }
    let is_empty = inside.ends_with('/');
    let inside = inside.trim_end_matches('/').trim();
    let (name, attributes) = inside
        .split_once(char::is_whitespace)
        .unwrap_or((inside, ""));
    Token::Open(Tag {
        name,
        attributes,
        is_empty,
    })
}

fn decoded(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialled(twiml: &str) -> Vec<String> {
        match Script::read(twiml).verb {
            Verb::Dial(dial) => dial.targets.into_iter().map(|target| target.to).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_dial_names_its_numbers_in_its_text_or_in_elements() {
        assert_eq!(
            dialled("<Response><Say>Hi</Say><Dial>+14155550100</Dial></Response>"),
            ["+14155550100"]
        );
        let twiml = "<?xml version=\"1.0\"?><Response><!-- <Dial>x</Dial> --><Dial callerId='+1' timeout=\"20\">\
                     <Number>+441</Number><Client>alice</Client><Sip>sip:a@b.example</Sip><Queue>q</Queue></Dial></Response>";
        assert_eq!(dialled(twiml), ["+441", "client:alice", "sip:a@b.example"]);
    }

    #[test]
    fn a_number_s_callback_and_its_events_are_its_leg_s() {
        let twiml = "<Response><Dial record='record-from-answer-dual'><Number statusCallbackMethod='GET' \
                     statusCallback='https://a.example/x?a=1&amp;b=2' statusCallbackEvent='ringing answered'>+441</Number></Dial></Response>";
        let Verb::Dial(dial) = Script::read(twiml).verb else {
            panic!("no dial");
        };
        let target = &dial.targets[0];
        let hook = target.hook.clone().unwrap();
        assert_eq!(
            (hook.url.as_str(), hook.get),
            ("https://a.example/x?a=1&b=2", true)
        );
        assert!(target.wanted.ringing && target.wanted.answered && !target.wanted.completed);
        assert!(dial.record.as_ref().is_some_and(|plan| plan.dual) && !dial.from_ringing);
    }

    #[test]
    fn a_conference_is_known_by_its_name() {
        let twiml = "<Response><Record/><Dial><Conference endConferenceOnExit=\"true\" startConferenceOnEnter='false'>\
                     A &amp; B</Conference></Dial></Response>";
        let script = Script::read(twiml);
        let Verb::Conference(room) = script.verb else {
            panic!("no conference");
        };
        assert!(script.recorded && room.ends_on_exit && !room.starts);
        assert_eq!(room.name, "A & B");
    }

    #[test]
    fn whatever_cannot_be_read_is_talk() {
        for text in [
            "",
            "<",
            "<Dial",
            "<Dial>",
            "<Dial/>",
            "<Dial></Dial>",
            "<Dial><Number/></Dial>",
            "<Dial a=>1",
            "<![CDATA[",
            "<!--",
            "</",
            "\u{e9}<\u{e9}>",
            "<Dial callerId='x>",
            "<Response><Say>&amp;</Say></Response>",
            "<Dial><Conference></Conference></Dial>",
        ] {
            let verb = Script::read(text).verb;
            assert!(matches!(verb, Verb::Talk), "{text}: {verb:?}");
        }
    }
}
