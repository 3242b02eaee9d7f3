//! One request: built by its product, for `send` to send.

use std::marker::PhantomData;

use domain::Date;

use crate::hosts::Host;
use crate::values::TimeBound;

/// What a path's template calls the account that the path is about.
const ACCOUNT_NAME: &str = "AccountSid";

/// What a request does at Twilio, which decides whether it may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Read,
    /// The same however often it is done.
    Idempotent,
    /// Something else each time: one more resource, one more token.
    Create { what_to_look_for: &'static str },
}

/// A request to one product, not yet in anyone's name.
#[derive(Debug, Clone)]
pub(crate) struct Request<H> {
    pub(crate) method: reqwest::Method,
    pub(crate) template: &'static str,
    /// Path and query, from the product's root.
    pub(crate) target: String,
    /// The account that the path is about, if it names one.
    pub(crate) account_sid: Option<String>,
    pub(crate) form: String,
    pub(crate) effect: Effect,
    host: PhantomData<fn() -> H>,
}

impl<H: Host> Request<H> {
    /// Identifiers are checked types at the caller, so they need no escaping.
    pub(crate) fn new(
        method: reqwest::Method,
        template: &'static str,
        ids: &[&str],
        effect: Effect,
    ) -> Self {
        let mut target = String::with_capacity(template.len() + 64);
        let mut account_sid = None;
        let mut ids = ids.iter();
        for (index, part) in template.split(['{', '}']).enumerate() {
            // Between braces stands a name, whose identifier is next.
            if index % 2 == 0 {
                target.push_str(part);
                continue;
            }
            let id = ids.next().expect("a path has as many names as identifiers");
            if part == ACCOUNT_NAME {
                account_sid = Some((*id).to_owned());
            }
            target.push_str(id);
        }
        Self {
            method,
            template,
            target,
            account_sid,
            form: String::new(),
            effect,
            host: PhantomData,
        }
    }

    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.target
            .push(if self.target.contains('?') { '&' } else { '?' });
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        self.target
            .push_str(&pairs.append_pair(name, value).finish());
        self
    }

    /// Adds a query parameter if there is a value for it.
    pub(crate) fn query_if(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, &value.to_string()),
            None => self,
        }
    }

    /// Adds the filters `name`, `name>` and `name<` as far as there are bounds for them.
    pub(crate) fn query_time(
        self,
        name: &str,
        on: Option<Date>,
        from: Option<TimeBound>,
        before: Option<TimeBound>,
    ) -> Self {
        self.query_if(name, on)
            .query_if(&format!("{name}>"), from.map(TimeBound::first))
            .query_if(&format!("{name}<"), before.map(TimeBound::end))
    }

    /// Adds a form field.
    pub(crate) fn form(mut self, name: &str, value: &str) -> Self {
        self.form = form_urlencoded::Serializer::new(self.form)
            .append_pair(name, value)
            .finish();
        self
    }

    /// Adds a form field if there is a value for it. An empty text is a value: it clears what was set.
    pub(crate) fn form_if(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.form(name, &value.to_string()),
            None => self,
        }
    }

    /// Adds a form field once for each value.
    pub(crate) fn form_each<T: ToString>(self, name: &str, values: &[T]) -> Self {
        values.iter().fold(self, |request, value| {
            request.form(name, &value.to_string())
        })
    }

    /// The same request to another place: path and query, from the product's root.
    pub(crate) fn at(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// Path and query, from the product's root.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::Api;

    #[test]
    fn names_in_a_path_are_replaced_in_order() {
        let request = Api::get("/a/{First}/b/{Second}.json", &["1", "2"])
            .query("StartTime>", "2026-03-01 x")
            .query("Status", "in-progress");
        assert_eq!(
            request.target(),
            "/a/1/b/2.json?StartTime%3E=2026-03-01+x&Status=in-progress"
        );
    }

    #[test]
    fn a_path_tells_which_account_it_is_about() {
        let about = |template, ids: &[&str]| Api::get(template, ids).account_sid;
        assert_eq!(
            about("/a/{CallSid}/{AccountSid}.json", &["CA1", "AC1"]).as_deref(),
            Some("AC1")
        );
        assert_eq!(about("/2010-04-01/Accounts.json", &[]), None);
    }

    #[test]
    fn an_empty_value_is_sent_and_an_absent_one_is_not() {
        let request = Api::post("/a", &[], Effect::Idempotent)
            .form_if("VoiceUrl", Some(""))
            .form_if("SmsUrl", None::<&str>)
            .form_each("Event", &["a b", "c"]);
        assert_eq!(request.form, "VoiceUrl=&Event=a+b&Event=c");
    }
}
