//! `entente upload`: a file goes to a gateway from a shell, and becomes the customers of a data connection.

mod sending;

pub use sending::send;

use crate::declared::{
    Asked,
    api::{Api, ApiError, UserError},
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// How often it is asked how far a refresh is.
const EACH: Duration = Duration::from_millis(300);
/// How often in a row that may fail.
const FAILURES: u32 = 100;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What to upload.
#[derive(Debug, Args)]
pub struct Upload {
    /// CSV or Parquet
    file: PathBuf,
    /// The id of the account whose it is
    #[arg(long, value_name = "ID")]
    account: String,
    /// The id of a data connection: the file replaces its customers
    #[arg(long, value_name = "ID")]
    data_connection: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

impl Upload {
    /// Uploads the file and prints the upload's id; with a data connection it waits until that is refreshed.
    ///
    /// # Errors
    /// A file that cannot be read, a gateway that does not answer for minutes, or something that it refused.
    pub fn run(self) -> Outcome<ExitCode> {
        let api = self.asked.api()?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let upload = self.upload(&api).await?;
            println!("{}", upload.as_str().unwrap_or_default());
            if let Some(data_connection) = &self.data_connection {
                let job = self.refresh(&api, data_connection, &upload).await?;
                follow(&api, &job).await?;
                refreshed(&api, data_connection).await?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn upload(&self, api: &Api) -> Outcome<Value> {
        let bar = bar("{bar:40} {bytes} / {total_bytes}  {bytes_per_sec}  {eta}");
        let sent = send(api, &self.account.as_str().into(), &self.file, &bar).await;
        bar.finish_and_clear();
        sent?.map_err(|refused| told(&refused).into())
    }

    /// Has the data connection refreshed from the upload; the job's id.
    async fn refresh(&self, api: &Api, data_connection: &str, upload: &Value) -> Outcome<Value> {
        let document = "mutation($input: RefreshDataConnectionInput!) { refreshDataConnection(input: $input) {
            job { id } userErrors { code field message } } }";
        let input = json!({ "accountId": self.account, "dataConnectionId": data_connection, "uploadId": upload });
        let mut data = api.ask(document, &json!({ "input": input })).await?;
        let payload = &mut data["refreshDataConnection"];
        match payload["job"]["id"].take() {
            Value::Null => {
                let refused: Vec<UserError> = serde_json::from_value(payload["userErrors"].take())?;
                Err(told(&refused).into())
            }
            job => Ok(job),
        }
    }
}

/// Shows how far a job is until it ends.
async fn follow(api: &Api, job: &Value) -> Outcome<()> {
    let query = "query($id: ID!) { node(id: $id) { ... on Job { state error progress {
        rows bytes totalBytes secondsLeft } } } }";
    let bar = bar("{bar:40} {msg}");
    let mut failures = 0;
    loop {
        let data = match api.ask(query, &json!({ "id": job })).await {
            Err(ApiError::Http(error)) if error.kind() == "TRANSIENT" && failures < FAILURES => {
                failures += 1;
                tokio::time::sleep(EACH).await;
                continue;
            }
            answer => answer?,
        };
        failures = 0;
        let (job, progress) = (&data["node"], &data["node"]["progress"]);
        let left = progress["secondsLeft"].as_u64().map_or_else(String::new, |left| format!("  {left} s left"));
        bar.set_message(format!("{} rows{left}", progress["rows"].as_u64().unwrap_or_default()));
        bar.set_length(progress["totalBytes"].as_u64().unwrap_or_default());
        bar.set_position(progress["bytes"].as_u64().unwrap_or_default());
        match job["state"].as_str() {
            Some("QUEUED" | "RUNNING") => tokio::time::sleep(EACH).await,
            Some("DONE") => {
                bar.finish_and_clear();
                return Ok(());
            }
            state => {
                bar.finish_and_clear();
                let (state, why) = (state.unwrap_or("gone"), job["error"].as_str().unwrap_or("no reason is given"));
                return Err(format!("the refresh is {state}: {why}").into());
            }
        }
    }
}

/// Says how many rows the last refresh of a data connection took, and where it says why it did not take others.
async fn refreshed(api: &Api, data_connection: &str) -> Outcome<()> {
    let query = "query($id: ID!) { node(id: $id) { ... on DataConnection { lastRefresh {
        rows acceptedRows rowFaultsUrl } } } }";
    let data = api.ask(query, &json!({ "id": data_connection })).await?;
    let refresh = &data["node"]["lastRefresh"];
    let number = |field: &str| refresh[field].as_u64().unwrap_or_default();
    let (rows, taken) = (number("rows"), number("acceptedRows"));
    eprintln!("refreshed: {rows} rows, {taken} of them taken");
    if taken < rows {
        eprintln!("why others were not: {}", refresh["rowFaultsUrl"].as_str().unwrap_or_default());
    }
    Ok(())
}

/// A bar on standard error where that is a terminal.
fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn told(refused: &[UserError]) -> String {
    let told = refused.iter().map(|error| format!("{} ({})", error.message, error.code));
    told.collect::<Vec<_>>().join("\n")
}
