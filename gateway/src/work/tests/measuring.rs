//! From exposures and conversions to frozen reports.

use super::{
    campaign::{BOUGHT, Campaign, REACHED, attribution, enter, summary},
    company::{Company, codes, text},
};
use serde_json::{Value, json};

const REPORT: &str = "query($id: ID!) { node(id: $id) { ... on Report {
    status failure kind epsilon
    summary {
        impressions { state value standardError } reach { state value } averageFrequency { value }
        cost { value } overTime { day impressions { state value } }
        frequencyDistribution { frequency orMore reach { state value } }
        byDimension { dimension value reach { state value } }
        cumulativeReach { day reach { value } }
    }
    attribution { lookbackDays perEvent {
        event credited { conversions { value standardError } revenue { value } } all { conversions { value } }
        byDay { day credited { conversions { state } } } byDimension { dimension value }
    } }
    protection { counts epsilonSpent threshold bounds { impressions } }
} } }";

async fn read(company: &Company, report: &str) -> Value {
    company.ask(REPORT, json!({ "id": report })).await["node"].clone()
}

/// Schedules a report, runs it, and reads it.
async fn made(campaign: &Campaign, company: &Company, report: Value) -> Value {
    let scheduled = campaign.schedule(company, report).await;
    assert_eq!(codes(&scheduled), Vec::<String>::new());
    company.work().await;
    read(company, &text(&scheduled["report"]["id"])).await
}

async fn spent(campaign: &Campaign, company: &Company) -> f64 {
    let query = "query($p: ID!, $a: ID!) {
        project(accountId: $a, id: $p) { privacyBudget(accountId: $a) { spent total } }
    }";
    let data = company.ask(query, json!({ "p": campaign.project, "a": company.id() })).await;
    data["project"]["privacyBudget"]["spent"].as_f64().unwrap()
}

fn near(figure: &Value, expected: usize) -> bool {
    let error = figure["standardError"].as_f64().unwrap();
    error > 0.0 && (figure["value"].as_f64().unwrap() - expected as f64).abs() < 8.0 * error
}

#[tokio::test]
async fn the_side_that_ran_a_campaign_reads_its_own_exactly() {
    let (campaign, _) = Campaign::with_exposures().await;
    let report = made(&campaign, &campaign.fit_apparel, summary()).await;
    assert_eq!((&report["status"], &report["epsilon"]), (&json!("FINISHED"), &json!(0.0)));
    let found = &report["summary"];
    let exactly = json!({ "state": "VALUE", "value": 2 * REACHED, "standardError": 0.0 });
    assert_eq!(found["impressions"], exactly);
    assert_eq!(found["averageFrequency"]["value"], json!(2.0));
    assert_eq!(found["cost"]["value"], json!(60.0));
    assert_eq!(found["overTime"].as_array().unwrap().len(), 14);
    assert_eq!(found["overTime"][2]["impressions"], json!({ "state": "BELOW_THRESHOLD", "value": null }));
    assert_eq!(found["cumulativeReach"][13]["reach"]["value"], json!(REACHED));
    let twice = json!({ "frequency": 2, "orMore": false, "reach": { "state": "VALUE", "value": REACHED } });
    assert_eq!(found["frequencyDistribution"][1], twice);
    let home = json!({ "dimension": "PLACEMENT", "value": "Home", "reach": { "state": "VALUE", "value": REACHED } });
    assert!(found["byDimension"].as_array().unwrap().contains(&home));
    assert_eq!(report["protection"]["bounds"], Value::Null);
    assert_eq!((&report["attribution"], spent(&campaign, &campaign.fit_apparel).await), (&Value::Null, 0.0));
}

#[tokio::test]
async fn the_other_side_reads_with_noise_and_spends_budget() {
    let (campaign, _) = Campaign::with_exposures().await;
    let orders = campaign.load_orders().await;
    let report = made(&campaign, &campaign.luma, attribution(&orders, &["Purchase", "New customer"])).await;
    assert_eq!((&report["status"], &report["kind"]), (&json!("FINISHED"), &json!("ATTRIBUTION")));
    assert!(near(&report["summary"]["impressions"], 2 * REACHED), "{report}");
    let [purchase, new] = [0, 1].map(|i| report["attribution"]["perEvent"][i].clone());
    assert!(near(&purchase["credited"]["conversions"], BOUGHT), "{report}");
    assert!(new["credited"]["conversions"]["value"].is_null() || near(&new["credited"]["conversions"], BOUGHT / 2));
    assert_eq!(purchase["all"]["conversions"]["value"], json!(BOUGHT + 1_000), "own, and told twice counts once");
    assert_eq!(purchase["byDay"].as_array().unwrap().len(), 28);
    assert_eq!((&report["epsilon"], &report["protection"]["epsilonSpent"]), (&json!(1.0), &json!(1.0)));
    assert_eq!(report["protection"]["bounds"]["impressions"], json!(20));
    for company in [&campaign.luma, &campaign.fit_apparel] {
        assert_eq!(spent(&campaign, company).await, 1.0);
    }
}

#[tokio::test]
async fn a_used_up_budget_is_refused_and_what_is_read_again_is_the_same() {
    let (campaign, _) = Campaign::with_exposures().await;
    let first = campaign.schedule(&campaign.luma, summary()).await;
    campaign.luma.work().await;
    let id = text(&first["report"]["id"]);
    let frozen = read(&campaign.luma, &id).await;
    for _ in 1..8 {
        assert_eq!(made(&campaign, &campaign.luma, summary()).await["status"], "FINISHED");
    }
    assert_eq!(codes(&campaign.schedule(&campaign.luma, summary()).await), ["BUDGET_EXHAUSTED"]);
    assert_eq!(codes(&campaign.schedule(&campaign.fit_apparel, summary()).await), Vec::<String>::new());
    assert_eq!(read(&campaign.luma, &id).await, frozen);
    let edit = json!({ "reportId": id, "name": "Other" });
    let edited = campaign.luma.press("editReport", "EditReportInput", "report { id }", edit).await;
    assert_eq!(codes(&edited), ["WRONG_STATE"]);
}

#[tokio::test]
async fn who_may_not_is_told_why() {
    let (campaign, exposures) = Campaign::with_exposures().await;
    let (luma, fit_apparel) = (&campaign.luma, &campaign.fit_apparel);
    let orders = campaign.load_orders().await;
    let own = enter(luma, &campaign.project, "ours").await;
    let none = crate::graphql::id::global(entente_domain::CampaignId::new()).0;
    for (company, report, others, code) in [
        (fit_apparel, attribution(&orders, &["Purchase"]), json!({}), "NOT_FOUND"),
        (fit_apparel, attribution(&exposures, &["Purchase"]), json!({}), "INVALID"),
        (luma, attribution(&orders, &["Refund"]), json!({}), "INVALID"),
        (luma, attribution(&orders, &["Purchase"]), json!({ "runOn": "2026-10-28" }), "TOO_EARLY"),
        (luma, summary(), json!({ "campaignIds": [none] }), "NOT_FOUND"),
        (luma, summary(), json!({ "campaignIds": [own, campaign.campaign] }), "INVALID"),
        (luma, json!({ "campaignSummary": false }), json!({}), "INVALID"),
    ] {
        let refused = campaign.schedule_with(company, report.clone(), others.clone()).await;
        assert_eq!((codes(&refused), &refused["report"]), (vec![code.to_owned()], &Value::Null), "{report} {others}");
    }
    let stranger = luma.beside("Agency99").await;
    assert_eq!(codes(&campaign.schedule(&stranger, summary()).await), ["NOT_FOUND"]);
    assert_eq!(codes(&campaign.load_exposures(&stranger, "email\n").await), ["NOT_FOUND"]);
}

#[tokio::test]
async fn exposures_are_the_runners() {
    let campaign = Campaign::new().await;
    let refused = campaign.load_exposures(&campaign.luma, "email\n").await;
    assert_eq!(codes(&refused), ["WRONG_STATE"]);
}

const DATA_SET: &str = "query($id: ID!) { node(id: $id) { ... on EventDataSet {
    status failure rows faultsByReason { reason count } rowFaults { nodes { row column reason } } job { state }
} } }";

#[tokio::test]
async fn a_file_that_cannot_be_read_says_why_and_leaves_nothing() {
    let campaign = Campaign::new().await;
    let company = &campaign.fit_apparel;
    let loaded =
        campaign.load_exposures(company, "email,time,campaign,placement,cost\nnobody,noon,together,,1\n").await;
    let id = text(&loaded["eventDataSet"]["id"]);
    assert_eq!(loaded["eventDataSet"]["status"], "PENDING");
    company.work().await;
    let found = company.ask(DATA_SET, json!({ "id": id })).await["node"].clone();
    assert_eq!((&found["status"], &found["rows"]), (&json!("FAILED"), &json!(0)));
    let why = "No row was accepted, most often because of EMAIL_INVALID; check the columns.";
    assert_eq!((&found["failure"], &found["job"]["state"]), (&json!(why), &json!("FAILED")));
    assert_eq!(found["rowFaults"]["nodes"][0], json!({ "row": 1, "column": "email", "reason": "EMAIL_INVALID" }));
    assert_eq!((events_of(company), company.files("uploads")), (0, 0));
    let report = made(&campaign, company, summary()).await;
    assert_eq!(report["failure"], "No exposures of these campaigns are loaded.");
    assert_eq!(report["status"], "FAILED");
}

#[tokio::test]
async fn deleted_events_leave_no_files_and_others_cannot_tell_them_from_none() {
    let (campaign, exposures) = Campaign::with_exposures().await;
    let found = campaign.fit_apparel.ask(DATA_SET, json!({ "id": exposures })).await["node"].clone();
    assert_eq!((&found["status"], &found["rows"]), (&json!("ACTIVE"), &json!(2 * REACHED)));
    let none = crate::graphql::id::global(entente_domain::EventDataSetId::new()).0;
    let delete = async |company: &Company, id: &str| {
        let input = json!({ "eventDataSetId": id });
        company.press("deleteEventDataSet", "DeleteEventDataSetInput", "deletedEventDataSetId", input).await
    };
    assert_eq!(delete(&campaign.luma, &exposures).await, delete(&campaign.luma, &none).await);
    assert_eq!(campaign.luma.ask(DATA_SET, json!({ "id": exposures })).await, json!({ "node": null }));
    assert_eq!(events_of(&campaign.fit_apparel), 1);
    assert_eq!(delete(&campaign.fit_apparel, &exposures).await["deletedEventDataSetId"], json!(exposures));
    assert_eq!(events_of(&campaign.fit_apparel), 0);
}

#[tokio::test]
async fn a_report_waits_for_its_day_until_it_is_edited_or_deleted() {
    let (campaign, _) = Campaign::with_exposures().await;
    let company = &campaign.fit_apparel;
    let later = json!({ "runOn": "2999-01-01" });
    let id = text(&campaign.schedule_with(company, summary(), later.clone()).await["report"]["id"]);
    let gone = text(&campaign.schedule_with(company, summary(), later).await["report"]["id"]);
    company.work().await;
    assert_eq!(read(company, &id).await["status"], "SCHEDULED");
    let delete = json!({ "reportId": gone });
    company.press("deleteReport", "DeleteReportInput", "deletedReportId", delete).await;
    let edit = json!({ "reportId": id, "name": "Now", "runOn": "2026-10-15" });
    let edited = company.press("editReport", "EditReportInput", "report { name status }", edit).await;
    assert_eq!(edited["report"], json!({ "name": "Now", "status": "SCHEDULED" }));
    company.work().await;
    assert_eq!(read(company, &id).await["status"], "FINISHED");
    assert_eq!(read(company, &gone).await, Value::Null);
    let list =
        "query($a: ID!) { account(id: $a) { reports { totalCount nodes { name } } eventDataSets { totalCount } } }";
    let listed = company.ask(list, json!({ "a": company.id() })).await;
    let expected =
        json!({ "reports": { "totalCount": 1, "nodes": [{ "name": "Now" }] }, "eventDataSets": { "totalCount": 1 } });
    assert_eq!(listed["account"], expected);
}

fn events_of(company: &Company) -> usize {
    std::fs::read_dir(company.gateway.identities().events(company.account)).map_or(0, Iterator::count)
}
