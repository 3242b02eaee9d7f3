//! Lambda function relay.
