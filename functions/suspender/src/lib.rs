#![doc = include_str!("../README.md")]

mod enforce;
mod hold;
mod live_calls;

use aws::{CommitError, MainSecret, SecretError, Secrets, Store, StoreError};
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::ids::TenantId;
use lambda_runtime::{Error, LambdaEvent};
use runtime::{Environment, Host};
use serde::Deserialize;

/// The function, its clients built once.
pub struct Function {
    host: Host,
    store: Store,
    main: MainSecret,
    twilio: twilio::Client,
}

/// Why a tenant was not brought into its desired state. The message comes again.
#[derive(Debug, thiserror::Error)]
enum SuspendError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Twilio(#[from] twilio::Error),
    #[error("lost the race too often")]
    Contended,
    #[error("Twilio keeps the status {0}")]
    StatusKept(String),
    #[error("the tenant's subaccount is the main account, which is never suspended")]
    MainAccount,
}

impl SuspendError {
    fn error_type(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Secret(_) => "secret",
            Self::Twilio(error) => error.kind(),
            Self::Contended => "contended",
            Self::StatusKept(_) => "status_kept",
            Self::MainAccount => "main_account",
        }
    }
}

/// A message: a command of ours, or one of our events as the bus delivers it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    Event { id: String, detail: Detail },
    Command(aws::Command),
}

#[derive(Deserialize)]
struct Detail {
    tenant_id: TenantId,
}

/// What a message asks for.
struct Request {
    tenant_id: TenantId,
    /// Owner of the lease: the message, so that its redelivery goes on where it stopped.
    id: String,
    /// Timers look at Twilio's own status too: someone else may have changed it.
    looks_at_twilio: bool,
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

    /// Handles the tenants of a batch; failed messages are reported by id.
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
        let Some(request) = parse(message) else {
            tracing::error!(
                error_type = "malformed_message",
                "a message is neither a command nor an event of ours"
            );
            return false;
        };
        match self.settle(&request).await {
            Ok(()) => true,
            Err(error) => {
                if matches!(error, SuspendError::Twilio(twilio::Error::Alarm { .. })) {
                    // The main token may have been rotated: the redelivered message reads it again.
                    self.main.forget();
                }
                tracing::error!(tenant.id = %request.tenant_id, error_type = error.error_type(), %error, "tenant not settled");
                false
            }
        }
    }

    /// Brings holds and then Twilio into the state that the rows ask for.
    async fn settle(&self, request: &Request) -> Result<(), SuspendError> {
        self.settle_holds(request).await?;
        self.enforce(request).await
    }
}

fn parse(message: &SqsMessage) -> Option<Request> {
    let fallback = message.message_id.clone().unwrap_or_default();
    match serde_json::from_str(message.body.as_deref()?).ok()? {
        Body::Event { id, detail } => Some(Request {
            tenant_id: detail.tenant_id,
            id,
            looks_at_twilio: false,
        }),
        Body::Command(command) => Some(Request {
            tenant_id: command.tenant_id,
            id: fallback,
            looks_at_twilio: true,
        }),
    }
}

/// A lost race is decided again; anything else ends the try.
fn lost_race(error: CommitError) -> Result<(), SuspendError> {
    match error {
        CommitError::Conflict { .. } => Ok(()),
        CommitError::Store(error) => Err(error.into()),
    }
}
