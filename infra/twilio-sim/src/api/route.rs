//! Paths and what they name. The template is what counters count by.

use crate::usage::period::Span;

use super::ask::{Ask, Product};

/// What a path names.
pub(crate) enum Resource {
    Accounts,
    Account,
    Balance,
    Keys,
    Key(String),
    Usage(Span),
    Calls,
    Call(String),
    Messages,
    Message(String),
    Numbers,
    Number(String),
}

/// A path, understood.
pub(crate) struct Route {
    pub(crate) resource: Option<Resource>,
    pub(crate) template: &'static str,
    pub(crate) account: Option<String>,
}

impl Route {
    /// Reads the path.
    pub(crate) fn of(ask: &Ask) -> Self {
        let segments: Vec<&str> = ask.segments.iter().map(String::as_str).collect();
        let account = segments.get(1).map(|sid| (*sid).to_owned());
        if ask.product != Product::Api {
            return Self {
                resource: None,
                template: "other product",
                account: None,
            };
        }
        match resource(&segments) {
            Some((resource, template)) => Self {
                resource: Some(resource),
                template,
                account,
            },
            None => Self {
                resource: None,
                template: "unknown",
                account: None,
            },
        }
    }

    /// Whether it manages accounts or keys, which standard keys may not.
    pub(crate) fn manages(&self) -> bool {
        matches!(
            self.resource,
            Some(Resource::Accounts | Resource::Account | Resource::Keys | Resource::Key(_))
        )
    }
}

fn resource(segments: &[&str]) -> Option<(Resource, &'static str)> {
    let named = |sid: &&str| (*sid).to_owned();
    Some(match segments {
        ["Accounts"] => (Resource::Accounts, "/Accounts"),
        ["Accounts", _] => (Resource::Account, "/Accounts/{Sid}"),
        ["Accounts", _, "Balance"] => (Resource::Balance, "/Balance"),
        ["Accounts", _, "Keys"] => (Resource::Keys, "/Keys"),
        ["Accounts", _, "Keys", sid] => (Resource::Key(named(sid)), "/Keys/{Sid}"),
        ["Accounts", _, "Usage", "Records"] => (Resource::Usage(Span::Root), "/Usage/Records"),
        ["Accounts", _, "Usage", "Records", span] => {
            let span = Span::parse(span)?;
            (Resource::Usage(span), usage_template(span))
        }
        ["Accounts", _, "Calls"] => (Resource::Calls, "/Calls"),
        ["Accounts", _, "Calls", sid] => (Resource::Call(named(sid)), "/Calls/{Sid}"),
        ["Accounts", _, "Messages"] => (Resource::Messages, "/Messages"),
        ["Accounts", _, "Messages", sid] => (Resource::Message(named(sid)), "/Messages/{Sid}"),
        ["Accounts", _, "IncomingPhoneNumbers"] => (Resource::Numbers, "/IncomingPhoneNumbers"),
        ["Accounts", _, "IncomingPhoneNumbers", sid] => {
            (Resource::Number(named(sid)), "/IncomingPhoneNumbers/{Sid}")
        }
        _ => return None,
    })
}

fn usage_template(span: Span) -> &'static str {
    match span {
        Span::Root => "/Usage/Records",
        Span::Daily => "/Usage/Records/Daily",
        Span::Monthly => "/Usage/Records/Monthly",
        Span::Yearly => "/Usage/Records/Yearly",
        Span::AllTime => "/Usage/Records/AllTime",
        Span::Today => "/Usage/Records/Today",
        Span::Yesterday => "/Usage/Records/Yesterday",
        Span::ThisMonth => "/Usage/Records/ThisMonth",
        Span::LastMonth => "/Usage/Records/LastMonth",
    }
}
