//! Asks one server as often as a number of connections can.

use crate::peers::Peer;
use std::time::{Duration, Instant};

/// Answers of a run.
pub struct Times {
    /// How long each took.
    pub answers: Vec<Duration>,
    /// How long the run was.
    pub run: Duration,
}

/// Asks for a time, on so many connections, each with one question at a time.
pub async fn run(peer: &Peer, clients: usize, time: Duration) -> Times {
    let begin = Instant::now();
    let askers: Vec<_> = (0..clients).map(|_| tokio::spawn(ask_until(peer.request(), begin + time))).collect();
    let mut answers = Vec::new();
    for asker in askers {
        answers.append(&mut asker.await.unwrap());
    }
    Times { answers, run: begin.elapsed() }
}

async fn ask_until(request: reqwest::RequestBuilder, end: Instant) -> Vec<Duration> {
    let mut answers = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        let answer = request.try_clone().unwrap().send().await.unwrap();
        assert!(answer.status().is_success());
        let bytes = answer.bytes().await.unwrap();
        answers.push(begin.elapsed());
        assert!(bytes.len() > 10_000, "{}", String::from_utf8_lossy(&bytes));
    }
    answers
}
