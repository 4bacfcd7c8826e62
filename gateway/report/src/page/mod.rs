//! A self-contained HTML page: it loads nothing, runs nothing, and reads well on paper, in the dark and on a telephone.
//!
//! It is well-formed XML as well, so that it can be checked by either kind of parser.

mod chart;
mod comparison;
mod lift;
mod name;
mod notes;
mod numbers;
mod palette;
mod section;
mod style;
mod wording;

pub use style::content_security_policy;

use crate::document::{Document, Subject};
use crate::fault::WriteFault;
use crate::table::{Table, View};
use askama::Template;
use entente_identity::measure::Report;
use name::shown;
use notes::Note;
use section::{Block, Card};

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    policy: &'static str,
    style: &'static str,
    kind: &'static str,
    name: String,
    project: String,
    viewer: String,
    partner: String,
    period: String,
    campaigns: Vec<String>,
    made: String,
    chips: Vec<String>,
    headline: Vec<Card>,
    sections: Vec<Section>,
    notes: Vec<Note>,
}

/// What is about exposures, or about one conversion event.
struct Section {
    id: String,
    title: &'static str,
    event: Option<String>,
    lead: String,
    warnings: Vec<String>,
    cards: Vec<Card>,
    blocks: Vec<Block>,
}

impl Document<'_> {
    /// The page, in UTF-8. Serve it under [`content_security_policy`].
    ///
    /// # Errors
    /// When it cannot be written, whatever the report says.
    pub fn page(&self) -> Result<String, WriteFault> {
        let (about, period) = (self.about, self.period());
        let campaigns = self.campaigns().iter().map(|id| shown(about.campaign(id)));
        let (kind, chips, notes) = match self.subject {
            Subject::Campaigns(report) => ("Campaign report", notes::chips(report), notes::notes(about, report)),
            Subject::Lift(lift) => ("Lift report", lift::chips(lift), lift::notes(about, lift)),
        };
        let headline = self.tables.iter().filter(|table| is_headline(table)).flat_map(section::cards);
        let page = Page {
            policy: content_security_policy(),
            style: &style::SHEET,
            kind,
            name: shown(&about.name),
            project: shown(&about.project),
            viewer: shown(&about.viewer),
            partner: shown(&about.partner),
            period: format!("{} – {}", numbers::day(period.first), numbers::day(period.last)),
            campaigns: campaigns.collect(),
            made: about.finished_at.format("%-d %B %Y, %H:%M UTC").to_string(),
            chips,
            headline: headline.collect(),
            sections: self.sections()?,
            notes,
        };
        Ok(page.render()?)
    }

    /// Tables about the same go together, in the order in which they are listed.
    fn sections(&self) -> Result<Vec<Section>, WriteFault> {
        let mut sections: Vec<Section> = Vec::new();
        let mut last = None;
        let mut number = 0;
        for tables in self.tables.chunk_by(is_compared_with) {
            let [table, others @ ..] = tables else { continue };
            number += tables.len();
            if is_headline(table) || self.is_rounded(table) {
                continue;
            }
            let about = table.event.as_deref();
            if last != Some(about) {
                last = Some(about);
                sections.push(self.section(table, sections.len() + 1));
            }
            let Some(section) = sections.last_mut() else { continue };
            match table.view {
                View::Conversions | View::Attribution => section.cards.extend(section::cards(table)),
                View::Lift => {
                    section.cards.extend(lift::cards(table, self));
                    section.blocks.push(lift::block(table, number, self)?);
                }
                _ if others.is_empty() => section.blocks.push(section::block(table, number, self)?),
                _ => section.blocks.extend(comparison::block(tables, number, self)?),
            }
        }
        Ok(sections)
    }

    /// Whether what a table says in whole conversions is said more exactly by another one.
    fn is_rounded(&self, table: &Table) -> bool {
        table.view == View::AttributionByDimension
            && self.tables.iter().any(|other| other.view == View::CreditByDimension && other.event == table.event)
    }

    fn section(&self, table: &Table, number: usize) -> Section {
        let event = table.event.as_deref().map(shown);
        let (title, lead, warnings) = match (self.subject, &event) {
            (Subject::Lift(lift), _) => ("Lift", lift::verdict(table, self), lift::warnings(table, lift)),
            (Subject::Campaigns(report), Some(_)) => ("Attribution", credited(report), Vec::new()),
            (Subject::Campaigns(_), None) => ("Campaign", String::new(), Vec::new()),
        };
        Section { id: format!("section-{number}"), title, lead, warnings, event, cards: Vec::new(), blocks: Vec::new() }
    }
}

/// Whether a table's figures are those at the top of the page.
fn is_headline(table: &Table) -> bool {
    matches!(table.view, View::Summary | View::LiftGroups)
}

/// How conversions are credited, where they are.
fn credited(report: &Report) -> String {
    let lookback_days = report.attribution.as_ref().map(|attribution| attribution.lookback_days);
    lookback_days.map_or_else(String::new, |days| wording::credited(&report.definition.credit, days))
}

/// Whether two tables are what two models say of the same.
fn is_compared_with(one: &Table, other: &Table) -> bool {
    let credit = |table: &Table| table.view == View::CreditByDimension;
    credit(one) && credit(other) && one.event == other.event && one.dimension == other.dimension
}
