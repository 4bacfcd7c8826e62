//! Links to reports.

use crate::{
    graphql::{
        access::{authorise, change, gateway},
        fault::{allow, fault, payload},
        id::local,
    },
    report_link::{ReportFormat as Format, ReportLink as Link},
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{ReportId, access::Act, event::Subject, report};
use entente_store::{LoadedReport, Outcome};

/// In which form a report is read.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Format")]
pub enum ReportFormat {
    /// A page with charts and tables, which loads nothing else and can be printed.
    Page,
    /// One document.
    Json,
    /// One table of all figures, a row for each.
    Csv,
    /// The same table as Parquet.
    Parquet,
}

/// A link to a report. Whoever has it reads the report until it expires, without an account.
#[derive(SimpleObject)]
pub struct ReportLink {
    /// Where it leads.
    url: String,
    /// In which form.
    format: ReportFormat,
    /// When it no longer leads there.
    expires_at: DateTime<Utc>,
}

/// Makes a link to a finished report.
#[derive(InputObject)]
struct CreateReportLinkInput {
    /// The account that acts, and that the report is for.
    account_id: ID,
    /// The report.
    report_id: ID,
    /// In which form.
    format: ReportFormat,
    /// For how many hours: 1 to 744.
    #[graphql(default = 24)]
    hours: u32,
}

payload! {
    /// The link, or why there is none.
    CreateReportLinkPayload {
        /// The link. It is shown only now; another one can be made at any time.
        link: ReportLink,
    }
}

/// Mutations of links to reports.
#[derive(Default)]
pub struct ReportLinkMutation;

#[Object]
impl ReportLinkMutation {
    /// Makes a link by which a finished report is read without an account, until it expires. That one was made is kept in the
    /// audit log. For everybody of the account that the report is for.
    async fn create_report_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateReportLinkInput,
    ) -> Result<CreateReportLinkPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::RunReports)?);
        let id = allow!(local::<ReportId>(&input.report_id, "reportId"));
        let change = change(ctx, authorised, "createReportLink", Some(Subject::Report(id)))?;
        let (hours, now) = (input.hours, change.now);
        let rule = move |loaded: &LoadedReport| report::link(&loaded.report, hours, now).map(Outcome::of);
        let expires_at = allow!(gateway(ctx).store().link_report(change, id, Box::new(rule)).await.map_err(fault)?);
        let link = Link { report: id, format: input.format.into(), expires_at };
        let url = link.url(gateway(ctx)).map_err(fault)?;
        let link = ReportLink { url, format: input.format, expires_at };
        Ok(CreateReportLinkPayload { link: Some(link), user_errors: vec![] })
    }
}
