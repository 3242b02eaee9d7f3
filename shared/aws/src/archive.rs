//! The archive: what Twilio deletes with a closed subaccount, and exports, as objects in one bucket.

use aws_sdk_s3::primitives::ByteStream;

use crate::{Clients, StoreError};

/// One bucket.
#[derive(Debug, Clone)]
pub struct Archive {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl Archive {
    /// The bucket of this name.
    pub fn new(clients: &Clients, bucket: &str) -> Self {
        Self {
            client: clients.objects.clone(),
            bucket: bucket.to_owned(),
        }
    }

    /// Where an object lies, for people.
    pub fn address_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// Deletes an object; one that is not there is deleted.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(key);
        delete
            .send()
            .await
            .map(|_| ())
            .map_err(|error| StoreError::from_sdk("delete object", &error))
    }

    /// Stores an object whole. Doing it twice is the same.
    pub async fn put(
        &self,
        key: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(), StoreError> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .body(ByteStream::from(body));
        put.send()
            .await
            .map(|_| ())
            .map_err(|error| StoreError::from_sdk("archive object", &error))
    }
}
