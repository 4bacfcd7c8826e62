//! Frames of a WebSocket that speaks `graphql-transport-ws`.

use super::gateway::{connect, run, told};
use futures::StreamExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, error::ProtocolError, protocol::Role},
};

const UPGRADE: &str = "GET /graphql HTTP/1.1\r\nHost: gateway.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
    Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
const TYPES: [&str; 6] = ["connection_ack", "next", "error", "complete", "ping", "pong"];

/// The gateway answers with sound frames that hold messages of the protocol, and is done when the client is. The input is
/// the frames as they are sent, or, where it begins like JSON, a message on each line.
pub fn websocket_frames(input: &[u8]) {
    let frames = match input {
        [b'{', ..] => input.split(|byte| *byte == b'\n').flat_map(frame).collect(),
        _ => input.to_vec(),
    };
    run(async move {
        let mut socket = connect();
        socket.write_all(UPGRADE.as_bytes()).await.unwrap();
        upgraded(&mut socket).await;
        socket.write_all(&frames).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answers = WebSocketStream::from_raw_socket(socket, Role::Client, None).await;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(Message::Text(text)) => is_of_protocol(&text),
                Ok(_) => {}
                // No farewell can be sent where nothing more is.
                Err(Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => return,
                Err(unsound) => panic!("{unsound}"),
            }
        }
    });
}

/// A text in one frame, masked with zeros.
fn frame(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let text = &text[..usize::from(length)];
    let head = match length {
        0..126 => vec![0x81, 0x80 | length as u8],
        _ => [&[0x81, 0xfe][..], &length.to_be_bytes()].concat(),
    };
    [&head[..], &[0; 4], text].concat()
}

/// Reads the answer to the upgrade.
async fn upgraded(socket: &mut DuplexStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.expect("an answer to the upgrade"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
}

fn is_of_protocol(text: &str) {
    let message: Value = serde_json::from_str(text).expect("JSON");
    assert!(message["type"].as_str().is_some_and(|of| TYPES.contains(&of)), "{text}");
    told(&message["payload"]);
}
