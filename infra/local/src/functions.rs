//! The real functions in process: built as their `main`s build them, invoked with Lambda's own JSON.

use ::aws::{Settings, SettingsError};
use aws_lambda_events::event::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use futures::FutureExt as _;
use lambda_runtime::{Context, LambdaEvent};
use runtime::{Environment, Host};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::aws::LocalAws;

/// All functions of a deployment.
pub struct Functions {
    provisioning: provisioning::Function,
    webhook: webhook::Function,
    usage_puller: usage_puller::Function,
    suspender: suspender::Function,
    relay: relay::Function,
    invoicer: invoicer::Function,
    reconciler: reconciler::Function,
}

impl Functions {
    /// Builds every function from the environment that its Lambda would have; all AWS calls go to `aws`.
    pub fn new(
        environment: &Environment,
        host: &Host,
        aws: &LocalAws,
    ) -> Result<Self, lambda_runtime::Error> {
        let settings = |function: &str| -> Result<Settings, SettingsError> {
            let lookup = |name: &str| environment.get(name);
            Ok(
                Settings::from_lookup(lookup, function, host.now.clone(), host.sleep.clone())?
                    .with_transport(aws.http_client()),
            )
        };
        Ok(Self {
            provisioning: provisioning::Function::new(
                environment,
                host,
                &settings("provisioning")?,
            )?,
            webhook: webhook::Function::new(environment, host, &settings("webhook")?)?,
            usage_puller: usage_puller::Function::new(
                environment,
                host,
                &settings("usage-puller")?,
            )?,
            suspender: suspender::Function::new(environment, host, &settings("suspender")?)?,
            relay: relay::Function::new(environment, host, &settings("relay")?)?,
            invoicer: invoicer::Function::new(environment, host, &settings("invoicer")?)?,
            reconciler: reconciler::Function::new(environment, host, &settings("reconciler")?)?,
        })
    }

    /// Invokes a function with an event, as Lambda does. The error is what Lambda would report.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, String> {
        match function {
            "usage-puller" => to_json(self.usage_puller.handle(parse(event)?).boxed().await),
            "suspender" => to_json(self.suspender.handle(parse(event)?).boxed().await),
            "invoicer" => to_json(self.invoicer.handle(parse(event)?).boxed().await),
            "reconciler" => to_json(self.reconciler.handle(parse(event)?).boxed().await),
            "relay" => to_json(self.relay.handle(parse(event)?).boxed().await),
            "provisioning" => to_json(self.provisioning.handle(parse(event)?).boxed().await),
            unknown => Err(format!("there is no function {unknown}")),
        }
    }

    /// Invokes the API or the webhook with an HTTP event.
    pub async fn invoke_http(
        &self,
        function: HttpFunction,
        event: ApiGatewayV2httpRequest,
    ) -> Result<ApiGatewayV2httpResponse, String> {
        let text = |error: lambda_runtime::Error| error.to_string();
        match function {
            HttpFunction::Webhook => self
                .webhook
                .handle(LambdaEvent::new(event, Context::default()))
                .await
                .map_err(text),
            HttpFunction::Provisioning => {
                let event = serde_json::to_value(event).map_err(|error| error.to_string())?;
                let answer = self.invoke("provisioning", event).await?;
                serde_json::from_value(answer).map_err(|error| error.to_string())
            }
        }
    }
}

/// A function behind the HTTP API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpFunction {
    /// `ANY /v1/{proxy+}`
    Provisioning,
    /// `POST /twilio/{proxy+}`
    Webhook,
}

fn parse<T: DeserializeOwned>(event: Value) -> Result<LambdaEvent<T>, String> {
    let payload = serde_json::from_value(event).map_err(|error| format!("event: {error}"))?;
    Ok(LambdaEvent::new(payload, Context::default()))
}

fn to_json<T: Serialize>(answer: Result<T, lambda_runtime::Error>) -> Result<Value, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    serde_json::to_value(answer).map_err(|error| error.to_string())
}
