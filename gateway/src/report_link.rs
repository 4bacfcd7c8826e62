//! Links to reports: whoever has one reads the report until it expires, without an account. A link is sealed and stands for
//! itself; nothing is kept of it, and it ends when the gateway's key is changed.

use crate::{
    background::{self, BackgroundError},
    gateway::Gateway,
    secrets::{SecretsError, purpose::OF_REPORT_LINKS},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use entente_domain::{
    ReportId, Timestamp,
    report::{ReportKind, ReportStatus},
};
use entente_identity::measure::{self, lift::LiftReport};
use entente_report::{About, Campaign, Document, WriteFault};
use entente_store::{LoadedReport, StoreError};
use serde::{Deserialize, Serialize};

/// The most characters of what a link is sealed in.
const MOST: usize = 512;

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReportFormat {
    /// A page for people.
    Page,
    /// JSON.
    Json,
    /// CSV.
    Csv,
    /// Parquet.
    Parquet,
}

/// A link, before it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportLink {
    /// The report.
    pub report: ReportId,
    /// In which form.
    pub format: ReportFormat,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Why a report is not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportLinkError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be sealed.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// What is stored is no report.
    #[error("a frozen report cannot be read")]
    Report(#[from] serde_json::Error),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteFault),
    /// The work ended without an outcome.
    #[error(transparent)]
    Background(#[from] BackgroundError),
}

impl ReportLink {
    /// Where it leads.
    ///
    /// # Errors
    /// [`ReportLinkError::Secrets`] or [`ReportLinkError::Report`] where it cannot be sealed.
    pub fn url(&self, gateway: &Gateway) -> Result<String, ReportLinkError> {
        let sealed = gateway.secrets().seal(OF_REPORT_LINKS, &serde_json::to_vec(self)?)?;
        Ok(format!("{}/reports/{}", gateway.base_url, URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// The link that a text is; none where the gateway did not make it.
    pub fn opened(gateway: &Gateway, text: &str) -> Option<Self> {
        if text.len() > MOST {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = gateway.secrets().open_sealed(OF_REPORT_LINKS, &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// The report in the form of the link; none where it is gone.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub async fn read(&self, gateway: &Gateway) -> Result<Option<Vec<u8>>, ReportLinkError> {
        let Some(loaded) = gateway.store().loaded_report(self.report).await? else { return Ok(None) };
        if loaded.report.status != ReportStatus::Finished {
            return Ok(None);
        }
        let Some(frozen) = gateway.store().report_results(&[self.report]).await?.remove(&self.report) else {
            return Ok(None);
        };
        let format = self.format;
        let kind = loaded.report.kind.clone();
        background::run(move || write(&about(loaded), &kind, frozen, format).map(Some)).await?
    }
}

/// How things are called now; of a project that is gone nothing is known.
fn about(loaded: LoadedReport) -> About {
    let LoadedReport { report, project, campaigns } = loaded;
    let finished_at = report.finished_at.unwrap_or(report.updated_at);
    let (project, viewer, partner) = match project {
        Some(loaded) if loaded.owner.id == report.account => {
            (loaded.project.name, loaded.owner.profile.name, loaded.recipient.profile.name)
        }
        Some(loaded) => (loaded.project.name, loaded.recipient.profile.name, loaded.owner.profile.name),
        None => {
            ("a project that ended".to_owned(), "the account of the report".to_owned(), "the other side".to_owned())
        }
    };
    let campaign = |c: entente_domain::project::Campaign| Campaign { id: c.external_id, name: c.name };
    let campaigns = campaigns.into_iter().filter(|c| report.campaigns.contains(&c.id)).map(campaign).collect();
    About { name: report.name, project, viewer, partner, campaigns, finished_at }
}

/// What is stored of a report, in the form that its kind has.
fn write(
    about: &About,
    kind: &ReportKind,
    frozen: serde_json::Value,
    format: ReportFormat,
) -> Result<Vec<u8>, ReportLinkError> {
    match kind {
        ReportKind::CampaignSummary | ReportKind::Attribution { .. } => {
            let report: measure::Report = serde_json::from_value(frozen)?;
            output(&Document::new(about, &report), format)
        }
        ReportKind::Lift { .. } => {
            let lift: LiftReport = serde_json::from_value(frozen)?;
            output(&Document::of_lift(about, &lift), format)
        }
    }
}

fn output(document: &Document<'_>, format: ReportFormat) -> Result<Vec<u8>, ReportLinkError> {
    Ok(match format {
        ReportFormat::Page => document.page()?.into_bytes(),
        ReportFormat::Json => document.json()?.into_bytes(),
        ReportFormat::Csv => document.csv().into_bytes(),
        ReportFormat::Parquet => document.parquet()?,
    })
}
