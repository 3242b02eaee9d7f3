//! Lambda function suspender.
