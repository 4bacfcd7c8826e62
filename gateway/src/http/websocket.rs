//! `graphql-transport-ws`: any number of operations over one WebSocket.

use super::graphql::{PATIENCE, answers, request};
use crate::{
    gateway::Gateway,
    graphql::answer::{Answer, error_answer},
    http::{
        credentials::{Credentials, NotTaken},
        request_id::RequestId,
        same_origin::Use,
    },
};
use async_graphql::{Error, ErrorExtensions, Request};
use axum::{
    Extension,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::{FutureExt, StreamExt, stream, stream::BoxStream};
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::StreamMap;
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

/// A GET with an upgrade. The key or the session comes with it, or the key in the `connection_init` payload, as `authorization`
/// or `Authorization`.
pub async fn upgrade(
    State(gateway): State<Arc<Gateway>>,
    Extension(id): Extension<RequestId>,
    credentials: Credentials,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Err(not_taken) = credentials.may(Use::Socket, &gateway) {
        return not_taken.into_response();
    }
    let upgrade = upgrade.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return (StatusCode::BAD_REQUEST, "The subprotocol is graphql-transport-ws.").into_response();
    }
    let span = tracing::Span::current();
    upgrade
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE)
        .read_buffer_size(READ_AT_ONCE)
        .write_buffer_size(0)
        .on_upgrade(move |socket| Session { gateway, id, credentials, socket }.serve().instrument(span))
        .into_response()
}

/// What clients say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    ConnectionInit {
        #[serde(default)]
        payload: serde_json::Value,
    },
    Subscribe {
        id: String,
        payload: serde_json::Value,
    },
    Complete {
        id: String,
    },
    Ping,
    Pong,
}

/// How a session ends.
enum End {
    /// The client has gone, or takes nothing.
    Gone,
    /// With a reason, for the client.
    Close(u16, &'static str),
}

/// What ends a session, where it ends.
type OrEnd<T> = Result<T, End>;

struct Session {
    gateway: Arc<Gateway>,
    id: RequestId,
    credentials: Credentials,
    socket: WebSocket,
}

/// The answers to an operation; none at its end.
type Operation = BoxStream<'static, Option<Answer>>;

impl Session {
    async fn serve(mut self) {
        let Err(end) = self.run().await;
        if let End::Close(code, reason) = end {
            let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            // Who does not hear it has gone.
            let _ = timeout(FAREWELL, self.socket.send(close)).await;
        }
    }

    async fn run(&mut self) -> OrEnd<std::convert::Infallible> {
        self.initialise().await?;
        let gateway = self.gateway.clone();
        let mut operations: StreamMap<String, Operation> = StreamMap::new();
        loop {
            tokio::select! {
                // Clients connect again.
                () = gateway.stopping().cancelled() => return Err(End::Close(1012, "The gateway stops")),
                message = receive(&mut self.socket) => match message? {
                    ClientMessage::ConnectionInit { .. } => {
                        return Err(End::Close(4429, "Too many initialisation requests"));
                    }
                    ClientMessage::Subscribe { id, .. } if operations.contains_key(&id) => {
                        return Err(End::Close(4409, "Subscriber already exists"));
                    }
                    ClientMessage::Subscribe { id, payload } => {
                        let operation = self.operation(payload, operations.len());
                        operations.insert(id, operation);
                    }
                    ClientMessage::Complete { id } => drop(operations.remove(&id)),
                    ClientMessage::Ping => self.send(PONG.to_owned()).await?,
                    ClientMessage::Pong => {}
                },
                Some((id, answer)) = operations.next(), if !operations.is_empty() => {
                    self.send(message(&id, answer.as_deref())).await?;
                }
            }
        }
    }

    /// Waits for the client to say who it is.
    async fn initialise(&mut self) -> OrEnd<()> {
        let until = Instant::now() + INITIALISATION;
        loop {
            let message = timeout_at(until, receive(&mut self.socket)).await;
            match message.map_err(|_| End::Close(4408, "Connection initialisation timeout"))?? {
                ClientMessage::ConnectionInit { payload } => {
                    let header = ["authorization", "Authorization"].iter().find_map(|k| payload.get(k)?.as_str());
                    if let Some(header) = header {
                        self.credentials = Credentials::from_header(header);
                    }
                    let found = self.credentials.subscriber(Use::Socket, &self.gateway).await;
                    found.map_err(|_| End::Close(4403, "Forbidden"))?;
                    return self.send(r#"{"type":"connection_ack"}"#.to_owned()).await;
                }
                ClientMessage::Subscribe { .. } => return Err(End::Close(4401, "Unauthorized")),
                ClientMessage::Ping => self.send(PONG.to_owned()).await?,
                ClientMessage::Complete { .. } | ClientMessage::Pong => {}
            }
        }
    }

    /// Begins an operation beside others.
    fn operation(&self, payload: serde_json::Value, others: usize) -> Operation {
        let (gateway, credentials, id) = (self.gateway.clone(), self.credentials.clone(), self.id.clone());
        let answers = async move {
            match begin(&gateway, &credentials, payload, others).await {
                Ok((request, subscriber)) => answers(&gateway, request, subscriber, &id).await,
                Err(error) => stream::iter([error_answer(error, &id)]).boxed(),
            }
        };
        // Boxed, so that what beginning takes is given back.
        answers.boxed().flatten_stream().map(Some).chain(stream::iter([None])).boxed()
    }

    async fn send(&mut self, text: String) -> OrEnd<()> {
        match timeout(PATIENCE, self.socket.send(Message::Text(text.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_elapsed) => {
                tracing::info!(message = "a WebSocket takes nothing and is closed");
                metrics::counter!("entente_slow_subscribers_total").increment(1);
                Err(End::Close(4008, "SLOW_CONSUMER"))
            }
        }
    }
}

/// What an operation begins with. Who asks is looked up anew for each: the key may count no longer.
async fn begin(
    gateway: &Gateway,
    credentials: &Credentials,
    payload: serde_json::Value,
    others: usize,
) -> Result<(Request, Option<crate::subscriptions::Subscriber>), Error> {
    if others >= MOST_OPERATIONS {
        return Err(Error::new("A socket has at most 100 operations at a time.")
            .extend_with(|_, e| e.set("code", "LIMIT_REACHED")));
    }
    let request = request(payload).map_err(Error::new)?;
    Ok((request, credentials.subscriber(Use::Socket, gateway).await.map_err(NotTaken::into_error)?))
}

const PONG: &str = r#"{"type":"pong"}"#;

/// The message with an answer, or of an operation's end.
fn message(id: &str, answer: Option<&str>) -> String {
    let id = json!(id);
    match answer {
        Some(answer) => format!(r#"{{"type":"next","id":{id},"payload":{answer}}}"#),
        None => format!(r#"{{"type":"complete","id":{id}}}"#),
    }
}

/// The next message of the client. May be dropped at any moment.
async fn receive(socket: &mut WebSocket) -> OrEnd<ClientMessage> {
    loop {
        let text = match socket.recv().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_))) => return Err(End::Close(4400, "Messages are text")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
        };
        return serde_json::from_str(&text).map_err(|_| End::Close(4400, "Not a message of graphql-transport-ws"));
    }
}
