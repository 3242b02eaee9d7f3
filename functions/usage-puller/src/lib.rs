#![doc = include_str!("../README.md")]

mod fetch;
mod follow_up;
mod pull;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws::{Command, MainSecret, Secrets, Store};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::plan::{PlanRef, PricePlan};
use lambda_runtime::{Error, LambdaEvent};
use runtime::{Environment, Host};

/// A message is not begun with less time left than this, in milliseconds: its Twilio call and transaction
/// fit in it.
const MESSAGE_NEEDS_MS: u64 = 30_000;

/// The function, its clients built once.
pub struct Function {
    host: Host,
    store: Store,
    main: MainSecret,
    twilio: twilio::Client,
    plans: Mutex<HashMap<PlanRef, Arc<PricePlan>>>,
}

impl Function {
    /// Builds the clients; nothing is sent yet.
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
        Ok(Self {
            host: host.clone(),
            store: Store::new(settings, &clients),
            main: MainSecret::new(Secrets::new(&clients, &settings.names()), host.now.clone()),
            twilio: twilio::Client::new(twilio)?,
            plans: Mutex::default(),
        })
    }

    /// Opens the connection to the tables while init's CPU is free.
    pub async fn warm_up(&self) {
        self.store.warm_up().await;
    }

    /// Pulls the tenants of a batch, one after the other; failed messages are reported by id.
    pub async fn handle(&self, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
        let deadline_ms = event.context.deadline;
        let mut response = SqsBatchResponse::default();
        for message in event.payload.records {
            if self.is_too_late(deadline_ms) || !self.pull_message(&message).await {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.message_id.unwrap_or_default();
                response.batch_item_failures.push(failure);
            }
        }
        Ok(response)
    }

    /// Is so little time left that beginning a message would only cut it in half? 0 = no limit is known.
    fn is_too_late(&self, deadline_ms: u64) -> bool {
        let now_ms = u64::try_from(self.host.now().as_millisecond()).unwrap_or_default();
        deadline_ms > 0 && now_ms + MESSAGE_NEEDS_MS > deadline_ms
    }

    async fn pull_message(&self, message: &SqsMessage) -> bool {
        let body = message.body.as_deref().unwrap_or_default();
        let Ok(command) = serde_json::from_str::<Command>(body) else {
            tracing::error!(
                error_type = "malformed_message",
                "a pull message is not a command"
            );
            return false;
        };
        match self.pull(&command).await {
            Ok(outcome) => {
                tracing::debug!(tenant.id = %command.tenant_id, cause = %command.cause, ?outcome, "pulled");
                true
            }
            Err(error) => {
                tracing::error!(tenant.id = %command.tenant_id, cause = %command.cause, error_type = error.error_type(), %error, "pull failed");
                false
            }
        }
    }
}
