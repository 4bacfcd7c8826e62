//! An upload is never held in memory.

use super::protocol::created;
use crate::{
    harness::{Gateway, Kind},
    stories::Party,
};
use futures::stream;

const PIECE: usize = 1 << 20;
const PIECES: usize = 192;
/// What it may take beside what the gateway takes anyway, in KiB.
const MOST: u64 = 64 << 10;

/// The most memory that the gateway ever had, in KiB.
fn peak(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_upload_takes_little_memory() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let url = created(&luma, PIECE * PIECES).await;
    let before = peak(&gateway);
    let pieces = (0..PIECES).map(|_| Ok::<_, std::io::Error>(vec![b'a'; PIECE]));
    let body = reqwest::Body::wrap_stream(stream::iter(pieces));
    let request = luma.client.http().patch(&url).header("tus-resumable", "1.0.0").header("upload-offset", "0");
    let answer = request.header("content-type", "application/offset+octet-stream").body(body).send().await.unwrap();
    assert_eq!(answer.headers()["upload-offset"], (PIECE * PIECES).to_string().as_str());
    let grown = peak(&gateway) - before;
    assert!(grown < MOST, "{grown} KiB more for an upload of {} KiB", (PIECE * PIECES) >> 10);
}
