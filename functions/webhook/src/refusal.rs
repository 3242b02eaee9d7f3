//! Why a callback is not recorded, and what the caller is told: never which check failed before the signature.

use aws_lambda_events::encodings::Body;
use aws_lambda_events::event::apigw::ApiGatewayV2httpResponse;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use runtime::Problem;

/// Twilio gives a callback 15 s in all, retries included.
const RETRY_AFTER_S: u32 = 1;

/// A callback that is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The path is no callback's.
    NotFound,
    /// The path is, the method is not.
    MethodNotAllowed,
    /// Above the limit.
    BodyTooLarge,
    /// Neither a form nor hashed JSON, or compressed.
    UnsupportedMediaType,
    /// Not signed by this tenant's subaccount.
    SignatureInvalid,
    /// Cannot be read, or says what Twilio does not say; what, in our words.
    Malformed(&'static str),
    /// The store or the secrets are out of reach.
    Unavailable,
}

impl Refusal {
    /// The stable code.
    pub(crate) fn code(self) -> &'static str {
        self.problem().code
    }

    fn problem(self) -> Problem {
        match self {
            Self::NotFound => Problem::new(404, "not_found", "There is nothing here"),
            Self::MethodNotAllowed => {
                Problem::new(405, "method_not_allowed", "Callbacks are posted")
            }
            Self::BodyTooLarge => Problem::new(413, "body_too_large", "The body is over 64 KiB"),
            Self::UnsupportedMediaType => Problem::new(
                415,
                "unsupported_media_type",
                "The body is neither a plain form nor JSON with its hash in the address",
            ),
            Self::SignatureInvalid => Problem::new(
                403,
                "signature_invalid",
                "The callback is not signed by this tenant's subaccount",
            ),
            Self::Malformed(what) => {
                Problem::new(400, "malformed_callback", "The callback cannot be read")
                    .with_detail(what)
            }
            Self::Unavailable => {
                Problem::new(503, "temporarily_unavailable", "Send the callback again")
                    .with_retry_after(RETRY_AFTER_S)
            }
        }
    }

    /// The HTTP answer.
    pub(crate) fn into_response(self) -> ApiGatewayV2httpResponse {
        let problem = self.problem();
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(Problem::CONTENT_TYPE),
        );
        if let Some(seconds) = problem.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self == Self::MethodNotAllowed {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = problem.status.into();
        response.headers = headers;
        response.body = Some(Body::Text(problem.to_json()));
        response
    }
}
