//! The client: where Twilio is, how long to wait, and the injected clock, sleep and randomness.
//!
//! It holds no credentials. The HTTP stack is made on first use, so that a start which asks Twilio
//! nothing pays nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::OnceCell;
use url::Url;

use crate::concurrency::Limiter;
use crate::error::{AlarmReason, Error};

/// Tells the time.
pub type NowFn = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
/// Waits.
pub type SleepFn = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;
/// Draws uniformly distributed bits.
pub type RandomFn = Arc<dyn Fn() -> u128 + Send + Sync>;

/// Carries a request in the network's place; no answer is a connection that was lost after it was sent.
pub type Transport = Arc<
    dyn Fn(http::Request<Vec<u8>>) -> BoxFuture<'static, Option<http::Response<Vec<u8>>>>
        + Send
        + Sync,
>;

/// A connection that is not open by then will not open.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);
/// Twilio's servers close idle connections too; a stale one costs a failed request.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a client is made of.
#[derive(Clone)]
pub struct Settings {
    /// Where Twilio is.
    pub base: Base,
    /// The clock; only a `Retry-After` date needs it.
    pub now: NowFn,
    /// The wait between attempts.
    pub sleep: SleepFn,
    /// The source of jitter.
    pub random: RandomFn,
    /// Requests in flight at once, at most; Twilio's answers may lower it for a while.
    pub concurrency_max: usize,
    /// The longest wait for one whole answer.
    pub timeout: Duration,
    /// What carries requests, if not the network.
    pub transport: Option<Transport>,
}

/// Requests in flight at once that a function allows itself: Twilio limits concurrency per account and
/// publishes no number, so this stays low.
const CONCURRENCY_MAX: usize = 8;
/// The longest wait for one answer: shorter than any caller's own limit.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Settings {
    /// What a function uses: Twilio's own hosts, or everything below `TWILIO_API_BASE` if that is set.
    pub fn from_lookup<'a>(
        lookup: impl Fn(&str) -> Option<&'a str>,
        now: NowFn,
        sleep: SleepFn,
        random: RandomFn,
    ) -> Result<Self, BuildError> {
        let base = match lookup("TWILIO_API_BASE") {
            Some(url) => Base::Prefix(Url::parse(url).map_err(|_| BuildError::Base)?),
            None => Base::Twilio,
        };
        Ok(Self {
            base,
            now,
            sleep,
            random,
            concurrency_max: CONCURRENCY_MAX,
            timeout: TIMEOUT,
            transport: None,
        })
    }

    /// The same, with something else to carry requests than the network.
    pub fn with_transport(self, transport: Option<Transport>) -> Self {
        Self { transport, ..self }
    }
}

/// Where Twilio's products are.
#[derive(Debug, Clone)]
pub enum Base {
    /// Twilio's own hosts, one per product.
    Twilio,
    /// One address: the v2010 API at its root, every other product below `/<product>`.
    Prefix(Url),
}

/// A part of Twilio with a host of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// The v2010 API: the only product on which main credentials reach a subaccount.
    Api,
    /// Auth token rotation, geo permissions.
    Accounts,
    /// Restricted API keys.
    Iam,
    /// Messaging services.
    Messaging,
    /// Audit events and alerts.
    Monitor,
    /// Price lists.
    Pricing,
}

impl Product {
    /// The product's name in host and prefix.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Accounts => "accounts",
            Self::Iam => "iam",
            Self::Messaging => "messaging",
            Self::Monitor => "monitor",
            Self::Pricing => "pricing",
        }
    }
}

impl Base {
    /// The address of a product, without a slash at its end.
    pub fn address(&self, product: Product) -> String {
        match (self, product) {
            (Self::Twilio, product) => format!("https://{}.twilio.com", product.as_str()),
            (Self::Prefix(url), Product::Api) => url.as_str().trim_end_matches('/').to_owned(),
            (Self::Prefix(url), product) => {
                format!(
                    "{}/{}",
                    url.as_str().trim_end_matches('/'),
                    product.as_str()
                )
            }
        }
    }
}

/// Settings that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The base is not a plain http or https address.
    #[error("the Twilio base must be an http or https address without user, query and fragment")]
    Base,
    /// No request could ever be in flight.
    #[error("concurrency_max must be at least 1")]
    Concurrency,
    /// No answer could ever arrive in time.
    #[error("timeout must be longer than 0")]
    Timeout,
}

/// Twilio's REST API. Cheap to clone; clones share connections and the concurrency limit.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    limiter: Limiter,
    http: OnceCell<reqwest::Client>,
}

impl Client {
    /// Checks the settings; opens nothing yet.
    pub fn new(settings: Settings) -> Result<Self, BuildError> {
        if let Base::Prefix(url) = &settings.base {
            check_prefix(url)?;
        }
        if settings.concurrency_max == 0 {
            return Err(BuildError::Concurrency);
        }
        if settings.timeout.is_zero() {
            return Err(BuildError::Timeout);
        }
        let limiter = Limiter::new(settings.concurrency_max);
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                limiter,
                http: OnceCell::new(),
            }),
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.inner.limiter
    }

    pub(crate) async fn http(&self) -> Result<&reqwest::Client, Error> {
        self.inner
            .http
            .get_or_try_init(|| async { build_http(self.inner.settings.timeout) })
            .await
    }
}

fn check_prefix(url: &Url) -> Result<(), BuildError> {
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain { Ok(()) } else { Err(BuildError::Base) }
}

/// Roots are compiled in and the provider is named here: reading a machine's certificate store would
/// cost start-up time, and a process-wide default provider would depend on who came first.
fn build_http(timeout: Duration) -> Result<reqwest::Client, Error> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::alarm(AlarmReason::Client).caused_by(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // A redirect or a proxy from the environment would carry credentials elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // What may be asked again is decided in `retry`, nowhere else.
        .retry(reqwest::retry::never())
        .timeout(timeout)
        .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::alarm(AlarmReason::Client).caused_by(error.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base: Base) -> Settings {
        Settings {
            base,
            now: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
            sleep: Arc::new(|_| Box::pin(async {})),
            random: Arc::new(|| 0),
            concurrency_max: 2,
            timeout: Duration::from_secs(1),
            transport: None,
        }
    }

    #[test]
    fn a_product_has_its_host_or_its_prefix() {
        let prefix = Base::Prefix(Url::parse("http://127.0.0.1:9/").unwrap());
        assert_eq!(Base::Twilio.address(Product::Api), "https://api.twilio.com");
        assert_eq!(Base::Twilio.address(Product::Iam), "https://iam.twilio.com");
        assert_eq!(prefix.address(Product::Api), "http://127.0.0.1:9");
        assert_eq!(
            prefix.address(Product::Accounts),
            "http://127.0.0.1:9/accounts"
        );
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for wrong in [
            "ftp://host/",
            "http://user:secret@host/",
            "http://host/?a=b",
            "http://host/#a",
            "data:,x",
        ] {
            let base = Base::Prefix(Url::parse(wrong).unwrap());
            assert_eq!(
                Client::new(settings(base)).err(),
                Some(BuildError::Base),
                "{wrong}"
            );
        }
        let none = Settings {
            concurrency_max: 0,
            ..settings(Base::Twilio)
        };
        assert_eq!(Client::new(none).err(), Some(BuildError::Concurrency));
        let never = Settings {
            timeout: Duration::ZERO,
            ..settings(Base::Twilio)
        };
        assert_eq!(Client::new(never).err(), Some(BuildError::Timeout));
    }

    #[test]
    fn the_tls_stack_builds_without_a_process_default() {
        assert!(build_http(Duration::from_secs(1)).is_ok());
    }
}
