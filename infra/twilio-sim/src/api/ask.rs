//! A request as the API sees it: host and prefix resolved, parameters read, credentials taken out.

use std::net::IpAddr;

use axum::http::{HeaderMap, header, request::Parts};
use base64::Engine as _;
use jiff::Timestamp;

use crate::server::Peer;

/// One of Twilio's products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    Api,
    Accounts,
    Iam,
    Messaging,
    Monitor,
    Pricing,
    /// One that is not simulated.
    Other,
}

const PRODUCTS: [(&str, Product); 8] = [
    ("api", Product::Api),
    ("accounts", Product::Accounts),
    ("iam", Product::Iam),
    ("messaging", Product::Messaging),
    ("monitor", Product::Monitor),
    ("pricing", Product::Pricing),
    ("events", Product::Other),
    ("webhooks", Product::Other),
];

impl Product {
    /// The product's name in its host.
    pub(crate) fn as_str(self) -> &'static str {
        PRODUCTS
            .iter()
            .find(|(_, product)| *product == self)
            .map_or("other", |(name, _)| name)
    }

    fn of_name(name: &str) -> Option<Self> {
        PRODUCTS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, product)| *product)
    }
}

/// Twilio's products are told apart by host, or by the first segment of the path.
pub(crate) fn product_of<'p>(host: Option<&str>, path: &'p str) -> (Product, &'p str) {
    if let Some(name) = host.and_then(twilio_product) {
        return (Product::of_name(name).unwrap_or(Product::Other), path);
    }
    let first = path.split('/').nth(1).unwrap_or_default();
    match Product::of_name(first) {
        // What follows the prefix keeps its slash.
        Some(product) if path.len() > first.len() + 1 => (product, &path[first.len() + 1..]),
        _ => (Product::Api, path),
    }
}

/// Whether a request is for the simulator, where it shares a port with others.
pub(crate) fn claims(host: Option<&str>, path: &str) -> bool {
    let under = |prefix: &str| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    host.and_then(twilio_product).is_some()
        || under("/2010-04-01")
        || under("/_sim")
        || PRODUCTS.iter().any(|(product, _)| {
            // A product's prefix is followed by a version, which other paths are not.
            path.strip_prefix('/')
                .and_then(|path| path.strip_prefix(product))
                .is_some_and(|rest| {
                    rest.starts_with("/v1")
                        || rest.starts_with("/v2")
                        || rest.starts_with("/2010-04-01")
                })
        })
}

fn twilio_product(host: &str) -> Option<&str> {
    let name = host.split(':').next()?;
    name.strip_suffix(".twilio.com")?.split('.').next()
}

/// How a page goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum PageFault {
    Repeat,
    Next(String),
}

/// A request.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: String,
    /// Without product prefix.
    pub(crate) path: String,
    pub(crate) path_and_query: String,
    pub(crate) product: Product,
    /// Path segments: on the v2010 API those after the version, the last one without `.json`.
    pub(crate) segments: Vec<String>,
    pub(crate) json: bool,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) form: Vec<(String, String)>,
    /// User and password, if any were sent in a form that can be read.
    pub(crate) basic: Option<(String, String)>,
    /// Where it came from, if it came over a connection of the simulator's own.
    pub(crate) peer: Option<IpAddr>,
    pub(crate) now: Timestamp,
    pub(crate) page_fault: Option<PageFault>,
    pub(crate) price_null: bool,
    pub(crate) price_unit: Option<String>,
}

impl Ask {
    pub(crate) fn read(parts: &Parts, body: &[u8], now: Timestamp) -> Self {
        let (product, path) = product_of(host(parts), parts.uri.path());
        let query = parts.uri.query().unwrap_or_default();
        let below = match product {
            Product::Api => path.strip_prefix("/2010-04-01/").unwrap_or_default(),
            _ => path,
        };
        let plain = below.strip_suffix(".json");
        let segments = plain
            .unwrap_or(below)
            .split('/')
            .filter(|segment| !segment.is_empty());
        Self {
            method: parts.method.as_str().to_owned(),
            path: path.to_owned(),
            path_and_query: if query.is_empty() {
                path.to_owned()
            } else {
                format!("{path}?{query}")
            },
            product,
            segments: segments.map(str::to_owned).collect(),
            json: plain.is_some() || product != Product::Api,
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            form: form_urlencoded::parse(body).into_owned().collect(),
            basic: basic(&parts.headers),
            peer: parts.extensions.get::<Peer>().map(|peer| peer.0),
            now,
            page_fault: None,
            price_null: false,
            price_unit: None,
        }
    }

    /// A query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// A form field; empty is absent.
    pub(crate) fn form(&self, name: &str) -> Option<&str> {
        find(&self.form, name)
    }

    /// A form field that may be set to nothing.
    pub(crate) fn form_set(&self, name: &str) -> Option<&str> {
        self.form
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a repeated form field.
    pub(crate) fn form_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.form
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.as_str())
}

/// The host that was asked for: HTTP/1's header, or the URI's in absolute form.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .or_else(|| parts.uri.host())
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(encoded.trim())
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_told_by_host_or_prefix() {
        assert_eq!(
            product_of(Some("api.twilio.com"), "/2010-04-01/x"),
            (Product::Api, "/2010-04-01/x")
        );
        assert_eq!(
            product_of(Some("iam.twilio.com"), "/v1/Keys"),
            (Product::Iam, "/v1/Keys")
        );
        assert_eq!(
            product_of(Some("127.0.0.1:1"), "/iam/v1/Keys"),
            (Product::Iam, "/v1/Keys")
        );
        assert_eq!(
            product_of(None, "/api/2010-04-01/x"),
            (Product::Api, "/2010-04-01/x")
        );
        assert_eq!(
            product_of(None, "/2010-04-01/x"),
            (Product::Api, "/2010-04-01/x")
        );
    }

    #[test]
    fn only_twilio_s_paths_are_claimed() {
        for path in [
            "/2010-04-01/Accounts.json",
            "/_sim/clock",
            "/accounts/v1/AuthTokens/Promote",
            "/api/2010-04-01/x",
        ] {
            assert!(claims(Some("127.0.0.1:9"), path), "{path}");
        }
        for path in [
            "/v1/tenants",
            "/",
            "/twilio/ten_1/sms",
            "/_simulated",
            "/accounts",
        ] {
            assert!(!claims(Some("127.0.0.1:9"), path), "{path}");
        }
        assert!(claims(Some("api.twilio.com"), "/anything"));
    }
}
