//! A client of `graphql-transport-ws`.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// One socket, mostly with one subscription.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens a socket and says nothing.
    pub async fn open(base: &str) -> Self {
        let mut request = format!("{}/graphql", base.replacen("http", "ws", 1)).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "graphql-transport-ws".parse().unwrap());
        let (socket, _) = connect_async(request).await.unwrap();
        Self(socket)
    }

    /// Opens a socket and signs in.
    pub async fn sign_in(base: &str, token: &str) -> Self {
        let mut this = Self::open(base).await;
        let authorization = json!({ "Authorization": format!("Bearer {token}") });
        this.say(&json!({ "type": "connection_init", "payload": authorization })).await;
        let acknowledged = this.hear().await.expect("the socket is acknowledged");
        assert_eq!(acknowledged["type"], "connection_ack", "{acknowledged}");
        this
    }

    /// Opens a socket, signs in and subscribes.
    pub async fn subscribe(base: &str, token: &str, document: &str, variables: Value) -> Self {
        let mut this = Self::sign_in(base, token).await;
        let payload = json!({ "query": document, "variables": variables });
        this.say(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
        this
    }

    /// The payload of the next result; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let mut message = self.hear().await.ok()?;
            match message["type"].as_str() {
                Some("next") => return Some(message["payload"].take()),
                Some("ping") => self.say(&json!({ "type": "pong" })).await,
                Some("complete") => return None,
                _ => panic!("unexpected: {message}"),
            }
        }
    }

    /// Sends a message.
    pub async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message, or the code with which the socket was closed, if there was one.
    pub async fn hear(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let message =
                tokio::time::timeout(Duration::from_secs(30), self.0.next()).await.expect("a message in time");
            match message.ok_or(None)?.map_err(|_| None)? {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => return Err(frame.map(|frame| frame.code.into())),
                _ => {}
            }
        }
    }
}
