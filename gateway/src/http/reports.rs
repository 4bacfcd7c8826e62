//! Reports, for whoever has a link to one.

use crate::{
    clock::now,
    gateway::Gateway,
    http::page,
    report_link::{ReportFormat, ReportLink},
};
use axum::{
    extract::{Path, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use entente_report::content_security_policy;
use std::sync::Arc;

/// Where links lead.
pub const ROUTE: &str = "/reports/{link}";

/// Sends the report of a link.
pub async fn read(State(gateway): State<Arc<Gateway>>, Path(link): Path<String>) -> Response {
    let Some(link) = ReportLink::opened(&gateway, &link) else {
        return told(StatusCode::NOT_FOUND, "There is no such report.");
    };
    if link.expires_at <= now() {
        return told(StatusCode::GONE, "This link has expired. Ask whoever sent it for another one.");
    }
    match link.read(&gateway).await {
        Ok(Some(report)) => (headers(link.format), report).into_response(),
        Ok(None) => told(StatusCode::NOT_FOUND, "The report was deleted."),
        Err(error) => {
            tracing::error!(message = "a report could not be written", report = %link.report, %error);
            told(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong in the gateway. Try again.")
        }
    }
}

fn headers(format: ReportFormat) -> [(HeaderName, &'static str); 7] {
    let (content_type, disposition) = match format {
        ReportFormat::Page => ("text/html; charset=utf-8", "inline"),
        ReportFormat::Json => ("application/json", "attachment; filename=\"report.json\""),
        ReportFormat::Csv => ("text/csv; charset=utf-8; header=present", "attachment; filename=\"report.csv\""),
        ReportFormat::Parquet => ("application/vnd.apache.parquet", "attachment; filename=\"report.parquet\""),
    };
    [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CONTENT_SECURITY_POLICY, content_security_policy()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ]
}

fn told(status: StatusCode, message: &str) -> Response {
    page::page("Report", status, message, None)
}
