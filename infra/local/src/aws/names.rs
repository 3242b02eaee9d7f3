//! The names of everything Tollgate has on AWS, by stage, and the shape of each resource.
//!
//! `template.yaml` and `shared/aws` use the same names; a test across the workspace holds them together.

/// The account number that every local ARN and queue URL carries.
pub const ACCOUNT: &str = "000000000000";
/// The region that every local ARN carries.
pub const REGION: &str = "us-east-1";

/// Names of the resources of one stage.
#[derive(Debug, Clone)]
pub struct Names {
    stage: String,
}

impl Names {
    /// The names of `stage`.
    pub fn new(stage: &str) -> Self {
        Self {
            stage: stage.to_owned(),
        }
    }

    /// `tollgate-<stage>-<what>`: a table or a queue.
    pub fn of(&self, what: &str) -> String {
        format!("tollgate-{}-{what}", self.stage)
    }

    /// The event bus.
    pub fn bus(&self) -> String {
        format!("tollgate-{}", self.stage)
    }

    /// `source` of our events.
    pub fn event_source(&self) -> String {
        format!("tollgate.{}", self.stage)
    }
}

/// ARN of a queue.
pub(crate) fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// ARN of a function.
pub(crate) fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// One table: `pk`, `sk` strings, on demand.
pub(crate) struct TableShape {
    pub name: &'static str,
    pub by_status: bool,
    pub streamed: bool,
    pub ttl: bool,
}

const fn table(name: &'static str, by_status: bool, streamed: bool, ttl: bool) -> TableShape {
    TableShape {
        name,
        by_status,
        streamed,
        ttl,
    }
}

/// Every table.
pub(crate) const TABLES: [TableShape; 8] = [
    table("tenants", true, false, false),
    table("control", false, false, true),
    table("usage", false, false, false),
    table("ledger", false, false, false),
    table("callbacks", false, true, true),
    table("outbox", false, true, false),
    table("audit", false, false, false),
    table("due", false, false, true),
];

/// One command queue with its event source mapping; its dead-letter queue is `<name>-dlq`.
pub(crate) struct QueueShape {
    pub name: &'static str,
    pub function: &'static str,
    pub batch: usize,
    pub concurrency: usize,
}

/// Every command queue.
pub(crate) const QUEUES: [QueueShape; 5] = [
    QueueShape {
        name: "pull",
        function: "usage-puller",
        batch: 5,
        concurrency: 8,
    },
    QueueShape {
        name: "suspend",
        function: "suspender",
        batch: 1,
        concurrency: 4,
    },
    QueueShape {
        name: "provision",
        function: "provisioning",
        batch: 1,
        concurrency: 2,
    },
    QueueShape {
        name: "statement",
        function: "invoicer",
        batch: 5,
        concurrency: 2,
    },
    QueueShape {
        name: "reconcile",
        function: "reconciler",
        batch: 1,
        concurrency: 2,
    },
];

/// Visibility timeout of the command queues: six times the functions' timeout.
pub(crate) const COMMAND_VISIBILITY_SECONDS: i64 = 720;
/// Receives after which a message goes to the dead-letter queue.
pub(crate) const RECEIVES_MAX: u32 = 5;
/// Where positions of given-up stream records go.
pub(crate) const STREAM_FAILURES: &str = "stream-failures";
/// Events that the suspender wants to hear.
pub(crate) const SUSPEND_TRIGGERS: [&str; 5] = [
    "tenant.standing_changed",
    "tenant.hold_changed",
    "tenant.dunning_changed",
    "spend.hard_cap_reached",
    "spend.hard_cap_lifted",
];
