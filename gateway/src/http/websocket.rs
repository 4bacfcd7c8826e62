//! `graphql-transport-ws`: any number of operations over one WebSocket.

use super::{
    graphql::{PATIENCE, answers},
    patient::Patient,
};
use crate::{
    gateway::Gateway,
    graphql::answer::{Answer, answer, error_answer},
    http::{
        credentials::{Credentials, NotTaken},
        documents::Documents,
        graphql_request::Refused,
        rate_limit::RATE_LIMITED,
        request_id::RequestId,
        same_origin::Use,
    },
};
use async_graphql::{Data, Error, ErrorExtensions, Executor, Request, Response};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::{
    Extension,
    extract::{
        FromRequestParts, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::{self, StatusCode, header},
    response::{IntoResponse, Response as HttpResponse},
};
use futures::{FutureExt, SinkExt, StreamExt, future, stream, stream::BoxStream};
use std::{any::TypeId, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

const PROTOCOL: &str = "graphql-transport-ws";
/// The largest message of a client, in bytes.
const LARGEST_MESSAGE: usize = 1 << 20;
/// What is read at once. The default would take 128 KiB of memory for each socket, however idle.
const READ_AT_ONCE: usize = 4 << 10;
/// Operations of one socket at a time.
const MOST_OPERATIONS: usize = 100;
/// How long a client may take to say who it is.
const INITIALISATION: Duration = Duration::from_secs(10);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// The longest reason that fits into a frame that closes a socket, in bytes.
const LONGEST_REASON: usize = 123;

/// A GET with an upgrade. The key or the session comes with it, or the key in the `connection_init` payload, as
/// `authorization` or `Authorization`.
pub async fn upgrade(
    State(gateway): State<Arc<Gateway>>,
    Extension(documents): Extension<Arc<Documents>>,
    Extension(id): Extension<RequestId>,
    credentials: Credentials,
    upgrade: WebSocketUpgrade,
) -> HttpResponse {
    if let Err(not_taken) = credentials.may(Use::Socket, &gateway) {
        return not_taken.into_response();
    }
    let upgrade = upgrade.protocols([PROTOCOL]);
    let protocol = protocol().await.filter(|_| upgrade.selected_protocol().is_some());
    let Some(protocol) = protocol else {
        return (StatusCode::BAD_REQUEST, "The subprotocol is graphql-transport-ws.").into_response();
    };
    let span = tracing::Span::current();
    upgrade
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE)
        .read_buffer_size(READ_AT_ONCE)
        .write_buffer_size(0)
        .on_upgrade(move |socket| {
            let room = Arc::new(Semaphore::new(MOST_OPERATIONS));
            serve(socket, protocol, Operations { gateway, documents, id, room }, credentials).instrument(span)
        })
        .into_response()
}

/// The one protocol that is spoken, whatever others a client offers before it.
async fn protocol() -> Option<GraphQLProtocol> {
    let asks = http::Request::builder().header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL).body(()).ok()?;
    GraphQLProtocol::from_request_parts(&mut asks.into_parts().0, &()).await.ok()
}

async fn serve(socket: WebSocket, protocol: GraphQLProtocol, operations: Operations, credentials: Credentials) {
    let (sink, messages) = socket.split();
    let mut sink =
        Patient::new(sink.with(|message| future::ok::<_, axum::Error>(with_short_reason(message))), PATIENCE);
    let stopping = operations.gateway.stopping().clone();
    let initialised = CancellationToken::new();
    let messages = messages.take_until(over(stopping.clone(), initialised.clone()));
    GraphQLWebSocket::new_with_pair(&mut sink, messages, operations.clone(), protocol)
        .keepalive_timeout(None::<Duration>)
        .on_connection_init(move |payload| async move {
            let header = ["authorization", "Authorization"].iter().find_map(|k| payload.get(k)?.as_str());
            let credentials = header.map_or(credentials, Credentials::from_header);
            operations.count(&credentials).map_err(|refused| refused.message)?;
            credentials.subscriber(Use::Socket, &operations.gateway).await.map_err(NotTaken::into_error)?;
            initialised.cancel();
            let mut data = Data::default();
            data.insert(credentials);
            Ok(data)
        })
        .serve()
        .await;
    if sink.gave_up() {
        tracing::info!(message = "a WebSocket takes nothing and is closed");
        metrics::counter!("entente_slow_subscribers_total").increment(1);
    } else if stopping.is_cancelled() {
        // Clients connect again.
        let close = CloseFrame { code: 1012, reason: "The gateway stops".into() };
        // Who does not hear it has gone.
        let _ = timeout(FAREWELL, sink.send(Message::Close(Some(close)))).await;
    }
}

/// Waits until a client is heard no more: when the gateway stops, or when the client has not said in time who it is.
async fn over(stopping: CancellationToken, initialised: CancellationToken) {
    let late = async {
        if timeout(INITIALISATION, initialised.cancelled()).await.is_ok() {
            future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = stopping.cancelled() => {}
        () = late => {}
    }
}

/// Cuts a reason that may hold what the client sent.
fn with_short_reason(message: Message) -> Message {
    match message {
        Message::Close(Some(CloseFrame { code, reason })) => {
            let mut reason = reason.to_string();
            reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
            Message::Close(Some(CloseFrame { code, reason: reason.into() }))
        }
        other => other,
    }
}

/// The operations of one socket.
#[derive(Clone)]
struct Operations {
    gateway: Arc<Gateway>,
    documents: Arc<Documents>,
    id: RequestId,
    room: Arc<Semaphore>,
}

impl Operations {
    /// Counts an operation for its key.
    fn count(&self, credentials: &Credentials) -> Result<(), Refused> {
        match credentials.key().map(|key| self.gateway.rates().request(key)) {
            Some(Err(_)) => Err(RATE_LIMITED),
            _ => Ok(()),
        }
    }

    /// Counts an operation and looks at its document, as over HTTP. Who asks is looked up anew for each: the key may count
    /// no longer.
    async fn answers(self, mut request: Request, credentials: Credentials) -> BoxStream<'static, Answer> {
        let admitted = self.count(&credentials).and_then(|()| self.documents.admit(&mut request));
        if let Err(refused) = admitted {
            return stream::iter([answer(refused.response(&self.id), &self.id)]).boxed();
        }
        match credentials.subscriber(Use::Socket, &self.gateway).await {
            Ok(subscriber) => answers(&self.gateway, request, subscriber, &self.id).await,
            Err(not_taken) => stream::iter([error_answer(not_taken.into_error(), &self.id)]).boxed(),
        }
    }
}

impl Executor for Operations {
    async fn execute(&self, request: Request) -> Response {
        self.execute_stream(request, None).next().await.unwrap_or_default()
    }

    fn execute_stream(&self, request: Request, session: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let Ok(place) = self.room.clone().try_acquire_owned() else {
            return stream::iter([error_answer(no_room(), &self.id).into_response()]).boxed();
        };
        let credentials = session
            .as_ref()
            .and_then(|data| data.get(&TypeId::of::<Credentials>())?.downcast_ref::<Credentials>())
            .cloned()
            .unwrap_or_default();
        // Boxed, so that what beginning takes is given back.
        let answers = self.clone().answers(request, credentials).boxed().flatten_stream();
        let responses = answers.map(move |answer| {
            let _held = &place;
            answer.into_response()
        });
        responses.boxed()
    }
}

fn no_room() -> Error {
    Error::new("A socket has at most 100 operations at a time.").extend_with(|_, e| e.set("code", "LIMIT_REACHED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_into_its_frame() {
        for (reason, length) in [("", 0), ("short", 5), (&*"x".repeat(1_000), LONGEST_REASON), (&*"ü".repeat(100), 122)]
        {
            let close = |reason: &str| Message::Close(Some(CloseFrame { code: 1002, reason: reason.into() }));
            assert_eq!(with_short_reason(close(reason)), close(reason.get(..length).unwrap_or_default()));
        }
    }
}
