//! Where calls and messages of a number are announced: its own URLs, or an Application's, or a trunk's.
//!
//! An Application that a number names beats the number's own URLs, even one that does not exist (any more)
//! in the account that holds the number: then nothing is announced, which is what happens to a number
//! that was transferred with the losing account's Application.

use jiff::Timestamp;

use super::World;
use crate::sid::Sid;

/// The HTTP method of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Method {
    Get,
    #[default]
    Post,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            _ => None,
        }
    }
}

/// What numbers and Applications have in common; an empty URL is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Webhooks {
    pub(crate) voice_url: String,
    pub(crate) voice_method: Method,
    pub(crate) voice_fallback_url: String,
    pub(crate) voice_fallback_method: Method,
    pub(crate) voice_caller_id_lookup: bool,
    pub(crate) status_callback: String,
    pub(crate) status_callback_method: Method,
    pub(crate) sms_url: String,
    pub(crate) sms_method: Method,
    pub(crate) sms_fallback_url: String,
    pub(crate) sms_fallback_method: Method,
}

/// One webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) method: Method,
}

impl Webhook {
    pub(crate) fn of(url: &str, method: Method) -> Option<Self> {
        (!url.is_empty()).then(|| Self {
            url: url.to_owned(),
            method,
        })
    }
}

/// An Application: URLs that several numbers can share.
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) settings: ApplicationSettings,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) deleted: bool,
}

/// What its owner sets of an Application.
#[derive(Debug, Clone)]
pub(crate) struct ApplicationSettings {
    pub(crate) friendly_name: String,
    pub(crate) api_version: &'static str,
    pub(crate) webhooks: Webhooks,
    pub(crate) sms_status_callback: String,
    pub(crate) message_status_callback: String,
    pub(crate) public_connect: bool,
}

/// Who answers for a number's calls or messages.
enum Answering<'w> {
    Urls(&'w Webhooks),
    Nobody,
}

impl World {
    /// Makes an Application.
    pub(crate) fn create_application(
        &mut self,
        at: Timestamp,
        account: usize,
        settings: ApplicationSettings,
    ) -> usize {
        let sid = Sid::draw("AP", &mut self.draw(account));
        let index = self.numbering.applications.len();
        self.numbering.applications.push(Application {
            sid,
            account,
            settings,
            created_at: at,
            updated_at: at,
            deleted: false,
        });
        self.enter(sid, index);
        index
    }

    /// The Application of this SID, if this account has it.
    pub(crate) fn application_of(&self, account: usize, sid: &str) -> Option<usize> {
        self.find("AP", sid).filter(|index| {
            let application = &self.numbering.applications[*index];
            application.account == account && !application.deleted
        })
    }

    /// Where a call to a number asks for instructions.
    pub(crate) fn voice_webhook(&self, number: usize) -> Option<Webhook> {
        match self.answers_calls(number) {
            Answering::Urls(urls) => Webhook::of(&urls.voice_url, urls.voice_method),
            Answering::Nobody => None,
        }
    }

    /// Where the end of a call to a number is told.
    pub(crate) fn voice_status_callback(&self, number: usize) -> Option<Webhook> {
        match self.answers_calls(number) {
            Answering::Urls(urls) => {
                Webhook::of(&urls.status_callback, urls.status_callback_method)
            }
            Answering::Nobody => None,
        }
    }

    /// Where a message to a number is told.
    pub(crate) fn sms_webhook(&self, number: usize) -> Option<Webhook> {
        let settings = &self.numbers[number].settings;
        match self.answering(number, settings.sms_application) {
            Answering::Urls(urls) => Webhook::of(&urls.sms_url, urls.sms_method),
            Answering::Nobody => None,
        }
    }

    /// A trunk takes a number's calls for itself and tells nobody.
    fn answers_calls(&self, number: usize) -> Answering<'_> {
        let settings = &self.numbers[number].settings;
        if settings.trunk.is_some() {
            return Answering::Nobody;
        }
        self.answering(number, settings.voice_application)
    }

    fn answering(&self, number: usize, application: Option<Sid>) -> Answering<'_> {
        let number = &self.numbers[number];
        let Some(sid) = application else {
            return Answering::Urls(&number.settings.webhooks);
        };
        self.application_of(number.account, sid.as_str())
            .map_or(Answering::Nobody, |index| {
                Answering::Urls(&self.numbering.applications[index].settings.webhooks)
            })
    }
}
