//! A service to deliver to while you write the plugin: it runs on this machine until Ctrl-C, takes everything and says
//! what it gets. The settings that lead to it are in `settings.json`.

use std::error::Error;

use entente_destination::testkit::{FakeServer, Recorded, Reply};
use serde_json::{Value, json};

const TOKEN: &str = "t0ken";

fn main() -> Result<(), Box<dyn Error>> {
    let server = FakeServer::start()?;
    server.otherwise(answer);
    let settings = json!({"url": server.url("/rows"), "token": TOKEN, "allow_plain_http": true});
    println!("listening at {}", server.url("/rows"));
    // Aside first: whoever waits for the file finds all of it.
    std::fs::write("settings.json.part", settings.to_string())?;
    std::fs::rename("settings.json.part", "settings.json")?;
    loop {
        std::thread::park();
    }
}

fn answer(request: &Recorded) -> Reply {
    let genuine = request.header("authorization").is_some_and(|header| header == format!("Bearer {TOKEN}"));
    let status = match (genuine, request.method.as_str()) {
        (false, _) => 401,
        (true, "GET") => 204,
        (true, _) => 200,
    };
    println!("{} {status}{}", request.method, rows(&request.body));
    Reply::status(status)
}

/// How many rows a body has. Not the rows: nobody needs people's identities in a log.
fn rows(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return String::new() };
    let rows = body["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let added = rows.iter().filter(|row| row["change"] == "added").count();
    format!(" {added} rows added, {} removed", rows.len() - added)
}
