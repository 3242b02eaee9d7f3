//! The three operations that the webhook uses, answered in memory: conditional puts are real, every call
//! is counted, and an operation can be made to fail.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

/// How an operation fails.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// This status and error code, every time.
    Answer(u16, &'static str),
    /// Once, the effect happens and the answer is lost.
    LostAfterEffect,
}

#[derive(Debug, Default)]
pub struct State {
    /// Items by table, pk, sk.
    pub items: BTreeMap<[String; 3], Value>,
    /// Secret texts by name and stage, with the second they were made.
    pub secrets: HashMap<(String, &'static str), (String, i64)>,
    /// Operations in the order they came.
    pub calls: Vec<String>,
    /// Faults by operation; `*` is every one.
    pub faults: HashMap<&'static str, Fault>,
}

#[derive(Debug, Clone, Default)]
pub struct FakeAws(Arc<Mutex<State>>);

impl FakeAws {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds this")
    }

    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// The operations since the last time.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }

    pub fn callbacks(&self) -> Vec<Value> {
        let state = self.state();
        let of_table = state
            .items
            .iter()
            .filter(|(key, _)| key[0].ends_with("-callbacks"));
        of_table.map(|(_, item)| item.clone()).collect()
    }

    fn answer(&self, operation: &str, body: &Value) -> Option<(u16, Value)> {
        let mut state = self.state();
        state.calls.push(operation.to_owned());
        let fault = state
            .faults
            .get(operation)
            .or(state.faults.get("*"))
            .copied();
        if let Some(Fault::Answer(status, code)) = fault {
            return Some((status, json!({"__type": code, "message": "injected"})));
        }
        let answer = match operation {
            "GetItem" => state.get_item(body),
            "PutItem" => state.put_item(body),
            "GetSecretValue" => state.secret(body),
            _ => (400, json!({"__type": "UnknownOperationException"})),
        };
        if fault.is_some() {
            state.faults.remove(operation);
            return None;
        }
        Some(answer)
    }
}

impl State {
    fn get_item(&self, body: &Value) -> (u16, Value) {
        match self.items.get(&key(body, &body["Key"])) {
            Some(item) => (200, json!({"Item": item})),
            None => (200, json!({})),
        }
    }

    fn put_item(&mut self, body: &Value) -> (u16, Value) {
        let key = key(body, &body["Item"]);
        assert_eq!(body["ConditionExpression"], "attribute_not_exists(pk)");
        if self.items.contains_key(&key) {
            return (400, json!({"__type": "ConditionalCheckFailedException"}));
        }
        self.items.insert(key, body["Item"].clone());
        (200, json!({}))
    }

    fn secret(&self, body: &Value) -> (u16, Value) {
        let name = body["SecretId"].as_str().expect("a name");
        let found = self
            .secrets
            .iter()
            .find(|((known, stage), _)| known == name && body["VersionStage"] == *stage);
        match found {
            Some((_, (text, made_at))) => (
                200,
                json!({"Name": name, "SecretString": text, "CreatedDate": made_at}),
            ),
            None => (400, json!({"__type": "ResourceNotFoundException"})),
        }
    }
}

fn key(body: &Value, item: &Value) -> [String; 3] {
    [&body["TableName"], &item["pk"]["S"], &item["sk"]["S"]]
        .map(|part| part.as_str().expect("a key").to_owned())
}

impl HttpClient for FakeAws {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").expect("a target");
        let operation = target.rsplit('.').next().expect("an operation");
        let bytes = request.body().bytes().expect("a body in memory");
        let body = serde_json::from_slice(bytes).expect("a JSON body");
        let answered = match self.answer(operation, &body) {
            Some((status, body)) => Ok(HttpResponse::new(
                status.try_into().expect("a status"),
                SdkBody::from(body.to_string()),
            )),
            None => Err(ConnectorError::io("connection lost".into())),
        };
        HttpConnectorFuture::ready(answered)
    }
}
