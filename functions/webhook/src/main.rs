//! The webhook's process: environment, clients, Lambda's loop.

use runtime::{Environment, Host};
use webhook::Function;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let environment = Environment::from_process();
    runtime::init_tracing(&environment);
    let host = Host::system();
    let settings = aws::Settings::from_lookup(
        |name| environment.get(name),
        "webhook",
        host.now.clone(),
        host.sleep.clone(),
    )?;
    let function = Function::new(&environment, &host, &settings)?;
    function.warm_up().await;
    let handler = lambda_runtime::service_fn(|event| function.handle(event));
    lambda_runtime::run(handler).await
}
