//! What a page holds, however it is written.

use crate::stories::uuid_of;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Connections of a page, and what is shown of each.
pub const CONNECTIONS: usize = 50;
pub const PROJECTS: usize = 5;
pub const AUDIENCES: usize = 10;

/// Sizes below this are not shown.
pub const THRESHOLD: u64 = 1_000;

/// One connection of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Connection {
    id: String,
    state: String,
    partner: [String; 4],
    projects: Vec<(String, String, DateTime<Utc>)>,
    audiences: Vec<(String, String, Option<u64>)>,
}

/// Where an answer keeps what, as JSON pointers.
pub struct Shape {
    pub connections: &'static str,
    pub partner: &'static str,
    pub projects: &'static str,
    pub audiences: &'static str,
    /// Ids are the gateway's global ones.
    pub global_ids: bool,
}

impl Shape {
    /// Reads a page.
    pub fn read(&self, answer: &Value) -> Vec<Connection> {
        let list = |of: &Value, at: &str| {
            of.pointer(at).and_then(Value::as_array).unwrap_or_else(|| panic!("no {at} in {of:#}")).clone()
        };
        let text =
            |of: &Value, field: &str| of[field].as_str().unwrap_or_else(|| panic!("no {field} in {of:#}")).to_owned();
        let id = |of: &Value| if self.global_ids { uuid_of(&text(of, "id")) } else { text(of, "id") };
        let connection = |c: &Value| {
            let partner = c.pointer(self.partner).unwrap_or_else(|| panic!("no partner in {c:#}"));
            let project = |p: &Value| (id(p), text(p, "name"), instant(&text(p, "createdAt")));
            let audience = |a: &Value| (id(a), text(a, "name"), size(a));
            Connection {
                id: id(c),
                state: text(c, "state"),
                partner: [id(partner), text(partner, "name"), text(partner, "role"), text(partner, "industry")],
                projects: list(c, self.projects).iter().map(project).collect(),
                audiences: list(partner, self.audiences).iter().map(audience).collect(),
            }
        };
        list(answer, self.connections).iter().map(connection).collect()
    }
}

/// RFC 3339, or as PostgreSQL writes it.
fn instant(text: &str) -> DateTime<Utc> {
    let as_database = || DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z");
    text.parse().or_else(|_| as_database().map(Into::into)).unwrap_or_else(|_| panic!("no instant: {text}"))
}

/// The size as it is shown; peers answer what it is made from and leave that to who asks.
fn size(audience: &Value) -> Option<u64> {
    match audience.get("identities").and_then(Value::as_str) {
        Some(counts) => shown_size(counts),
        None => audience["identityCount"].as_u64(),
    }
}

/// To three significant digits, nothing below the threshold; from counts by match key, as they are stored.
pub fn shown_size(counts: &str) -> Option<u64> {
    let counts: std::collections::HashMap<&str, u64> = serde_json::from_str(counts).unwrap();
    let exact: u64 = counts.values().sum();
    let mut unit = 1;
    while exact / unit >= 1_000 {
        unit *= 10;
    }
    (exact >= THRESHOLD).then_some((exact + unit / 2) / unit * unit)
}

/// The page is as full as it is meant to be.
pub fn check(page: &[Connection]) {
    assert_eq!(page.len(), CONNECTIONS);
    for connection in page {
        assert_eq!(connection.state, "ACTIVE");
        assert_eq!((connection.projects.len(), connection.audiences.len()), (3, AUDIENCES));
    }
    let sizes = page.iter().flat_map(|c| &c.audiences).map(|a| a.2);
    assert!(sizes.clone().any(|s| s.is_none()) && sizes.flatten().any(|s| s > 10_000));
}
