//! A self-contained HTML page: it loads nothing, runs nothing, and reads well on paper, in the dark and on a telephone.
//!
//! It is well-formed XML as well, so that it can be checked by either kind of parser.

mod chart;
mod comparison;
mod name;
mod numbers;
mod palette;
mod section;
mod style;
mod wording;

pub use style::content_security_policy;

use crate::document::Document;
use crate::fault::WriteFault;
use crate::table::{Table, View};
use askama::Template;
use name::shown;
use section::{Block, Card};
use wording::Note;

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    policy: &'static str,
    style: &'static str,
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
    cards: Vec<Card>,
    blocks: Vec<Block>,
}

impl Document<'_> {
    /// The page, in UTF-8. Serve it under [`content_security_policy`].
    ///
    /// # Errors
    /// When it cannot be written, whatever the report says.
    pub fn page(&self) -> Result<String, WriteFault> {
        let definition = &self.report.definition;
        let campaigns = definition.dimensions.campaigns.iter().map(|id| shown(self.about.campaign(id)));
        let page = Page {
            policy: content_security_policy(),
            style: &style::SHEET,
            name: shown(&self.about.name),
            project: shown(&self.about.project),
            viewer: shown(&self.about.viewer),
            partner: shown(&self.about.partner),
            period: format!("{} – {}", numbers::day(definition.period.first), numbers::day(definition.period.last)),
            campaigns: campaigns.collect(),
            made: self.about.finished_at.format("%-d %B %Y, %H:%M UTC").to_string(),
            chips: wording::chips(self),
            headline: self.tables.iter().filter(|table| table.view == View::Summary).flat_map(section::cards).collect(),
            sections: self.sections()?,
            notes: wording::notes(self),
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
            if table.view == View::Summary || self.is_rounded(table) {
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
        let attribution = self.report.attribution.as_ref();
        let lead =
            attribution.map(|attribution| wording::credited(&self.report.definition.credit, attribution.lookback_days));
        let event = table.event.as_deref().map(shown);
        Section {
            id: format!("section-{number}"),
            title: if event.is_some() { "Attribution" } else { "Campaign" },
            lead: lead.filter(|_| event.is_some()).unwrap_or_default(),
            event,
            cards: Vec::new(),
            blocks: Vec::new(),
        }
    }
}

/// Whether two tables are what two models say of the same.
fn is_compared_with(one: &Table, other: &Table) -> bool {
    let credit = |table: &Table| table.view == View::CreditByDimension;
    credit(one) && credit(other) && one.event == other.event && one.dimension == other.dimension
}
