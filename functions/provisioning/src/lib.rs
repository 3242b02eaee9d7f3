//! Lambda function provisioning.
