//! What these tests share: stepping into a running suspender, and what must hold afterwards.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use local::aws::{Fault, LoggedEvent, Service};
use serde_json::{Value, json};
use tests::{Answer, Tenant, World};
use twilio_sim::LoggedRequest;

/// What happens once the suspender has made so many outgoing requests.
pub enum Then {
    /// It is killed.
    Kill,
    /// This is done before it goes on.
    Do(BoxFuture<'static, ()>),
}

/// The step into the suspender's work.
pub struct Step {
    made: Arc<AtomicUsize>,
    taken: Arc<AtomicBool>,
    world: Arc<World>,
}

impl Step {
    /// Outgoing requests that the suspender made since.
    pub fn made(&self) -> usize {
        outgoing(&self.world, &self.made)
    }

    /// Did it happen?
    pub fn was_taken(&self) -> bool {
        self.taken.load(Ordering::SeqCst)
    }
}

fn outgoing(world: &World, aws_calls: &AtomicUsize) -> usize {
    let requests = world.stack.sim.requests();
    let to_twilio = requests
        .iter()
        .filter(|request| !request.path.contains("/Usage/"));
    aws_calls.load(Ordering::SeqCst) + to_twilio.count()
}

/// Lets `then` happen as soon as the suspender's outgoing request number `at` (from 1, over all its runs,
/// AWS and Twilio together) had its effect and before its answer is seen.
pub fn step_in(world: &Arc<World>, at: usize, then: Then) -> Step {
    let (made, taken) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    world.stack.sim.reset_counters();
    let counted = made.clone();
    world.stack.aws.set_fault_hook(Some(Arc::new(move |call| {
        if call.caller == "tollgate-suspender" && call.service != Service::Sqs {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        Fault::None
    })));
    let then = Arc::new(std::sync::Mutex::new(Some(then)));
    let (weak, calls, done) = (Arc::downgrade(world), made.clone(), taken.clone());
    let functions = world.stack.functions.clone();
    world
        .stack
        .aws
        .set_invoker(Arc::new(move |function, event| {
            let (functions, function) = (functions.clone(), function.to_owned());
            let (weak, calls, done, then) =
                (weak.clone(), calls.clone(), done.clone(), then.clone());
            async move {
                if function != "suspender" {
                    return functions.invoke(&function, event).await;
                }
                let world = weak.upgrade().ok_or("the world is gone")?;
                let is_time = || !done.load(Ordering::SeqCst) && outgoing(&world, &calls) >= at;
                let mut run = pin!(functions.invoke(&function, event));
                loop {
                    let polled = poll_fn(|context| {
                        if is_time() {
                            return Poll::Ready(None);
                        }
                        match run.as_mut().poll(context) {
                            Poll::Ready(answer) if is_time() => {
                                // Nobody hears of it.
                                drop(answer);
                                Poll::Ready(None)
                            }
                            Poll::Ready(answer) => Poll::Ready(Some(answer)),
                            Poll::Pending if is_time() => Poll::Ready(None),
                            Poll::Pending => Poll::Pending,
                        }
                    })
                    .await;
                    if let Some(answer) = polled {
                        return answer;
                    }
                    done.store(true, Ordering::SeqCst);
                    let then = then.lock().unwrap().take();
                    match then {
                        Some(Then::Do(act)) => act.await,
                        _ => return Err("killed".to_owned()),
                    }
                }
            }
            .boxed()
        }));
    Step {
        made,
        taken,
        world: world.clone(),
    }
}

/// Requests about the tenant's subaccount, without the pulls.
pub fn suspender_requests(world: &World, tenant: &Tenant) -> Vec<LoggedRequest> {
    let requests = world.stack.sim.requests().into_iter();
    requests
        .filter(|request| request.account_sid.as_deref() == Some(&tenant.account_sid))
        .filter(|request| !request.path.contains("/Usage/"))
        .collect()
}

/// Path of the tenant's subaccount in Twilio's API.
pub fn account_path(tenant: &Tenant) -> String {
    format!("/2010-04-01/Accounts/{}.json", tenant.account_sid)
}

/// Paths of the tenant's single calls.
pub fn call_path(tenant: &Tenant) -> String {
    format!("/2010-04-01/Accounts/{}/Calls/*", tenant.account_sid)
}

/// The status that Twilio itself has.
pub fn status_at_twilio(world: &World, tenant: &Tenant) -> &'static str {
    let mut accounts = world.stack.sim.accounts().into_iter();
    accounts
        .find(|account| account.sid == tenant.account_sid)
        .expect("the subaccount is there")
        .status
}

/// Adds a fault rule to the simulator's script.
pub async fn fault(world: &World, rule: Value) {
    world.simulate("/faults", &rule).await;
}

/// A tenant that has a call in progress and whose usage exceeds its money, not pulled yet.
pub async fn dry_tenant_on_a_call(world: &World) -> (Tenant, String) {
    let tenant = world.tenant("Harbor Dental", "10").await;
    let call = world.call(&tenant, 864_000).await;
    world.use_today(&tenant, "sms-outbound-longcode", "10");
    (tenant, call)
}

/// Pays.
pub async fn top_up(world: &World, tenant: &Tenant, amount: &str) -> Answer {
    let paid = world
        .post(
            &format!("/v1/tenants/{}/top-ups", tenant.id),
            &json!({ "amount": amount }),
        )
        .await;
    assert_eq!(paid.status, 201, "{paid:?}");
    paid
}

/// Places or lifts the operator's hold.
pub async fn operator(world: &World, tenant: &Tenant, verb: &str) -> Answer {
    let path = format!("/v1/tenants/{}/{verb}", tenant.id);
    world.post(&path, &json!({ "reason": "a test" })).await
}

/// Holds that the API shows.
pub async fn holds(world: &World, tenant: &Tenant) -> Vec<String> {
    let shown = world.show(tenant).await;
    let holds = shown.body["holds"].as_array().expect("holds").iter();
    holds
        .map(|hold| hold["hold"].as_str().expect("a name").to_owned())
        .collect()
}

/// Events of one name about a tenant, oldest first.
pub fn events(world: &World, tenant: &Tenant, name: &str) -> Vec<LoggedEvent> {
    let events = world.stack.aws.events_since(0).into_iter();
    events
        .filter(|event| event.detail_type == name && event.detail["tenant_id"] == tenant.id)
        .collect()
}

/// Changes of a hold, as `+unpaid` and `-unpaid` with their time.
pub fn hold_changes(world: &World, tenant: &Tenant) -> Vec<(String, Timestamp)> {
    let changes = events(world, tenant, "tenant.hold_changed").into_iter();
    changes
        .map(|event| {
            let data = &event.detail["data"];
            let sign = if data["placed"] == true { '+' } else { '-' };
            let at = event.detail["occurred_at"].as_str().expect("a time");
            (
                format!("{sign}{}", data["hold"].as_str().expect("a hold")),
                at.parse().expect("a time"),
            )
        })
        .collect()
}

/// Messages that were given up on.
pub fn dead_letters(world: &World) -> Vec<String> {
    let names = world.stack.aws.queue_names().into_iter();
    names
        .filter(|name| name.ends_with("-dlq") || name.ends_with("stream-failures"))
        .flat_map(|name| world.stack.aws.queue_bodies(&name))
        .collect()
}

/// A text attribute of an item in DynamoDB's JSON.
pub fn text(item: &Value, name: &str) -> String {
    item[name]["S"].as_str().unwrap_or_default().to_owned()
}

/// The tenant's row.
pub fn row(world: &World, tenant: &Tenant) -> Value {
    let mut rows = world.items("tenants").into_iter();
    let key = format!("T#{}", tenant.id);
    rows.find(|item| text(item, "pk") == key && text(item, "sk") == "META")
        .expect("the row is there")
}

/// Every audit row of a tenant stands behind the one before it, and the row holds the last one's hash.
pub fn assert_audit_is_chained(world: &World, tenant: &Tenant) -> Vec<String> {
    let key = format!("T#{}", tenant.id);
    let mut rows: Vec<Value> = world.items("audit");
    rows.retain(|item| text(item, "pk") == key);
    rows.sort_by_key(|item| text(item, "sk"));
    let mut head = String::new();
    for row in &rows {
        assert_eq!(text(row, "prev"), head, "{row}");
        head = text(row, "hash");
        assert!(!head.is_empty() && !text(row, "actor").is_empty());
        assert!(!text(row, "reason").is_empty(), "{row}");
        if text(row, "actor") == "suspender" {
            assert!(!text(row, "request").is_empty(), "{row}");
        }
    }
    assert_eq!(text(&row(world, tenant), "audit_head"), head);
    rows.iter().map(|row| text(row, "act")).collect()
}

/// Twilio has it suspended, nobody speaks any more, that was looked at twice with five seconds between, and
/// the row says so.
pub fn assert_silenced(world: &World, tenant: &Tenant) {
    assert_eq!(status_at_twilio(world, tenant), "suspended");
    assert!(world.live_calls(tenant).is_empty());
    let row = row(world, tenant);
    assert_eq!(text(&row, "twilio_status"), "suspended", "{row}");
    let requests = suspender_requests(world, tenant);
    let is_post = |request: &&LoggedRequest| request.method == "POST";
    let posted = requests
        .iter()
        .position(|request| is_post(&request) && request.path == account_path(tenant));
    let last_end = requests.iter().rposition(|request| is_post(&request));
    let (Some(posted), Some(last_end)) = (posted, last_end) else {
        panic!("nothing was posted: {requests:?}");
    };
    let ended_first = requests[..posted]
        .iter()
        .any(|request| request.path.contains("/Calls/"));
    assert!(
        !ended_first,
        "a call was ended before the account was suspended"
    );
    for status in ["queued", "ringing", "in-progress"] {
        let listed: Vec<Timestamp> = requests[last_end..]
            .iter()
            .filter(|request| {
                request
                    .path
                    .contains(&format!("Calls.json?Status={status}"))
            })
            .map(|request| request.at)
            .collect();
        let (first, last) = (listed.first().unwrap(), listed.last().unwrap());
        assert!(
            last.duration_since(*first) >= SignedDuration::from_secs(5),
            "{status}: {listed:?}"
        );
    }
}

/// Twilio and the row have it active, and nothing holds it.
pub async fn assert_in_service(world: &World, tenant: &Tenant) {
    let shown = world.show(tenant).await;
    assert_eq!(shown.text("/status"), "active", "{shown:?}");
    assert_eq!(shown.text("/twilio_status"), "active", "{shown:?}");
    assert_eq!(status_at_twilio(world, tenant), "active");
}

/// No event waits, nobody has a lease, nothing was given up.
pub fn assert_settled(world: &World) {
    assert_eq!(world.items("outbox"), Vec::<Value>::new());
    assert_eq!(dead_letters(world), Vec::<String>::new());
}
