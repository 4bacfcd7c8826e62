//! The second workflow: Fit Apparel and Luma, two advertisers.

use crate::{
    deliveries,
    harness::{Gateway, Kind, on_both_databases},
    measuring::near,
    people::{self, Form},
    stories::{Party, settings},
};
use serde_json::json;

const START: &str = "2026-04-06";
const END: &str = "2026-04-08";

on_both_databases! {
    async fn both_discover_activate_and_measure(kind: Kind) {
        let gateway = Gateway::start(kind).await;

        // Fit Apparel and Luma both source audiences and both configure destinations.
        let fit = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        fit.source(people::customers(20_000..45_000, Form::Plain, people::fit_apparel), Form::Plain).await;
        luma.source(people::customers(0..30_000, Form::Plain, people::luma), Form::Plain).await;
        let (fit_zone, luma_zone) = (fit.create_destination().await, luma.create_destination().await);

        // Luma gives Fit Apparel its connect code outside the product; Fit Apparel invites with it; Luma accepts.
        let code = luma.connect_code().await;
        let connection = fit.invite_by_code(&code).await;
        luma.accept_invite(&connection).await;

        // Fit Apparel proposes settings in which both sides may activate; Luma accepts.
        let version = fit.propose(&connection, settings("BOTH")).await;
        luma.accept_settings(&connection, version).await;
        let project = fit.create_project(&connection, "Together").await;

        // Both discover, both activate.
        for (party, other, zone, audience) in [(&fit, &luma, &luma_zone, "Members"), (&luma, &fit, &fit_zone, "Running")] {
            let overlap = party.compare(&project, json!({ "all": true }), json!({ "all": true })).await;
            assert_eq!(overlap["__typename"], "Overlap", "{overlap}");
            let email = &overlap["keys"][0];
            let off = (email["identities"].as_f64().unwrap() - 10_000.0).abs();
            assert!(off < 6.0 * email["standardError"].as_f64().unwrap(), "{email}");
            let mine = party.audiences().await;
            let sent = party.send(&project, &mine[audience], &[]).await;
            assert_eq!(sent["userErrors"], json!([]));
            let received = other.received().await;
            let activation = other.activate(received[0]["id"].as_str().unwrap(), zone).await;
            assert_eq!(activation["status"], "DELIVERED", "{activation}");
        }
        let delivered = deliveries::delivered(&gateway.data().join("landing"));
        let running = (20_000..30_000).filter(|p| people::luma(*p).contains(&"Running")).count();
        assert_eq!(delivered.values().sum::<u32>() as usize, 10_000 + running);

        // Each loads the exposures of the campaigns it ran and the conversions it saw, and both measure.
        for (party, other, name) in [(&fit, &luma, "fit-spring"), (&luma, &fit, "luma-spring")] {
            let campaign = party.add_campaign(&project, name).await;
            let csv = people::exposures(20_000..30_000, name, START.parse().unwrap(), Form::Plain);
            party.load_exposures(&project, csv, Form::Plain).await;
            let conversions = other.load_conversions(&project, people::conversions(22_000..28_000, START.parse().unwrap()));
            let conversions = conversions.await;
            let summary = json!({ "campaignSummary": true });
            let own = party.report(&project, summary.clone(), &[&campaign], START, END).await;
            assert_eq!(own["summary"]["reach"]["value"], 10_000, "{own}");
            let attribution = json!({ "attribution": {
                "conversionsId": conversions, "events": ["Purchase"], "lookbackDays": 7,
            } });
            let report = other.report(&project, attribution, &[&campaign], START, END).await;
            assert_eq!(report["status"], "FINISHED", "{report}");
            near(&report["summary"]["reach"], 10_000.0);
            near(&report["attribution"]["perEvent"][0]["credited"]["conversions"], 6_000.0);
        }
    }
}
