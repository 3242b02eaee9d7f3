//! The Lambda `reconciler`: builds its clients once, then handles events.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use reconciler::Function;
use runtime::{Environment, Host};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment::from_process();
    runtime::init_tracing(&environment);
    let host = Host::system();
    let settings = aws::Settings::from_lookup(
        |name| environment.get(name),
        "reconciler",
        host.now.clone(),
        host.sleep.clone(),
    )?;
    let function = Function::new(&environment, &host, &settings)?;
    function.warm_up().await;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| function.handle(event))).await
}
