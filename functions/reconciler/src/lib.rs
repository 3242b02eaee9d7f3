#![doc = include_str!("../README.md")]

mod compare;

use aws::{Comparison, MainSecret, Secrets, Store};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent};
use runtime::{Environment, Host};

/// The function, its clients built once.
pub struct Function {
    host: Host,
    store: Store,
    main: MainSecret,
    twilio: twilio::Client,
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
        })
    }

    /// Opens the connection to the tables while init's CPU is free.
    pub async fn warm_up(&self) {
        self.store.warm_up().await;
    }

    /// Compares the days of each message; failed ones are reported by id.
    pub async fn handle(&self, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
        let mut response = SqsBatchResponse::default();
        for message in event.payload.records {
            if !self.handle_message(&message).await {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.message_id.unwrap_or_default();
                response.batch_item_failures.push(failure);
            }
        }
        Ok(response)
    }

    async fn handle_message(&self, message: &SqsMessage) -> bool {
        let body = message.body.as_deref().unwrap_or_default();
        let Ok(comparison) = serde_json::from_str::<Comparison>(body) else {
            tracing::error!(
                error_type = "malformed_message",
                "a reconciliation message is not a command"
            );
            return false;
        };
        match self.compare(&comparison).await {
            Ok(()) => true,
            Err(error) => {
                if matches!(
                    error,
                    compare::CompareError::Twilio(twilio::Error::Alarm { .. })
                ) {
                    // The main token may have been rotated: the redelivered message reads it again.
                    self.main.forget();
                }
                tracing::error!(error_type = error.error_type(), %error, "reconciliation failed");
                false
            }
        }
    }
}
