//! JSON: one document, whose form a published JSON Schema says.

use crate::cell::{Cell, Number, Unit};
use crate::document::{Document, Subject};
use crate::fault::WriteFault;
use crate::table::{Dimension, Group, Metric, Model, ModelSettings, Row, Table, View, Warning};
use chrono::SecondsFormat;
use entente_identity::measure::lift::LiftDefinition;
use entente_identity::measure::{Counts, MICROS, Report};
use schemars::JsonSchema;
use serde::Serialize;

/// Grows when what a reader relies on changes, not when something is added.
const VERSION: u32 = 1;

/// A finished report.
#[derive(Serialize, JsonSchema)]
struct ReportDocument {
    #[serde(flatten)]
    front: Front,
    /// Its tables.
    tables: Vec<TableOfReport>,
}

/// What goes with every table.
#[derive(Serialize, JsonSchema)]
struct Front {
    /// Grows when what a reader relies on changes, not when something is added.
    version: u32,
    /// What the report is about.
    report: Heading,
    /// How the other side's people were protected; null of a lift, which says nothing of them.
    protection: Option<Protection>,
}

/// What the report is about.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Heading {
    /// Its name.
    name: String,
    /// The project's name.
    project: String,
    /// The account that it is made for.
    viewer: String,
    /// The account on the other side.
    partner: String,
    /// The first UTC day of the exposures, such as `2026-03-01`; of a lift, of the conversions.
    from: String,
    /// The last UTC day of them.
    until: String,
    /// When it was frozen, in RFC 3339.
    finished_at: String,
    /// Its campaigns; none of a lift.
    campaigns: Vec<CampaignOfReport>,
    /// A conversion is credited to an exposure at most this many times 24 hours before it; null without attribution.
    lookback_days: Option<u32>,
    /// How a sent audience was compared with those who were held out of it; null of a report about campaigns.
    lift: Option<LiftOfReport>,
}

/// How those who were held out were compared with all others.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LiftOfReport {
    /// The match key that tells people apart, by which the audience was sent.
    match_key: String,
    /// Groups of fewer identities are not compared.
    threshold: u64,
    /// The smallest lift worth knowing of: 0.05 is one twentieth more.
    smallest_lift: f64,
}

/// A campaign.
#[derive(Serialize, JsonSchema)]
struct CampaignOfReport {
    /// Its id where it runs; tables have this.
    id: String,
    /// Its name; the id where it has none.
    name: String,
}

/// Whether counts are exact.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum CountsOfReport {
    /// What the other side's people contributed is bounded and carries noise.
    Protected,
    /// Both sides agreed that only the threshold protects.
    Exact,
}

/// How the other side's people were protected.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Protection {
    /// Whether counts are exact.
    counts: CountsOfReport,
    /// What the report spent of the pair's privacy budget, in ε; 0 where nothing needed noise.
    epsilon_spent: f64,
    /// Figures of fewer people are withheld.
    threshold: u32,
    /// What one identity contributes at most; null where nothing needed noise.
    bounds: Option<Bounds>,
}

/// The most that one identity of the other side contributes; what is beyond is left out or cut down.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Bounds {
    /// Exposures.
    impressions: u32,
    /// Cost of one exposure.
    cost: f64,
    /// Conversions of each event.
    conversions: u32,
    /// Value of one conversion, in either direction.
    value: f64,
}

/// A table.
#[derive(Serialize, JsonSchema)]
#[serde(rename = "Table", rename_all = "camelCase")]
struct TableOfReport {
    /// What it shows.
    view: View,
    /// The conversion event; null for what is about exposures.
    event: Option<String>,
    /// How conversions are credited; null where nothing is.
    model: Option<Model>,
    /// What that model is told; null where nothing is credited.
    model_settings: Option<ModelSettings>,
    /// What its rows tell apart; null where there is one row for everything.
    dimension: Option<Dimension>,
    /// Its rows.
    rows: Vec<RowOfReport>,
    /// What is to be known before anybody believes it.
    warnings: Vec<Warning>,
}

/// A row of a table.
#[derive(Serialize, JsonSchema)]
#[serde(rename = "Row")]
struct RowOfReport {
    /// The value of the dimension: a day as `2026-03-01`, a frequency as `3`, or as `10+` where it stands for more as
    /// well, a path as `view > click`, an outcome as `CONVERTERS`. Null for everything and for what is not listed.
    value: Option<String>,
    /// The steps of a path, the last one nearest to the conversion: kinds of exposure or ids of campaigns. Five stand for
    /// longer paths as well. Null for what is no path.
    path: Option<Vec<String>>,
    /// Whether it is about all exposures whose value is not listed.
    others: bool,
    /// A figure for each metric of the table.
    figures: Vec<FigureOfReport>,
}

/// Whether a figure has a value.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum State {
    /// It has.
    Value,
    /// It is about too few people, or is less than three standard errors.
    BelowThreshold,
    /// The report did not ask for it, or it is a lift and one of both groups has nothing.
    NotMeasured,
}

/// A figure.
#[derive(Serialize, JsonSchema)]
#[serde(rename = "Figure", rename_all = "camelCase")]
struct FigureOfReport {
    /// What it counts.
    metric: Metric,
    /// In what it counts.
    unit: Unit,
    /// Whether it has a value.
    state: State,
    /// The number: a whole one for `COUNT`, in conversions for credit, in units of the currency for money. Null unless the
    /// state is `VALUE`.
    value: Option<serde_json::Number>,
    /// Of the noise, in the same unit; 0 where the number is exact. Null unless the state is `VALUE`, and of an estimate: its
    /// interval is that of chance, not of noise.
    standard_error: Option<f64>,
    /// Both ends of the 95 % interval. Null unless the state is `VALUE`.
    interval95: Option<[serde_json::Number; 2]>,
}

/// The JSON Schema of [`Document::json`], as it is published.
#[must_use]
pub fn schema() -> String {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<ReportDocument>().to_value();
    schema["title"] = "A report of Entente".into();
    format!("{schema:#}\n")
}

impl Document<'_> {
    /// The document that [`schema`] describes.
    ///
    /// # Errors
    /// When it cannot be written, whatever the report says.
    pub fn json(&self) -> Result<String, WriteFault> {
        let tables = self.tables.iter().map(TableOfReport::from).collect();
        Ok(serde_json::to_string_pretty(&ReportDocument { front: self.front(), tables })?)
    }

    pub(crate) fn json_without_tables(&self) -> Result<String, WriteFault> {
        Ok(serde_json::to_string(&self.front())?)
    }

    fn front(&self) -> Front {
        let protection = match self.subject {
            Subject::Campaigns(report) => Some(protection(report)),
            Subject::Lift(_) => None,
        };
        Front { version: VERSION, report: self.heading(), protection }
    }

    fn heading(&self) -> Heading {
        let (about, period) = (self.about, self.period());
        let campaign = |id: &String| CampaignOfReport { id: id.clone(), name: about.campaign(id).to_owned() };
        let (lookback_days, lift) = match self.subject {
            Subject::Campaigns(report) => (report.attribution.as_ref().map(|of| of.lookback_days), None),
            Subject::Lift(lift) => (None, Some(LiftOfReport::from(&lift.definition))),
        };
        Heading {
            name: about.name.clone(),
            project: about.project.clone(),
            viewer: about.viewer.clone(),
            partner: about.partner.clone(),
            from: period.first.to_string(),
            until: period.last.to_string(),
            finished_at: about.finished_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            campaigns: self.campaigns().iter().map(campaign).collect(),
            lookback_days,
            lift,
        }
    }
}

fn protection(report: &Report) -> Protection {
    let (counts, bounds) = match report.protection.counts {
        Counts::Exact => (CountsOfReport::Exact, None),
        Counts::Protected { bounds, .. } => (CountsOfReport::Protected, Some(bounds)),
    };
    let units = MICROS as f64;
    let bounds = bounds.filter(|_| !report.shares.is_empty()).map(|bounds| Bounds {
        impressions: bounds.impressions,
        cost: bounds.cost_micros as f64 / units,
        conversions: bounds.conversions,
        value: bounds.value_micros as f64 / units,
    });
    Protection { counts, epsilon_spent: report.epsilon_spent, threshold: report.protection.threshold, bounds }
}

impl From<&LiftDefinition> for LiftOfReport {
    fn from(definition: &LiftDefinition) -> Self {
        let LiftDefinition { match_key, threshold, smallest_lift, .. } = definition;
        Self { match_key: match_key.clone(), threshold: *threshold, smallest_lift: *smallest_lift }
    }
}

impl From<&Table> for TableOfReport {
    fn from(table: &Table) -> Self {
        let row = |row: &Row| RowOfReport {
            value: row.group.value(),
            path: match &row.group {
                Group::Path(steps) => Some(steps.clone()),
                _ => None,
            },
            others: row.group == Group::Others,
            figures: table.metrics.iter().zip(&row.cells).map(|(metric, cell)| figure(*metric, cell)).collect(),
        };
        Self {
            view: table.view,
            event: table.event.clone(),
            model: table.model.map(Model::from),
            model_settings: table.model.map(ModelSettings::from),
            dimension: table.dimension,
            rows: table.rows.iter().map(row).collect(),
            warnings: table.warnings.clone(),
        }
    }
}

fn figure(metric: Metric, cell: &Cell) -> FigureOfReport {
    let measured = cell.measured();
    FigureOfReport {
        metric,
        unit: metric.unit_of(cell),
        state: match cell {
            Cell::Value(_) => State::Value,
            Cell::BelowThreshold => State::BelowThreshold,
            Cell::NotMeasured => State::NotMeasured,
        },
        value: measured.and_then(|measured| number(measured.number)),
        standard_error: measured.and_then(|measured| measured.standard_error),
        interval95: measured.and_then(|measured| Some([number(measured.low)?, number(measured.high)?])),
    }
}

/// None for what is not finite, which no report holds.
fn number(number: Number) -> Option<serde_json::Number> {
    match number {
        Number::Count(count) => Some(count.into()),
        _ => serde_json::Number::from_f64(number.as_f64()),
    }
}
