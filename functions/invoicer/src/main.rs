//! The Lambda `invoicer`: builds its clients once, then handles events.

use invoicer::Function;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use runtime::{Environment, Host};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let environment = Environment::from_process();
    runtime::init_tracing(&environment);
    let host = Host::system();
    let settings = aws::Settings::from_lookup(
        |name| environment.get(name),
        "invoicer",
        host.now.clone(),
        host.sleep.clone(),
    )?;
    let function = Function::new(&environment, &host, &settings)?;
    function.warm_up().await;
    let served = service_fn(|event: LambdaEvent<_>| function.handle(event));
    Box::pin(lambda_runtime::run(served)).await
}
