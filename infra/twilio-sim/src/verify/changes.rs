//! What befalls callbacks between Twilio and the code that checks them, each undone: a request, and what it
//! would have been. A change that changes nothing is none.

mod addresses;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::vector::{Format, Request};
use addresses::{origins, paths, queries};

/// What was changed, and the request with that change.
pub(super) type Changed = (Cow<'static, str>, Request);

/// Undoes one kind of accident.
type Change = fn(&Request) -> Vec<Changed>;

/// Every accident that is tried, alone and with another one, the likeliest first.
pub(super) const CHANGES: &[Change] = &[
    signatures, secrets, algorithms, origins, paths, queries, texts, fields, bodies,
];

/// Keeps what differs from the request.
struct Tries<'a> {
    request: &'a Request,
    changed: Vec<Changed>,
}

impl<'a> Tries<'a> {
    fn of(request: &'a Request) -> Self {
        Self {
            request,
            changed: Vec::new(),
        }
    }

    fn add(&mut self, what: impl Into<Cow<'static, str>>, change: impl FnOnce(&mut Request)) {
        let mut changed = self.request.clone();
        change(&mut changed);
        if changed != *self.request {
            self.changed.push((what.into(), changed));
        }
    }

    fn url(&mut self, what: impl Into<Cow<'static, str>>, url: String) {
        self.add(what, |changed| changed.url = url);
    }

    fn values(&mut self, what: &'static str, change: impl Fn(&str) -> String) {
        self.add(what, |changed| {
            for (_, value) in &mut changed.params {
                *value = change(value);
            }
        });
    }
}

fn signatures(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    let trimmed = request
        .signature
        .trim_matches(|c: char| c.is_whitespace() || c == '"');
    tries.add("blanks or quotes around the signature removed", |changed| {
        trimmed.clone_into(&mut changed.signature);
    });
    let unpadded = trimmed
        .trim_end_matches('=')
        .replace('-', "+")
        .replace('_', "/");
    let padding = "=".repeat((4 - unpadded.len() % 4) % 4);
    tries.add("the signature in standard base64 with padding", |changed| {
        changed.signature = unpadded.clone() + &padding;
    });
    tries.add(
        "+ for the blanks in the signature, which was taken from a form",
        |changed| {
            changed.signature = trimmed.replace(' ', "+");
        },
    );
    tries.changed
}

fn secrets(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    let trimmed = request
        .secret
        .trim_matches(|c: char| c.is_whitespace() || c == '"');
    tries.add("blanks or quotes around the token removed", |changed| {
        trimmed.clone_into(&mut changed.secret);
    });
    tries.add("the token in lower case", |changed| {
        changed.secret.make_ascii_lowercase();
    });
    tries.changed
}

fn algorithms(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    for name in ["HMAC_SHA1", "HMAC_SHA256"] {
        if !request
            .algorithm
            .as_deref()
            .unwrap_or("HMAC_SHA1")
            .eq_ignore_ascii_case(name)
        {
            tries.add(format!("algorithm {name}"), |changed| {
                changed.algorithm = Some(name.to_owned());
            });
        }
    }
    tries.changed
}

/// What happens to each value alike.
fn texts(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    tries.values("the fields trimmed", |value| value.trim().to_owned());
    tries.values(
        "+ for a blank before a number, which was decoded twice",
        |value| match value.strip_prefix(' ') {
            Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("+{number}")
            }
            _ => value.to_owned(),
        },
    );
    tries.values("the fields decoded once more", |value| {
        decoded(&value.replace('+', " "))
    });
    tries.values("%-escapes in the fields decoded", decoded);
    tries.values("HTML entities in the fields undone", |value| {
        let undone = value
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"");
        undone
            .replace("&#39;", "'")
            .replace("&#x27;", "'")
            .replace("&amp;", "&")
    });
    tries.values("CR LF for LF in the fields", |value| {
        value.replace("\r\n", "\n").replace('\n', "\r\n")
    });
    tries.values("LF for CR LF in the fields", |value| {
        value.replace("\r\n", "\n")
    });
    tries.values("empty values for null, None or undefined", |value| {
        let is_nothing = ["null", "None", "undefined"].contains(&value);
        if is_nothing {
            String::new()
        } else {
            value.to_owned()
        }
    });
    tries.changed
}

/// Which fields there are.
fn fields(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    // Without the members of a JSON body there would be nothing left to be signed.
    if request.body.is_empty() {
        tries.add("no fields", |changed| changed.params.clear());
    }
    tries.add("empty fields left out", |changed| {
        changed.params.retain(|(_, value)| !value.is_empty());
    });
    tries.add("the fields' names without []", |changed| {
        for (name, _) in &mut changed.params {
            if let Some(plain) = name.strip_suffix("[]") {
                *name = plain.to_owned();
            }
        }
    });
    tries.changed
}

/// Tried alone only, since there may be many: a field that the code before the check put in.
pub(super) fn fields_left_out(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    for at in 0..request.params.len().min(FIELDS_LEFT_OUT_MAX) {
        let name = &request.params[at].0;
        tries.add(format!("field {name:?} left out"), |changed| {
            changed.params.remove(at);
        });
    }
    tries.changed
}

/// One field at a time is left out among the first so many; Twilio's largest callbacks have about 40.
const FIELDS_LEFT_OUT_MAX: usize = 60;

/// JSON taken for a form, and the reverse; a body that was written again.
fn bodies(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    if request.format == Format::Form {
        if !request.body.is_empty() {
            tries.add("the body as JSON, by its hash in the address", |changed| {
                changed.format = Format::Json;
            });
        }
        return tries.changed;
    }
    if let Some(params) = members(&request.body) {
        tries.add(
            "the JSON body's members as the fields of a form",
            |changed| {
                changed.format = Format::Form;
                changed.params = params;
            },
        );
    }
    if !request.params.is_empty() {
        tries.add(
            "content type form, with the fields that were given",
            |changed| {
                changed.format = Format::Form;
            },
        );
    }
    let body = &request.body;
    for (what, written) in [
        (
            "the body without white space around it",
            body.trim().to_owned(),
        ),
        ("a line's end after the body", format!("{body}\n")),
        ("LF for CR LF in the body", body.replace("\r\n", "\n")),
        (
            "CR LF for LF in the body",
            body.replace("\r\n", "\n").replace('\n', "\r\n"),
        ),
        (
            "no byte order mark before the body",
            body.trim_start_matches('\u{feff}').to_owned(),
        ),
    ] {
        tries.add(what, |changed| changed.body = written);
    }
    tries.changed
}

fn members(body: &str) -> Option<Vec<(String, String)>> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(body).ok()?;
    let members = object.into_iter().map(|(name, value)| {
        let value = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        (name, value)
    });
    Some(members.collect())
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
