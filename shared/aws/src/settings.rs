//! Lean SDK set-up: Lambda's environment instead of the provider chain, ring instead of aws-lc, Amazon's own
//! root certificates instead of the operating system's store, one HTTP client for every service.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::app_name::AppName;
use aws_types::region::Region;
use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::Names;

/// Tells the time.
pub type NowFn = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Waits.
pub type SleepFn = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// How long one SDK call may take before it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries, the first included.
    pub attempts: u32,
    /// A connection that takes longer is given up.
    pub connect: Duration,
    /// One try that takes longer is given up and, where safe, repeated.
    pub attempt: Duration,
    /// The pause before the second try is at most this long; each further one at most double.
    pub pause: Duration,
}

impl Patience {
    /// For work that nobody waits for.
    pub const BACKGROUND: Self = Self {
        attempts: 3,
        connect: Duration::from_secs(2),
        attempt: Duration::from_secs(4),
        pause: Duration::from_secs(1),
    };

    /// For answers that Twilio waits for 2.5 s: it is told in time to send the callback again.
    pub const CALLBACK: Self = Self {
        attempts: 2,
        connect: Duration::from_millis(500),
        attempt: Duration::from_millis(900),
        pause: Duration::from_millis(100),
    };

    /// The longest that a call takes to fail.
    pub fn longest(self) -> Duration {
        let pauses = 2_u32.saturating_pow(self.attempts.saturating_sub(1)) - 1;
        self.attempt * self.attempts + self.pause * pauses
    }
}

/// Settings that no client can be built from.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A variable that Lambda always sets is missing.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// A value has a form that the SDK refuses.
    #[error("{0} is not usable")]
    Malformed(&'static str),
}

/// What the clients are built from.
#[derive(Clone)]
pub struct Settings {
    stage: String,
    app_name: AppName,
    region: Region,
    credentials: Credentials,
    endpoints: [Option<String>; 5],
    now: NowFn,
    sleep: SleepFn,
    transport: Option<SharedHttpClient>,
    patience: Patience,
}

impl Settings {
    /// Reads Lambda's environment through `lookup`. `function` is sent as the SDK's app name.
    pub fn from_lookup<'a>(
        lookup: impl Fn(&str) -> Option<&'a str>,
        function: &str,
        now: NowFn,
        sleep: SleepFn,
    ) -> Result<Self, SettingsError> {
        let require = |name: &'static str| lookup(name).ok_or(SettingsError::Missing(name));
        let credentials = Credentials::from_keys(
            require("AWS_ACCESS_KEY_ID")?,
            require("AWS_SECRET_ACCESS_KEY")?,
            lookup("AWS_SESSION_TOKEN").map(str::to_owned),
        );
        let endpoint = |service: &str| {
            lookup(&format!("AWS_ENDPOINT_URL_{service}"))
                .or_else(|| lookup("AWS_ENDPOINT_URL"))
                .map(str::to_owned)
        };
        Ok(Self {
            stage: require("TOLLGATE_STAGE")?.to_owned(),
            app_name: AppName::new(format!("tollgate-{function}"))
                .map_err(|_| SettingsError::Malformed("function name"))?,
            region: Region::new(require("AWS_REGION")?.to_owned()),
            credentials,
            endpoints: ["DYNAMODB", "SECRETS_MANAGER", "SQS", "EVENTBRIDGE", "S3"].map(endpoint),
            now,
            sleep,
            transport: None,
            patience: Patience::BACKGROUND,
        })
    }

    /// Sends everything through this transport and never times out: for tests and the local stack, whose
    /// virtual sleep would let a timeout elapse at once.
    pub fn with_transport(mut self, transport: SharedHttpClient) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Gives calls up after this long.
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Names of this stage's resources.
    pub fn names(&self) -> Names {
        Names::new(&self.stage)
    }

    /// The time.
    pub fn now_fn(&self) -> NowFn {
        self.now.clone()
    }

    /// Waiting.
    pub fn sleep_fn(&self) -> SleepFn {
        self.sleep.clone()
    }

    /// Builds the clients over one HTTP client.
    pub fn clients(&self) -> Result<Clients, SettingsError> {
        let http = match &self.transport {
            Some(transport) => transport.clone(),
            None => http_client(
                self.endpoints
                    .iter()
                    .flatten()
                    .any(|url| url.starts_with("http://")),
            )?,
        };
        macro_rules! client {
            ($sdk:ident, $index:literal $(, $option:ident = $value:expr)*) => {{
                let mut config = $sdk::Config::builder()
                    .behavior_version($sdk::config::BehaviorVersion::latest())
                    .region(self.region.clone())
                    .credentials_provider(self.credentials.clone())
                    .app_name(self.app_name.clone())
                    .http_client(http.clone())
                    .time_source(Clock(self.now.clone()))
                    .sleep_impl(Sleeper(self.sleep.clone()))
                    .stalled_stream_protection(
                        $sdk::config::StalledStreamProtectionConfig::disabled(),
                    )
                    .retry_config(self.retries())
                    .timeout_config(self.timeouts())
                    $(.$option($value))*;
                if let Some(url) = &self.endpoints[$index] {
                    config = config.endpoint_url(url);
                }
                $sdk::Client::from_conf(config.build())
            }};
        }
        Ok(Clients {
            dynamodb: client!(aws_sdk_dynamodb, 0),
            secrets: client!(aws_sdk_secretsmanager, 1),
            sqs: client!(aws_sdk_sqs, 2),
            events: client!(aws_sdk_eventbridge, 3),
            // An address of one's own has no name per bucket; the body's hash is signed anyway.
            objects: client!(
                aws_sdk_s3,
                4,
                force_path_style = self.endpoints[4].is_some(),
                request_checksum_calculation =
                    aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired,
                response_checksum_validation =
                    aws_sdk_s3::config::ResponseChecksumValidation::WhenRequired
            ),
        })
    }

    fn retries(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.patience.attempts)
            .with_initial_backoff(self.patience.pause)
    }

    fn timeouts(&self) -> TimeoutConfig {
        if self.transport.is_some() {
            return TimeoutConfig::disabled();
        }
        TimeoutConfig::builder()
            .connect_timeout(self.patience.connect)
            .operation_attempt_timeout(self.patience.attempt)
            .build()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Settings({})", self.stage)
    }
}

/// The SDK clients.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Secrets.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Bus.
    pub events: aws_sdk_eventbridge::Client,
    /// Objects.
    pub objects: aws_sdk_s3::Client,
}

fn http_client(plain: bool) -> Result<SharedHttpClient, SettingsError> {
    let builder = aws_smithy_http_client::Builder::new();
    if plain {
        return Ok(builder.build_http());
    }
    let trust =
        TrustStore::empty().with_pem_certificate(include_bytes!("amazon_roots.pem").as_slice());
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|_| SettingsError::Malformed("Amazon's root certificates"))?;
    Ok(builder
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}

struct Clock(NowFn);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::from((self.0)())
    }
}

struct Sleeper(SleepFn);

impl fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleeper")
    }
}

impl AsyncSleep for Sleeper {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(Exclusive(Mutex::new((self.0)(duration))))
    }
}

/// The SDK wants a future that can be shared between threads; nobody but `poll` ever touches it.
struct Exclusive(Mutex<BoxFuture<'static, ()>>);

impl Future for Exclusive {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_down_is_known_before_twilio_gives_a_try_up() {
        assert!(Patience::CALLBACK.longest() < Duration::from_millis(2_500));
        assert_eq!(Patience::CALLBACK.longest(), Duration::from_millis(1_900));
    }
}
