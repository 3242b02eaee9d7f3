//! Lambda function webhook.
