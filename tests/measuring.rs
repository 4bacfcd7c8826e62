//! Exposures, conversions and reports, as parties press them.

use crate::{people::Form, sourcing::written, stories::Party};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use chrono::DateTime;
use serde_json::{Value, json};
use std::sync::Arc;

pub const SCHEDULE_REPORT: &str = "mutation($input: ScheduleReportInput!) { scheduleReport(input: $input) {
    report { id } userErrors { code field message } } }";

pub const RUN_REPORT_AGAIN: &str = "mutation($input: RunReportAgainInput!) { runReportAgain(input: $input) {
    report { id } userErrors { code field message } } }";

pub const LOAD_EXPOSURES: &str = "mutation($input: LoadExposuresInput!) { loadExposures(input: $input) {
    eventDataSet { id } userErrors { code field message } } }";

pub const LOAD_CONVERSIONS: &str = "mutation($input: LoadConversionsInput!) { loadConversions(input: $input) {
    eventDataSet { id } userErrors { code field message } } }";

const FIGURE: &str = "{ state value standardError }";

impl Party {
    /// Enters a campaign that this account runs; its id.
    pub async fn add_campaign(&self, project: &str, external: &str) -> String {
        let document = "mutation($input: AddCampaignInput!) { addCampaign(input: $input) {
            campaign { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": self.account, "projectId": project, "externalId": external, "name": external,
            "placements": ["home", "sports"], "creatives": ["spot"],
        });
        self.client.mutate(document, input).await["campaign"]["id"].as_str().unwrap().to_owned()
    }

    /// What is sent to load exposures, but for where they are.
    pub fn exposures(&self, project: &str, form: Form) -> Value {
        let (column, transformation) = identity(form);
        json!({
            "accountId": self.account, "projectId": project, "name": "Exposures",
            "fields": [{ "column": column, "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": transformation }],
            "columns": {
                "time": "time", "campaign": "campaign_id", "placement": "placement", "creative": "creative",
                "cost": "cost", "viewable": "viewable", "kind": "kind",
            },
            "consentAcknowledged": true,
        })
    }

    /// Loads exposures; how many rows they have.
    pub async fn load_exposures(&self, project: &str, file: impl Into<Vec<u8>>, form: Form) -> u64 {
        let mut input = self.exposures(project, form);
        input["uploadId"] = json!(self.upload(file).await);
        let payload = self.client.mutate(LOAD_EXPOSURES, input).await;
        let set = self.loaded(payload["eventDataSet"]["id"].as_str().unwrap()).await;
        set["rows"].as_u64().unwrap()
    }

    /// What is sent to load conversions with one event, purchases of shoes or shirts, but for where they are.
    pub fn conversions(&self, project: &str) -> Value {
        json!({
            "accountId": self.account, "projectId": project, "name": "Conversions",
            "fields": [
                { "column": "email", "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": "NORMALISE_AND_HASH" },
            ],
            "columns": {
                "time": "time", "kind": "type", "value": "value", "deduplicationKey": "order_id",
                "attributes": ["category"],
            },
            "events": [{ "name": "Purchase", "conversionKind": "purchase", "conditions": [], "matching": "ALL" }],
            "consentAcknowledged": true,
        })
    }

    /// Loads conversions; the data set's id.
    pub async fn load_conversions(&self, project: &str, file: impl Into<Vec<u8>>) -> String {
        let mut input = self.conversions(project);
        input["uploadId"] = json!(self.upload(file).await);
        let payload = self.client.mutate(LOAD_CONVERSIONS, input).await;
        let id = payload["eventDataSet"]["id"].as_str().unwrap().to_owned();
        self.loaded(&id).await;
        id
    }

    /// Waits for a data set to be loaded; the data set.
    pub async fn loaded(&self, id: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on EventDataSet { status failure rows } } }";
        let ended = |data: &Value| data["node"]["status"] != "PENDING";
        let data = self.client.until(query, json!({ "id": id }), ended).await;
        assert_eq!(data["node"]["status"], "ACTIVE", "{data}");
        data["node"].clone()
    }

    /// Schedules a report over past days and waits for it.
    pub async fn report(&self, project: &str, report: Value, campaigns: &[&str], from: &str, until: &str) -> Value {
        let input = json!({
            "accountId": self.account, "projectId": project, "name": "Report", "report": report,
            "campaignIds": campaigns, "from": from, "until": until,
        });
        let payload = self.client.mutate(SCHEDULE_REPORT, input).await;
        self.finished(payload["report"]["id"].as_str().unwrap()).await
    }

    /// A report, when it has run.
    pub async fn finished(&self, report: &str) -> Value {
        let query = format!(
            "query($id: ID!) {{ node(id: $id) {{ ... on Report {{ id status failure epsilon
                summary {{ impressions {FIGURE} reach {FIGURE} averageFrequency {FIGURE}
                    overTime {{ day impressions {FIGURE} reach {FIGURE} }}
                    frequencyDistribution {{ frequency reach {FIGURE} }}
                    byDimension {{ dimension value impressions {FIGURE} }}
                    cumulativeReach {{ day reach {FIGURE} }} }}
                attribution {{ lookbackDays perEvent {{ event
                    credited {{ conversions {FIGURE} revenue {FIGURE} }} all {{ conversions {FIGURE} }} }} }} }} }} }}"
        );
        let ended = |data: &Value| ["FINISHED", "FAILED"].contains(&data["node"]["status"].as_str().unwrap());
        self.client.until(&query, json!({ "id": report }), ended).await["node"].clone()
    }

    /// The work that ran a report, once it is over.
    pub async fn job_of(&self, report: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Report {
            job { kind state subjectId progress { rows bytes percent } } } } }";
        let ended = |data: &Value| data["node"]["job"]["state"] == "DONE";
        self.client.until(query, json!({ "id": report }), ended).await["node"]["job"].clone()
    }
}

/// The rows of a simple CSV file of events as Parquet, in the types that a warehouse gives such columns; an empty field is a
/// missing value.
pub fn as_parquet(csv: &str) -> Vec<u8> {
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let column = |(place, name): (usize, &&str)| -> (String, ArrayRef) {
        let values = rows[1..].iter().map(|row| Some(row[place]).filter(|value| !value.is_empty()));
        let micros = |time: &str| DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros();
        let cents = |money: &str| (money.parse::<f64>().unwrap() * 100.0).round() as i128;
        let array: ArrayRef = match *name {
            "hashed_email" => {
                Arc::new(values.map(|digest| Some(hex::decode(digest?).unwrap())).collect::<BinaryArray>())
            }
            "time" => {
                let times: TimestampMicrosecondArray = values.map(|time| time.map(micros)).collect();
                Arc::new(times.with_timezone("UTC"))
            }
            "cost" | "value" => {
                let money: Decimal128Array = values.map(|money| money.map(cents)).collect();
                Arc::new(money.with_precision_and_scale(12, 2).unwrap())
            }
            "viewable" => Arc::new(values.map(|viewable| Some(viewable? == "true")).collect::<BooleanArray>()),
            _ => Arc::new(values.collect::<StringArray>()),
        };
        ((*name).to_owned(), array)
    };
    written(&RecordBatch::try_from_iter(rows[0].iter().enumerate().map(column)).unwrap())
}

fn identity(form: Form) -> (&'static str, &'static str) {
    match form {
        Form::Plain => ("email", "NORMALISE_AND_HASH"),
        Form::Hashed => ("hashed_email", "ALREADY_HASHED"),
    }
}

/// Checks that a figure is near the truth, within six of its standard errors.
pub fn near(figure: &Value, truth: f64) {
    let value = figure["value"].as_f64().unwrap_or_else(|| panic!("no value: {figure}"));
    let error = figure["standardError"].as_f64().unwrap_or(0.0);
    assert!((value - truth).abs() <= 6.0 * error + 0.5, "{figure} is not near {truth}");
}
