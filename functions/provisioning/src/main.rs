//! The Lambda `provisioning`: builds its clients once, then handles events.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use provisioning::Function;
use runtime::{Environment, Host};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment::from_process();
    runtime::init_tracing(&environment);
    let host = Host::system();
    let settings = aws::Settings::from_lookup(
        |name| environment.get(name),
        "provisioning",
        host.now.clone(),
        host.sleep.clone(),
    )?;
    let function = Function::new(&environment, &host, &settings)?;
    function.warm_up().await;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        // A request's future is large; on the heap it is no weight of every poll.
        Box::pin(function.handle(event))
    }))
    .await
}
