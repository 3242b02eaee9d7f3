//! The way of a call: understood, given to the fault hook, served, counted.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use super::counters::{CallKey, Tally};
use super::fault::{CallInfo, Fault, Service};
use super::names::TABLES;
use super::objects;
use super::plan::{self, Outcome, Plan};
use super::transport::ConnectionLost;
use super::wire::{self, Answer, ApiError, Target, text};
use super::{LocalAws, lock, sqs_api};

/// A call that has been understood.
enum Call {
    Object(objects::ObjectCall),
    Dynamo(Result<Plan, Outcome>),
    Other(Value),
}

impl LocalAws {
    /// Serves one request of the AWS JSON protocols. The error is a connection that breaks, as
    /// the fault hook wanted it.
    pub fn handle(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, ConnectionLost> {
        let Some(target) = Target::read(request) else {
            let error = ApiError::client("UnknownOperationException", "no known X-Amz-Target");
            return Ok(wire::refuse(Service::DynamoDb, &error));
        };
        let (call, resources) = match objects::ObjectCall::read(&target, request) {
            Some(call) => {
                let resource = call.resource();
                (Call::Object(call), vec![resource])
            }
            None => understand(&target, request.body()),
        };
        let info = CallInfo {
            caller: target.caller,
            service: target.service,
            operation: target.operation,
            resources,
            sequence: self.inner.sequence.fetch_add(1, Ordering::Relaxed) + 1,
        };
        let hook = lock(&self.inner.fault_hook).clone();
        let fault = hook.map_or(Fault::None, |hook| hook(&info));
        let outcome = self.serve_with(&info, call, &fault);
        let lost = matches!(fault, Fault::DropBefore | Fault::DropAfter);
        self.count(&info, &outcome, lost);
        if lost {
            return Err(ConnectionLost);
        }
        let mut response = wire::respond(outcome.status, info.service, outcome.body);
        if info.service == Service::Sqs && outcome.status >= 400 {
            sqs_api::add_query_error(&mut response);
        }
        Ok(response)
    }

    /// Who asks for what, as far as the request says it.
    pub(crate) fn describe(request: &Request<Bytes>) -> (String, String) {
        let Some(target) = Target::read(request) else {
            return (String::new(), "unknown".to_owned());
        };
        let resources = match objects::ObjectCall::read(&target, request) {
            Some(call) => call.resource(),
            None => understand(&target, request.body()).1.join("+"),
        };
        (target.caller, format!("{} {resources}", target.operation))
    }

    /// Serves a call that no application makes (a test or a report looks inside): no fault and no
    /// count. The error is the body of the error answer.
    pub fn inspect(&self, target: &str, request: &Value) -> Result<Value, Value> {
        let mut wrapped = Request::new(Bytes::from(request.to_string()));
        let header = http::HeaderValue::from_str(target)
            .map_err(|error| Value::String(error.to_string()))?;
        wrapped.headers_mut().insert("x-amz-target", header);
        let target =
            Target::read(&wrapped).ok_or_else(|| Value::String("unknown target".to_owned()))?;
        let (call, resources) = understand(&target, wrapped.body());
        let info = CallInfo {
            caller: String::new(),
            service: target.service,
            operation: target.operation,
            resources,
            sequence: 0,
        };
        let outcome = self.serve(&info, call, &Fault::None);
        let body = serde_json::from_slice(&outcome.body).unwrap_or_default();
        if outcome.status == 200 {
            Ok(body)
        } else {
            Err(body)
        }
    }

    fn serve_with(&self, info: &CallInfo, call: Call, fault: &Fault) -> Outcome {
        match fault {
            Fault::None | Fault::DropAfter | Fault::FailEntries { .. } => {
                self.serve(info, call, fault)
            }
            Fault::RespondBefore { status, error_type } => {
                plan::refusal(&ApiError::injected(*status, error_type))
            }
            Fault::DropBefore => plan::refusal(&ApiError::injected(503, "ConnectionLost")),
            Fault::RespondAfter { status, error_type } => {
                let served = self.serve(info, call, fault);
                Outcome {
                    units: served.units,
                    ..plan::refusal(&ApiError::injected(*status, error_type))
                }
            }
            Fault::TransactionConflict => plan::conflict(if let Call::Dynamo(Ok(plan)) = &call {
                plan.actions
            } else {
                0
            }),
        }
    }

    fn serve(&self, info: &CallInfo, call: Call, fault: &Fault) -> Outcome {
        let request = match call {
            Call::Dynamo(Err(outcome)) => return outcome,
            Call::Dynamo(Ok(plan)) => return self.serve_dynamo(plan),
            Call::Object(call) => return lock(&self.inner.objects).serve(call),
            Call::Other(request) => request,
        };
        let refused = match fault {
            Fault::FailEntries { indexes, code } => Some((indexes.as_slice(), code.as_str())),
            _ => None,
        };
        let answer: Answer = match info.service {
            Service::Sqs => sqs_api::serve(self, &info.operation, &request, refused),
            Service::EventBridge => self.put_events(&info.operation, &request, refused),
            _ => {
                let (now, mut secrets) = (self.now(), lock(&self.inner.secrets));
                secrets.serve(
                    &info.operation,
                    &request,
                    now,
                    &mut lock(&self.inner.random),
                )
            }
        };
        match answer {
            Ok(body) => Outcome {
                status: 200,
                body: body.to_string().into_bytes(),
                units: Vec::new(),
            },
            Err(error) => plan::refusal(&error),
        }
    }

    fn serve_dynamo(&self, plan: Plan) -> Outcome {
        let written: Vec<String> = if plan.writes {
            plan.tables
                .iter()
                .filter(|table| self.is_streamed(table))
                .cloned()
                .collect()
        } else {
            Vec::new()
        };
        let outcome = self.inner.dynamo.run(plan);
        if outcome.status == 200 && !written.is_empty() {
            let now = self.now();
            let mut dirty = lock(&self.inner.dirty);
            for table in written {
                dirty.entry(table).or_insert(now);
            }
            drop(dirty);
            self.inner.changed.notify_one();
        }
        outcome
    }

    fn is_streamed(&self, table: &str) -> bool {
        TABLES
            .iter()
            .any(|shape| shape.streamed && self.inner.names.of(shape.name) == table)
    }

    fn count(&self, info: &CallInfo, outcome: &Outcome, lost: bool) {
        let key = |resource: String| CallKey {
            caller: info.caller.clone(),
            service: info.service,
            operation: info.operation.clone(),
            resource,
        };
        let mut counters = lock(&self.inner.counters);
        let call = Tally {
            calls: 1,
            errors: u64::from(lost || outcome.status >= 400),
            ..Tally::default()
        };
        counters.record(key(info.resources.join("+")), call);
        for units in &outcome.units {
            let (read_halves, write_halves) = (units.read_halves, units.write_halves);
            counters.record(
                key(units.table.clone()),
                Tally {
                    read_halves,
                    write_halves,
                    ..Tally::default()
                },
            );
        }
    }
}

/// Reads the body as far as the fault hook wants to know it.
fn understand(target: &Target, body: &[u8]) -> (Call, Vec<String>) {
    if matches!(target.service, Service::DynamoDb | Service::Streams) {
        let plan = plan::plan(&target.operation, body);
        let tables = plan
            .as_ref()
            .map(|plan| plan.tables.clone())
            .unwrap_or_default();
        return (Call::Dynamo(plan), tables);
    }
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let resource = match target.service {
        Service::Sqs => sqs_api::queue_of(&request),
        Service::EventBridge => request
            .pointer("/Entries/0/EventBusName")
            .and_then(Value::as_str),
        _ => text(&request, "SecretId").or_else(|| text(&request, "Name")),
    };
    let resources = resource.map(str::to_owned).into_iter().collect();
    (Call::Other(request), resources)
}
