//! A client of `graphql-transport-ws`.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// One socket with one subscription.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Whether a socket is opened for a browser with these headers, and acknowledged without a key.
    pub async fn opens(base: &str, headers: &[(&'static str, &str)]) -> bool {
        let mut request = format!("{}/graphql", base.replacen("http", "ws", 1)).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "graphql-transport-ws".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let Ok((mut socket, _)) = connect_async(request).await else { return false };
        socket.send(Message::text(json!({ "type": "connection_init" }).to_string())).await.unwrap();
        Self(socket).message().await.is_some_and(|message| message["type"] == "connection_ack")
    }

    /// Opens a socket, signs in and subscribes.
    pub async fn subscribe(base: &str, token: &str, document: &str, variables: Value) -> Self {
        Self::open(base, token, &json!({ "query": document, "variables": variables })).await
    }

    /// The same with a whole request.
    pub async fn open(base: &str, token: &str, payload: &Value) -> Self {
        let mut request = format!("{}/graphql", base.replacen("http", "ws", 1)).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "graphql-transport-ws".parse().unwrap());
        let (mut socket, _) = connect_async(request).await.unwrap();
        let init = json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {token}") } });
        socket.send(Message::text(init.to_string())).await.unwrap();
        let mut this = Self(socket);
        let acknowledged = this.message().await.expect("the socket is acknowledged");
        assert_eq!(acknowledged["type"], "connection_ack", "{acknowledged}");
        let subscribe = json!({ "type": "subscribe", "id": "1", "payload": payload });
        this.0.send(Message::text(subscribe.to_string())).await.unwrap();
        this
    }

    /// The payload of the next result; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            let mut message = self.message().await?;
            match message["type"].as_str() {
                Some("next") => return Some(message["payload"].take()),
                Some("ping") => self.0.send(Message::text(json!({ "type": "pong" }).to_string())).await.unwrap(),
                Some("complete") => return None,
                _ => panic!("unexpected: {message}"),
            }
        }
    }

    async fn message(&mut self) -> Option<Value> {
        loop {
            let message =
                tokio::time::timeout(Duration::from_secs(30), self.0.next()).await.expect("a message in time")?;
            match message.ok()? {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }
}
