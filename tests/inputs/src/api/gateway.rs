//! The gateway that strangers ask, opened once.

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
    serve::Listener,
};
use entente::fuzzing::{Addresses, open};
use serde_json::Value;
use std::{io, sync::LazyLock, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{DuplexStream, duplex},
    runtime::Runtime,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};
use tower::ServiceExt;

/// An input of some kilobytes is done with in this time, also on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(20);
/// What is sent and not yet read, in bytes.
const ON_THE_WAY: usize = 4 << 20;

struct Running {
    runtime: Runtime,
    addresses: Addresses,
    connections: UnboundedSender<DuplexStream>,
    _data: TempDir,
}

static RUNNING: LazyLock<Running> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let data = tempfile::tempdir().unwrap();
    let addresses = runtime.block_on(open(data.path())).expect("a gateway");
    let (connections, accepted) = unbounded_channel();
    runtime.spawn(axum::serve(InMemory(accepted), addresses.router.clone()).into_future());
    Running { runtime, addresses, connections, _data: data }
});

/// Connections without a network.
struct InMemory(UnboundedReceiver<DuplexStream>);

impl Listener for InMemory {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(connection) => (connection, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs on the gateway's threads, with stacks as small as theirs.
pub fn run<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let running = RUNNING.runtime.spawn(async { timeout(LONGEST, future).await });
    RUNNING.runtime.block_on(running).expect("it panicked").expect("it takes too long")
}

/// A connection to the gateway.
pub fn connect() -> DuplexStream {
    let (ours, theirs) = duplex(ON_THE_WAY);
    RUNNING.connections.send(theirs).expect("the gateway accepts connections");
    ours
}

/// The answers to the body of a GraphQL request: to nobody, and to a user in no account.
pub fn ask(body: &[u8]) -> [(StatusCode, Value); 2] {
    [None, Some(&RUNNING.addresses.token)].map(|token| {
        let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body.to_vec())).unwrap();
        let router = RUNNING.addresses.router.clone();
        let (status, answer) = run(async move {
            let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
            (parts.status, to_bytes(body, usize::MAX).await.unwrap())
        });
        let answer = serde_json::from_slice(&answer).unwrap_or_else(|e| panic!("{status}, and no JSON: {e}"));
        told(&answer);
        (status, answer)
    })
}

/// Nothing that a stranger sends is a fault of the gateway, and each error names its request.
pub fn told(answer: &Value) {
    for error in answer["errors"].as_array().into_iter().flatten() {
        let extensions = &error["extensions"];
        assert!(extensions["code"] != "INTERNAL" && extensions["requestId"].is_string(), "{error}");
    }
}
