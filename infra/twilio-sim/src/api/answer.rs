//! Answers and refusals in the v2010 form.

use crate::json::Obj;

use super::ask::{Ask, Product};

/// What is sent back; status 0 closes the connection instead.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(String, String)>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            body,
            content_type: "application/json; charset=utf-8",
            headers: Vec::new(),
        }
    }

    /// Whether its body, if any, is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.content_type.starts_with("application/json")
    }

    pub(crate) fn no_content() -> Self {
        Self::json(204, Vec::new())
    }

    /// An answer of one object.
    pub(crate) fn object(status: u16, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut body = Vec::with_capacity(2048);
        write(&mut body);
        Self::json(status, body)
    }
}

/// A refusal with Twilio's code.
pub(crate) struct Refusal {
    status: u16,
    code: u32,
    message: String,
    xml: bool,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            xml: false,
        }
    }

    /// A refusal of a request's parameters.
    pub(crate) fn bad(code: u32, message: &str) -> Self {
        Self::new(400, code, message)
    }

    pub(crate) fn not_found(ask: &Ask) -> Self {
        // Only the v2010 API names its version here.
        let path = match ask.path.strip_prefix("/v").and_then(|rest| rest.find('/')) {
            Some(version) if ask.product != Product::Api => &ask.path[version + 2..],
            _ => &ask.path,
        };
        Self::new(
            404,
            20_404,
            format!("The requested resource {path} was not found"),
        )
    }

    /// A SID that is none, or one of something else.
    pub(crate) fn invalid_sid() -> Self {
        Self::bad(70_002, "Invalid Sid provided in the request")
    }

    /// A parameter that must be there.
    pub(crate) fn missing(name: &str) -> Self {
        Self::bad(20_001, &format!("Missing required parameter {name}"))
    }

    /// A parameter with a value that it cannot have.
    pub(crate) fn invalid(name: &str) -> Self {
        Self::bad(20_001, &format!("Invalid {name}"))
    }

    /// Values that do not fit the newer products' constraints.
    pub(crate) fn constraint_violations() -> Self {
        Self::bad(70_001, "The request has constraint violations")
    }

    /// Without `.json` Twilio answers in XML.
    pub(crate) fn xml_not_found(ask: &Ask) -> Self {
        Self {
            xml: true,
            ..Self::not_found(ask)
        }
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, 20_004, "Method not allowed")
    }

    pub(crate) fn unauthenticated(message: &str) -> Self {
        Self::new(401, 20_003, message)
    }

    /// What a restricted key is told that is not allowed this.
    pub(crate) fn authorization_failed(permission: &str) -> Self {
        let permission = permission.trim_start_matches('/');
        let message = format!("Authorization Error: required permission {permission} is missing");
        Self::new(401, 70_051, message)
    }

    pub(crate) fn not_active() -> Self {
        Self::new(401, 20_005, "Account not active")
    }

    /// Live calls and messages on their way cannot be deleted, nor the latter redacted.
    pub(crate) fn not_complete() -> Self {
        Self::bad(20_009, "Cannot delete this resource before it is complete")
    }

    /// What Twilio would say with this status.
    pub(crate) fn of_status(status: u16, code: Option<u32>) -> Self {
        let (usual, message) = match status {
            401 => (20_003, "Authenticate"),
            403 => (20_403, "Forbidden"),
            404 => (20_404, "The requested resource was not found"),
            429 => (20_429, "Too many requests"),
            503 => (20_503, "Service unavailable"),
            500.. => (20_500, "Internal server error"),
            _ => (20_001, "Invalid parameter"),
        };
        Self::new(status, code.unwrap_or(usual), message)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let more_info = format!("https://www.twilio.com/docs/errors/{}", refusal.code);
        if refusal.xml {
            let body = format!(
                "<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse><RestException><Code>{}</Code><Message>{}</Message><MoreInfo>{more_info}</MoreInfo><Status>{}</Status></RestException></TwilioResponse>",
                refusal.code,
                refusal.message.replace('&', "&amp;").replace('<', "&lt;"),
                refusal.status
            );
            let content_type = "application/xml";
            return Self {
                status: refusal.status,
                body: body.into_bytes(),
                content_type,
                headers: Vec::new(),
            };
        }
        Self::object(refusal.status, |out| {
            let mut object = Obj::open(out);
            object
                .int("code", i64::from(refusal.code))
                .str("message", &refusal.message)
                .str("more_info", &more_info)
                .int("status", i64::from(refusal.status));
            object.close();
        })
    }
}
