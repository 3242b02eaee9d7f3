//! The function: an HTTP API event goes to the routes, a queue's event to the saga.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws::{Archive, Command, Secrets, Store};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use axum::Router;
use axum::response::IntoResponse as _;
use lambda_runtime::{Error, LambdaEvent};
use runtime::{Environment, Host};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::app::{App, router};
use crate::auth::KeyCache;
use crate::event;
use crate::extract::{Caller, Edge};
use crate::main_account::MainAccount;
use crate::problem::LoggedFailure;
use crate::resume::resume;

/// The Lambda `provisioning`.
pub struct Function {
    app: Arc<App>,
    router: Router,
}

impl Function {
    /// Builds the clients once.
    pub fn new(
        environment: &Environment,
        host: &Host,
        settings: &aws::Settings,
    ) -> Result<Self, Error> {
        let clients = settings.clients()?;
        let lookup = |name: &str| environment.get(name);
        let twilio = twilio::Settings::from_lookup(
            lookup,
            host.now.clone(),
            host.sleep.clone(),
            host.random.clone(),
        )?
        .with_transport(host.wire.clone());
        let secrets = Secrets::new(&clients, &settings.names());
        let app = Arc::new(App {
            store: Store::new(settings, &clients),
            main: MainAccount::new(secrets.clone(), host),
            secrets,
            archive: Archive::new(&clients, environment.require("TOLLGATE_ARCHIVE_BUCKET")?),
            twilio: twilio::Client::new(twilio)?,
            host: host.clone(),
            public_base_url: environment
                .require_base_url("TOLLGATE_PUBLIC_BASE_URL")?
                .to_owned(),
            token_rotation_days: rotation_days(environment)?,
            keys: KeyCache::default(),
            plans: Mutex::new(HashMap::new()),
        });
        let router = router(&app);
        Ok(Self { app, router })
    }

    /// Opens the store's connection.
    pub async fn warm_up(&self) {
        self.app.store.warm_up().await;
    }

    /// Handles an HTTP API event (payload version 2) or an SQS event.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let request_id = event.context.request_id;
        if event::is_from_queue(&event.payload) {
            let batch: SqsEvent = serde_json::from_value(event.payload)?;
            Ok(serde_json::to_value(
                Box::pin(self.resume_all(batch, &request_id)).await,
            )?)
        } else {
            self.answer(event.payload, request_id).await
        }
    }

    async fn answer(&self, event: Value, request_id: String) -> Result<Value, Error> {
        let request = match event::into_request(event) {
            Ok(mut request) => {
                let method = request.method().clone();
                let edge = Edge {
                    request_id: request_id.clone(),
                    began_at: self.app.host.now(),
                    path: request.uri().path().to_owned(),
                };
                request.extensions_mut().insert(edge);
                Ok((method, request))
            }
            Err(failure) => Err(failure),
        };
        let (method, response) = match request {
            Ok((method, request)) => {
                let response = self.router.clone().oneshot(request).await;
                (method.to_string(), response.into_response())
            }
            Err(failure) => (String::new(), failure.into_response()),
        };
        let status = response.status().as_u16();
        match response.extensions().get::<LoggedFailure>() {
            Some(LoggedFailure {
                code,
                cause: Some(cause),
            }) => {
                tracing::warn!(
                    request.id = request_id,
                    http.method = method,
                    http.status = status,
                    code,
                    cause,
                    "request failed"
                );
            }
            Some(LoggedFailure { code, cause: None }) => {
                tracing::info!(
                    request.id = request_id,
                    http.method = method,
                    http.status = status,
                    code,
                    "request refused"
                );
            }
            None => {
                tracing::info!(
                    request.id = request_id,
                    http.method = method,
                    http.status = status,
                    "request answered"
                );
            }
        }
        event::from_response(response).await
    }

    /// One message after the other; those that failed are delivered again.
    async fn resume_all(&self, batch: SqsEvent, request_id: &str) -> SqsBatchResponse {
        let mut answer = SqsBatchResponse::default();
        for message in batch.records {
            let command = message
                .body
                .as_deref()
                .and_then(|body| serde_json::from_str::<Command>(body).ok());
            let message_id = message.message_id.unwrap_or_default();
            let done = if let Some(command) = command {
                self.resume_one(&command, request_id, &message_id).await
            } else {
                tracing::error!(message.id = message_id, "message is no command");
                false
            };
            if !done {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message_id;
                answer.batch_item_failures.push(failure);
            }
        }
        answer
    }

    async fn resume_one(&self, command: &Command, request_id: &str, message_id: &str) -> bool {
        let caller = Caller {
            actor: "provisioning".to_owned(),
            request_id: if request_id.is_empty() {
                message_id
            } else {
                request_id
            }
            .to_owned(),
            began_at: self.app.host.now(),
        };
        match Box::pin(resume(&self.app, &caller, command)).await {
            Ok(outcome) => {
                tracing::info!(tenant.id = %command.tenant_id, outcome, "provisioning resumed");
                true
            }
            Err(failure) => {
                let logged = failure.into_logged();
                tracing::warn!(tenant.id = %command.tenant_id, code = logged.code, cause = logged.cause, "provisioning not resumed");
                false
            }
        }
    }
}

/// `TOLLGATE_TOKEN_ROTATION_DAYS`: 1 to 3,650; not set or 0 rotates on demand only.
fn rotation_days(environment: &Environment) -> Result<Option<u16>, Error> {
    const NAME: &str = "TOLLGATE_TOKEN_ROTATION_DAYS";
    const DAYS_MAX: u16 = 3_650;
    match environment.get(NAME).map(str::parse::<u16>) {
        None | Some(Ok(0)) => Ok(None),
        Some(Ok(days)) if days <= DAYS_MAX => Ok(Some(days)),
        Some(_) => Err(runtime::ConfigError::Malformed {
            name: NAME,
            why: format!("must be days from 0 to {DAYS_MAX}"),
        }
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt as _;
    use jiff::Timestamp;
    use lambda_runtime::Context;
    use serde_json::json;

    use super::*;

    /// Nothing listens at the endpoints: whatever these requests reach, it is not AWS.
    fn function() -> Function {
        let pairs = [
            ("TOLLGATE_STAGE", "test"),
            ("TOLLGATE_PUBLIC_BASE_URL", "https://hooks.example.test"),
            ("TOLLGATE_ARCHIVE_BUCKET", "archive"),
            ("TWILIO_API_BASE", "http://127.0.0.1:1"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ];
        let environment =
            Environment::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let host = Host {
            now: Arc::new(|| Timestamp::from_second(1_800_000_000).unwrap()),
            sleep: Arc::new(|_| async {}.boxed()),
            random: Arc::new(|| 7),
            wire: None,
        };
        let settings = aws::Settings::from_lookup(
            |name| environment.get(name),
            "provisioning",
            host.now.clone(),
            host.sleep.clone(),
        );
        Function::new(&environment, &host, &settings.unwrap()).unwrap()
    }

    async fn ask(payload: Value) -> (u64, Value, Value) {
        let event = LambdaEvent::new(payload, Context::default());
        let answer = function().handle(event).await.unwrap();
        let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (
            answer["statusCode"].as_u64().unwrap(),
            body,
            answer["headers"].clone(),
        )
    }

    fn request(method: &str, path: &str, headers: &Value, body: &str) -> Value {
        json!({
            "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": headers, "body": body,
            "requestContext": { "http": { "method": method, "path": path } }, "isBase64Encoded": false,
        })
    }

    #[tokio::test]
    async fn errors_of_the_router_are_problems_too() {
        let long = "x".repeat(65 * 1024);
        for (method, path, body, status, code) in [
            ("GET", "/v1/nothing", "", 404, "not_found"),
            ("GET", "/", "", 404, "not_found"),
            ("POST", "/v1/tenants", long.as_str(), 413, "body_too_large"),
            ("GET", "/v1/tenants", "", 401, "unauthenticated"),
            ("POST", "/v1/tenants", "{}", 401, "unauthenticated"),
            ("G T", "/v1/tenants", "", 400, "request_malformed"),
        ] {
            let (found, problem, headers) = ask(request(method, path, &json!({}), body)).await;
            assert_eq!(
                (found, problem["code"].as_str().unwrap()),
                (status, code),
                "{method} {path}"
            );
            assert_eq!(headers["content-type"], "application/problem+json");
        }
    }

    #[tokio::test]
    async fn hostile_hosts_and_paths_have_no_effect() {
        let headers = json!({
            "host": "evil\u{0}", "x-forwarded-host": "evil", "x-forwarded-proto": "\u{7f}",
            "x-forwarded-port": "99999999", "authorization": "Bearer \u{e4}\r\n",
        });
        for path in [
            "/v1/tenants/../operator-keys",
            "/v1/tenants/%2e%2e",
            "//evil/v1/tenants",
            "/v1/\u{0}",
        ] {
            let (status, _, _) = ask(request("GET", path, &headers, "")).await;
            assert!([401, 404].contains(&status), "{path} {status}");
        }
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_503() {
        let bearer = format!("Bearer tgk_opk_{}_{}", "0".repeat(26), "a".repeat(43));
        let headers = json!({ "authorization": bearer });
        let (status, problem, headers) = ask(request("GET", "/v1/tenants", &headers, "")).await;
        assert_eq!(
            (status, problem["code"].as_str().unwrap()),
            (503, "temporarily_unavailable")
        );
        assert_eq!(headers["retry-after"], "2");
    }

    #[tokio::test]
    async fn a_message_that_is_no_command_is_reported_and_not_dropped() {
        let event = json!({ "Records": [{ "messageId": "m-1", "body": "{", "attributes": {}, "messageAttributes": {} }] });
        let answer = function()
            .handle(LambdaEvent::new(event, Context::default()))
            .await
            .unwrap();
        assert_eq!(
            answer["batchItemFailures"],
            json!([{ "itemIdentifier": "m-1" }])
        );
    }
}
