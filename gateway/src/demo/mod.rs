//! The demo: Luma, TV Tube and Fit Apparel with generated customers, loaded over HTTP as a user would.

mod api;
mod companies;
mod data;
mod keys;

use crate::{gateway::Gateway, serve::Outcome};
use api::Api;
use chrono::Days;
use companies::{COMPANIES, Company};
use data::{CAMPAIGN_DAYS, CONVERSION_DAYS, Demo, DemoFile, FILES, Kind};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{future::Future, path::Path, pin::Pin, sync::Arc};

/// Makes the same people each time.
const SEED: u64 = 20_261_123;
/// Days between the last conversions and today, so that every report may run at once.
const DAYS_PAST: u32 = 7;

/// Loads the demo; what is there already stays. Prints the keys to act as each company.
pub fn load(gateway: Arc<Gateway>) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
    Box::pin(async move {
        println!("Loading the demo …");
        let keys = keys::of_companies(&gateway).await?;
        let bars = MultiProgress::new();
        let demo = demo();
        for (company, key) in COMPANIES.iter().zip(&keys) {
            set_up(&Api::new(&gateway.base_url, key), company, demo, &bars).await?;
        }
        let folder = gateway.settings.data.join("demo");
        let files = folder.clone();
        tokio::task::spawn_blocking(move || write_event_files(&files, demo)).await??;
        announce(&gateway.base_url, &keys, &folder, demo);
        Ok(())
    })
}

fn demo() -> Demo {
    let back = Days::new(u64::from(CAMPAIGN_DAYS.max(CONVERSION_DAYS) + DAYS_PAST));
    let today = crate::clock::now().date_naive();
    Demo { seed: SEED, campaign_start: today.checked_sub_days(back).unwrap_or(today) }
}

/// Account, customers and destination of one company.
async fn set_up(api: &Api, company: &'static Company, demo: Demo, bars: &MultiProgress) -> Outcome {
    let account = account_of(api, company).await?;
    let query = "query($a: ID!) { account(id: $a) {
        dataConnections(first: 1) { totalCount } destinations(first: 1) { totalCount } } }";
    let has = api.ask(query, json!({ "a": account })).await?;
    let missing = |list: &str| has["account"][list]["totalCount"] == json!(0);
    if missing("dataConnections") {
        source_customers(api, company, &account, demo, bars).await?;
    }
    if missing("destinations") {
        let mutation = "mutation($input: CreateDestinationInput!) { createDestination(input: $input) {
            userErrors { code field message } } }";
        api.press(mutation, company.destination(&account)).await?;
    }
    Ok(())
}

async fn account_of(api: &Api, company: &Company) -> Result<String, api::ApiError> {
    let data = api.ask("{ viewer { accounts(first: 1) { nodes { id } } } }", json!({})).await?;
    if let Some(id) = data["viewer"]["accounts"]["nodes"][0]["id"].as_str() {
        return Ok(id.to_owned());
    }
    let mutation = "mutation($input: CreateAccountInput!) { createAccount(input: $input) {
        account { id } userErrors { code field message } } }";
    let payload = api.press(mutation, company.account()).await?;
    Ok(payload["account"]["id"].as_str().unwrap_or_default().to_owned())
}

async fn source_customers(api: &Api, company: &Company, account: &str, demo: Demo, bars: &MultiProgress) -> Outcome {
    let Some(file) = FILES.iter().find(|f| f.company == company.name && f.kind == Kind::Customers) else {
        return Ok(());
    };
    let mutation = "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
        upload { id url } userErrors { code field message } } }";
    let payload = api.press(mutation, json!({ "accountId": account, "fileName": file.name })).await?;
    let upload = &payload["upload"];
    let bar = bar(bars, u64::from(file.rows), &format!("{}: upload", company.name.name()));
    api.upload(upload["url"].as_str().unwrap_or_default(), rows_of(file, demo, bar.clone())).await?;
    bar.finish();

    let mutation = "mutation($input: CreateDataConnectionInput!) { createDataConnection(input: $input) {
        job { id } userErrors { code field message } } }";
    let payload = api.press(mutation, company.data_connection(account, &upload["id"])).await?;
    let bar = self::bar(bars, u64::from(file.rows), &format!("{}: source", company.name.name()));
    follow(api, &payload["job"]["id"], &bar).await
}

/// The file as it is made, counted by a bar.
fn rows_of(file: &'static DemoFile, demo: Demo, bar: ProgressBar) -> tokio::sync::mpsc::Receiver<Vec<u8>> {
    let (chunks, receiver) = tokio::sync::mpsc::channel(8);
    tokio::task::spawn_blocking(move || {
        let mut stream = file.open(demo);
        while let Some(chunk) = stream.next() {
            bar.set_position(u64::from(stream.rows_made()));
            if chunks.blocking_send(chunk).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn follow(api: &Api, job: &Value, bar: &ProgressBar) -> Outcome {
    let query = "query($id: ID!) { node(id: $id) { ... on Job { state error progress { rows } } } }";
    loop {
        let data = api.ask(query, json!({ "id": job })).await?;
        let job = &data["node"];
        bar.set_position(job["progress"]["rows"].as_u64().unwrap_or(0));
        match job["state"].as_str() {
            Some("DONE") => {
                bar.finish();
                return Ok(());
            }
            Some("FAILED" | "CANCELLED") => return Err(format!("the demo's data was refused: {}", job["error"]).into()),
            _ => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
}

fn bar(bars: &MultiProgress, rows: u64, label: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("  {msg:<22} {bar:30} {human_pos:>9} / {human_len} rows  {eta}");
    let bar = bars.add(ProgressBar::new(rows));
    bar.set_message(label.to_owned());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Exposures and conversions, for the user to load. They name made-up people only.
fn write_event_files(folder: &Path, demo: Demo) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for file in FILES.iter().filter(|f| f.kind != Kind::Customers) {
        let path = folder.join(file.name);
        let aside = path.with_extension("part");
        let mut stream = file.open(demo);
        std::io::copy(&mut stream, &mut std::fs::File::create(&aside)?)?;
        std::fs::rename(&aside, &path)?;
    }
    Ok(())
}

fn announce(url: &str, keys: &[String], folder: &Path, demo: Demo) {
    println!("The demo is loaded. Act as one of the companies with its key, at {url}/graphiql:");
    for (company, key) in COMPANIES.iter().zip(keys) {
        println!("  {:<12} {{ \"Authorization\": \"Bearer {key}\" }}", company.name.name());
    }
    let last = demo.campaign_start.checked_add_days(Days::new(u64::from(CAMPAIGN_DAYS - 1))).unwrap_or_default();
    println!("  Exposures and conversions to load are in {}:", folder.display());
    for file in FILES.iter().filter(|f| f.kind != Kind::Customers) {
        let campaign = file.campaign.map(|c| format!("campaign {}, {} until {last}", c.id, demo.campaign_start));
        println!("  {:<26} {}", file.name, campaign.unwrap_or_default());
    }
}
