//! Lambda function usage-puller.
