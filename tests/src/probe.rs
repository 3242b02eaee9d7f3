//! Looking into a world from outside: its tables, its Twilio, its raw port; and what must hold of every
//! tenant, whatever happened on the way.

use std::collections::{BTreeMap, BTreeSet};

use aws::{Settings, Store};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::TenantId;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Answer, World};

/// Every table, by its short name.
pub const TABLES: [&str; 8] = [
    "tenants",
    "control",
    "usage",
    "ledger",
    "callbacks",
    "outbox",
    "audit",
    "due",
];

impl World {
    /// The tables as another function would see them, without being counted as one of ours.
    pub fn store(&self) -> Store {
        Store::connect(&self.settings("tests")).expect("a store")
    }

    /// What a function of this name would be built from.
    pub fn settings(&self, function: &str) -> Settings {
        let (environment, host) = (&self.stack.environment, &self.stack.host);
        let lookup = |name: &str| environment.get(name);
        Settings::from_lookup(lookup, function, host.now.clone(), host.sleep.clone())
            .expect("settings")
            .with_transport(self.stack.aws.http_client())
    }

    /// A request to Twilio's API by an account.
    pub async fn twilio(
        &self,
        (account_sid, auth_token): (&str, &str),
        method: Method,
        path: &str,
        form: &[(&str, &str)],
    ) -> Answer {
        let basic = STANDARD.encode(format!("{account_sid}:{auth_token}"));
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let headers = [
            ("authorization", &*format!("Basic {basic}")),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.request(method, path, &headers, body.into_bytes())
            .await
    }

    /// A subaccount that nobody of ours made; its SID.
    pub async fn make_subaccount(&self, friendly_name: &str) -> String {
        let (sid, token) = self.stack.main_credentials();
        let path = "/2010-04-01/Accounts.json";
        let form = [("FriendlyName", friendly_name)];
        let made = self.twilio((&sid, &token), Method::POST, path, &form).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.text("/sid")
    }

    /// SIDs of the API keys that Twilio has for a subaccount.
    pub fn keys_at_twilio(&self, account_sid: &str) -> BTreeSet<String> {
        let accounts = self.stack.sim.accounts().into_iter();
        accounts
            .filter(|account| account.sid == account_sid)
            .flat_map(|account| account.keys)
            .collect()
    }

    /// Everything that lies in a table, by table.
    pub fn tables(&self) -> BTreeMap<&'static str, Vec<Value>> {
        TABLES.map(|table| (table, self.items(table))).into()
    }

    /// Everything that lies anywhere: tables, queues, the bus.
    pub fn everything_kept(&self) -> String {
        let aws = &self.stack.aws;
        let queues: Vec<Vec<String>> = aws
            .queue_names()
            .iter()
            .map(|queue| aws.queue_bodies(queue))
            .collect();
        format!("{:?}\n{queues:?}\n{:?}", self.tables(), aws.events_since(0))
    }

    /// Ids of the distinct events of a type that the bus accepted for a tenant.
    pub fn event_ids(&self, tenant_id: &str, detail_type: &str) -> BTreeSet<String> {
        let events = self.stack.aws.events_since(0).into_iter();
        events
            .filter(|event| event.detail_type == detail_type)
            .filter(|event| event.detail["tenant_id"] == tenant_id)
            .map(|event| event.detail["id"].to_string())
            .collect()
    }

    /// Functions whose invocation ended in an error or a panic.
    pub fn failed_invocations(&self) -> Vec<String> {
        let tallies = self.stack.aws.invocations().into_iter();
        tallies
            .filter(|(_, tally)| tally.errors > 0)
            .map(|(function, _)| function)
            .collect()
    }

    /// Sends bytes to the port as they are; the status and everything behind it.
    pub async fn send_raw(&self, request: &[u8]) -> (u16, String) {
        let address = self.stack.base_url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(request).await.expect("it is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
        (status.unwrap_or_default(), answer)
    }

    /// Runs provisioning on an HTTP API event as Lambda does; the error is what Lambda would report.
    pub async fn invoke_api(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &Value,
        body: &str,
    ) -> Result<Answer, String> {
        let event = json!({
            "version": "2.0", "rawPath": path, "rawQueryString": query, "headers": headers, "body": body,
            "requestContext": { "http": { "method": method, "path": path } }, "isBase64Encoded": false,
        });
        let answer = self.stack.functions.invoke("provisioning", event).await?;
        let headers = answer["headers"].as_object().cloned().unwrap_or_default();
        Ok(Answer {
            status: answer["statusCode"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok())
                .unwrap_or_default(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            body: serde_json::from_str(answer["body"].as_str().unwrap_or_default())
                .unwrap_or(Value::Null),
        })
    }

    /// What is wrong with a tenant that should be in service, and with the world if it is the only one.
    pub async fn tenant_violations(&self, tenant_id: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        let id = TenantId::parse(tenant_id).expect("a tenant id");
        let store = self.store();
        let Ok(Some(tenant)) = store.tenant(&id).await else {
            return vec![format!("tenant {tenant_id} is not there")];
        };
        let shown = self.get(&format!("/v1/tenants/{tenant_id}")).await;
        must(
            shown.body["lifecycle"] == "active" && shown.body["status"] == "active",
            format!(
                "the tenant is {} at {:?}",
                shown.body["status"], tenant.step
            ),
        );
        let Some(sid) = tenant.account_sid else {
            wrong.push("no subaccount is bound".to_owned());
            return wrong;
        };
        let main = self.stack.main_credentials().0;
        let accounts = self.stack.sim.accounts().into_iter();
        let open: Vec<String> = accounts
            .filter(|account| account.sid != main && account.status != "closed")
            .filter(|account| account.friendly_name == tenant.friendly_name)
            .map(|account| account.sid)
            .collect();
        must(
            open == [sid.as_str()],
            format!("open subaccounts {open:?}, bound {sid}"),
        );
        let owner = store.tenant_of_sid(&sid).await.expect("a read");
        must(owner.as_ref() == Some(&id), format!("S# says {owner:?}"));
        let token = self.auth_token(sid.as_str());
        let path = format!("/2010-04-01/Accounts/{sid}.json");
        let own = self
            .twilio((sid.as_str(), &token), Method::GET, &path, &[])
            .await;
        must(
            own.status == 200,
            format!("the stored token gets {}", own.status),
        );
        let recorded = store.issued_keys(&id).await.expect("a read").into_iter();
        let recorded: BTreeSet<String> = recorded
            .filter(|key| key.revoked_at.is_none())
            .map(|key| key.key_sid.as_str().to_owned())
            .collect();
        let at_twilio = self.keys_at_twilio(sid.as_str());
        must(
            recorded == at_twilio,
            format!("keys {recorded:?} are recorded, {at_twilio:?} at Twilio"),
        );
        let wallet = store.wallet(&id).await.expect("a read");
        let chain = store.entry_chain(&id).await;
        let openings = chain.as_ref().map_or(0, |entries| {
            let openings = entries
                .iter()
                .filter(|entry| entry.kind == domain::ledger::EntryKind::Opening);
            openings.count()
        });
        must(openings == 1, format!("{openings} openings in {chain:?}"));
        let booked = chain
            .as_ref()
            .map_or(0, |entries| entries.last().map_or(0, |entry| entry.seq));
        must(
            wallet.as_ref().is_some_and(|wallet| wallet.seq == booked),
            format!("the wallet is {wallet:?} behind entry {booked}"),
        );
        let provisioned = self.event_ids(tenant_id, "tenant.provisioned").len();
        must(
            provisioned <= 1,
            format!("{provisioned} events tenant.provisioned"),
        );
        wrong
    }
}
