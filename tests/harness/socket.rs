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
    pub async fn connect(base: &str) -> Self {
        Self::connect_with(base, &[]).await.unwrap()
    }

    /// Opens a socket with these headers; `None` when it is refused.
    async fn connect_with(base: &str, headers: &[(&'static str, &str)]) -> Option<Self> {
        let mut request = format!("{}/graphql", base.replacen("http", "ws", 1)).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "graphql-transport-ws".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = connect_async(request).await.ok()?;
        Some(Self(socket))
    }

    /// Opens a socket with these headers, as browsers do, which is acknowledged without a key; `None` when it is not.
    pub async fn of_browser(base: &str, headers: &[(&'static str, &str)]) -> Option<Self> {
        let mut this = Self::connect_with(base, headers).await?;
        this.say(&json!({ "type": "connection_init" })).await;
        this.hear().await.is_ok_and(|message| message["type"] == "connection_ack").then_some(this)
    }

    /// Opens a socket and signs in.
    pub async fn sign_in(base: &str, token: &str) -> Self {
        let mut this = Self::connect(base).await;
        let authorization = json!({ "Authorization": format!("Bearer {token}") });
        this.say(&json!({ "type": "connection_init", "payload": authorization })).await;
        let acknowledged = this.hear().await.expect("the socket is acknowledged");
        assert_eq!(acknowledged["type"], "connection_ack", "{acknowledged}");
        this
    }

    /// Opens a socket, signs in and subscribes.
    pub async fn subscribe(base: &str, token: &str, document: &str, variables: Value) -> Self {
        Self::open(base, token, &json!({ "query": document, "variables": variables })).await
    }

    /// The same with a whole request.
    pub async fn open(base: &str, token: &str, payload: &Value) -> Self {
        let mut this = Self::sign_in(base, token).await;
        this.say(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
        this
    }

    /// Begins an operation, the only one.
    pub async fn ask(&mut self, document: &str, variables: Value) {
        let payload = json!({ "query": document, "variables": variables });
        self.say(&json!({ "type": "subscribe", "id": "1", "payload": payload })).await;
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
