//! The demo's HTTP client: our API with the operator key, the simulator's control endpoints, Twilio's API.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use super::DemoError;
use crate::stack::Stack;

/// Our API, the simulator and Twilio, over HTTP.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base_url: String,
    operator_key: String,
    main: (String, String),
}

impl Api {
    /// A client of a running stack.
    pub fn new(stack: &Stack) -> Result<Self, DemoError> {
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build()?,
            base_url: stack.base_url.clone(),
            operator_key: stack.operator_key.clone(),
            main: stack.main_credentials(),
        })
    }

    /// `GET` on our API.
    pub async fn get(&self, path: &str) -> Result<Value, DemoError> {
        let request = self
            .http
            .request(Method::GET, format!("{}{path}", self.base_url))
            .bearer_auth(&self.operator_key);
        answer(request, path).await
    }

    /// `GET` on our API, as text: tables and pages.
    pub async fn text(&self, path: &str) -> Result<String, DemoError> {
        let request = self
            .http
            .request(Method::GET, format!("{}{path}", self.base_url))
            .bearer_auth(&self.operator_key);
        Ok(request.send().await?.error_for_status()?.text().await?)
    }

    /// `PUT` and `PATCH` on our API.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, DemoError> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base_url))
            .bearer_auth(&self.operator_key);
        answer(request.json(body), path).await
    }

    /// `POST` on our API; the key makes a repetition harmless.
    pub async fn post(
        &self,
        path: &str,
        idempotency_key: &str,
        body: &Value,
    ) -> Result<Value, DemoError> {
        let request = self
            .http
            .request(Method::POST, format!("{}{path}", self.base_url))
            .bearer_auth(&self.operator_key);
        answer(
            request
                .header("Idempotency-Key", idempotency_key)
                .json(body),
            path,
        )
        .await
    }

    /// `POST` on the simulator's control endpoints: what Twilio's end users and Twilio itself do.
    pub async fn simulate(&self, path: &str, body: &Value) -> Result<Value, DemoError> {
        answer(
            self.http
                .request(Method::POST, format!("{}/_sim{path}", self.base_url))
                .json(body),
            path,
        )
        .await
    }

    /// `GET` on the simulator's control endpoints.
    pub async fn simulated(&self, path: &str) -> Result<Value, DemoError> {
        let url = format!("{}/_sim{path}", self.base_url);
        answer(self.http.request(Method::GET, url), path).await
    }

    /// `POST` on Twilio's API, with the main account's own credentials.
    pub async fn twilio_post(&self, path: &str, form: &[(&str, &str)]) -> Result<Value, DemoError> {
        let (account_sid, auth_token) = &self.main;
        let url = format!("{}/2010-04-01{path}", self.base_url);
        let request = self.http.request(Method::POST, url);
        let request = request.basic_auth(account_sid, Some(auth_token));
        answer(request.form(form), path).await
    }

    /// `GET` on Twilio's API below the main account, with its own credentials.
    pub async fn twilio(&self, path: &str) -> Result<Value, DemoError> {
        let (account_sid, auth_token) = &self.main;
        let url = format!("{}/2010-04-01/Accounts/{account_sid}{path}", self.base_url);
        answer(
            self.http
                .request(Method::GET, url)
                .basic_auth(account_sid, Some(auth_token)),
            path,
        )
        .await
    }
}

async fn answer(request: RequestBuilder, path: &str) -> Result<Value, DemoError> {
    let response = request.send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    if !status.is_success() {
        return Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    if status == StatusCode::NO_CONTENT || body.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(&body)?)
}
