//! Luma and Fit Apparel, connected, with a project to measure. Fit Apparel ran the campaign.

use super::company::{Company, text};
use serde_json::{Value, json};
use std::fmt::Write;

/// The two sides, their project and Fit Apparel's campaign.
pub struct Campaign {
    pub luma: Company,
    pub fit_apparel: Company,
    pub project: String,
    pub campaign: String,
}

/// How many people saw the campaign, twice each: on the first day at home, a day later in the newsletter.
pub const REACHED: usize = 3_000;
/// How many of them bought for 50 on the third day.
pub const BOUGHT: usize = 2_000;

impl Campaign {
    /// Everything up to the campaign; no events.
    pub async fn new() -> Self {
        let luma = Company::luma().await;
        let fit_apparel = luma.beside("Fit Apparel").await;
        let code = luma.ask("query($a: ID!) { account(id: $a) { connectCode } }", json!({ "a": luma.id() })).await;
        let invitee = json!({ "invitee": { "connectCode": code["account"]["connectCode"] } });
        let invited = fit_apparel.press("invite", "InviteInput", "connection { id }", invitee).await;
        let connection = text(&invited["connection"]["id"]);
        let named = json!({ "connectionId": connection });
        luma.press("acceptInvite", "ConnectionInput", "connection { id }", named.clone()).await;
        let mut proposal = named.clone();
        proposal["settings"] = json!({
            "useCases": ["MEASURE"], "matchKeys": [{ "kind": "HASHED_EMAIL" }], "activators": "BOTH",
            "activationPayer": "EACH_OWN", "measurementPayer": "OWNER",
        });
        let fields = "connection { proposedSettings { version } }";
        let proposed = fit_apparel.press("proposeSettings", "ProposeSettingsInput", fields, proposal).await;
        let mut accepted = named;
        accepted["settingsVersion"] = proposed["connection"]["proposedSettings"]["version"].clone();
        luma.press("acceptSettings", "AcceptSettingsInput", "connection { id }", accepted).await;
        let project = json!({ "connectionId": connection, "name": "Autumn", "useCases": ["MEASURE"] });
        let created = luma.press("createProject", "CreateProjectInput", "project { id }", project).await;
        let project = text(&created["project"]["id"]);
        let campaign = enter(&fit_apparel, &project, "together").await;
        Self { luma, fit_apparel, project, campaign }
    }

    /// The same with exposures of Fit Apparel; the id of the data set.
    pub async fn with_exposures() -> (Self, String) {
        let this = Self::new().await;
        let mut file = String::from("email,time,campaign,placement,cost\n");
        for person in 0..REACHED {
            writeln!(file, "p{person}@x.example,2026-10-01T08:00:00Z,together,Home,0.01").unwrap();
            writeln!(file, "p{person}@x.example,2026-10-02T08:00:00Z,together,Newsletter,0.01").unwrap();
        }
        let loaded = this.load_exposures(&this.fit_apparel, &file).await;
        this.fit_apparel.work().await;
        (this, text(&loaded["eventDataSet"]["id"]))
    }

    /// Loads exposures of a company; the payload.
    pub async fn load_exposures(&self, company: &Company, file: &str) -> Value {
        let mut input = self.load(company, file).await;
        let columns = json!({ "time": "time", "campaign": "campaign", "placement": "placement", "cost": "cost" });
        input["columns"] = columns;
        company.press("loadExposures", "LoadExposuresInput", "eventDataSet { id status job { kind } }", input).await
    }

    /// Loads Luma's orders, of which the last is told twice; the id of the data set.
    pub async fn load_orders(&self) -> String {
        let mut file = String::from("email,time,type,value,order,new\n");
        for person in (0..BOUGHT).chain([BOUGHT - 1]) {
            writeln!(file, "p{person}@x.example,2026-10-03T08:00:00Z,purchase,50,{person},{}", person % 2 == 0)
                .unwrap();
        }
        for person in 0..1_000 {
            writeln!(file, "q{person}@x.example,2026-10-03T08:00:00Z,purchase,50,q{person},true").unwrap();
        }
        let mut input = self.load(&self.luma, &file).await;
        input["columns"] = json!({
            "time": "time", "kind": "type", "value": "value", "deduplicationKey": "order", "attributes": ["new"],
        });
        let new = json!({ "attribute": "new", "operator": "EQUALS", "value": "true" });
        input["events"] = json!([
            { "name": "Purchase", "conversionKind": "purchase" },
            { "name": "New customer", "conversionKind": "purchase", "conditions": [new] },
        ]);
        let fields = "eventDataSet { id }";
        let loaded = self.luma.press("loadConversions", "LoadConversionsInput", fields, input).await;
        self.luma.work().await;
        text(&loaded["eventDataSet"]["id"])
    }

    async fn load(&self, company: &Company, file: &str) -> Value {
        json!({
            "projectId": self.project,
            "name": "Events",
            "uploadId": company.upload(file).await,
            "fields": [{
                "column": "email", "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": "NORMALISE_AND_HASH",
            }],
            "consentAcknowledged": true,
        })
    }

    /// Schedules a report on the campaign's two weeks; the payload.
    pub async fn schedule(&self, company: &Company, report: Value) -> Value {
        self.schedule_with(company, report, json!({})).await
    }

    /// The same with other values of the input.
    pub async fn schedule_with(&self, company: &Company, report: Value, others: Value) -> Value {
        let mut input = json!({
            "projectId": self.project, "name": "Report", "report": report, "campaignIds": [self.campaign],
            "from": "2026-10-01", "until": "2026-10-14",
        });
        for (name, value) in others.as_object().unwrap() {
            input[name] = value.clone();
        }
        let fields = "report { id status runOn epsilon }";
        company.press("scheduleReport", "ScheduleReportInput", fields, input).await
    }
}

/// Enters a campaign that a company runs; its id.
pub async fn enter(company: &Company, project: &str, external_id: &str) -> String {
    let input = json!({
        "projectId": project, "externalId": external_id, "name": "Better together", "placements": ["Home", "Newsletter"],
    });
    let added = company.press("addCampaign", "AddCampaignInput", "campaign { id }", input).await;
    text(&added["campaign"]["id"])
}

/// What a summary asks for.
pub fn summary() -> Value {
    json!({ "campaignSummary": true })
}

/// What an attribution asks for.
pub fn attribution(conversions: &str, events: &[&str]) -> Value {
    json!({ "attribution": { "conversionsId": conversions, "events": events, "lookbackDays": 14 } })
}
