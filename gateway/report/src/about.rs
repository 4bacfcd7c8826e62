//! What a report's figures do not say: whose it is, and how things are called.

use chrono::{DateTime, Utc};

/// Names that go with a report. They are what people typed: any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The report's name.
    pub name: String,
    /// The project's name.
    pub project: String,
    /// The account that the report is made for.
    pub viewer: String,
    /// The account on the other side of the connection.
    pub partner: String,
    /// Campaigns with names of their own; one that is not listed is called by its id.
    pub campaigns: Vec<Campaign>,
    /// When the report was frozen.
    pub finished_at: DateTime<Utc>,
}

/// A campaign of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its id where it runs, as exposures have it.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl About {
    /// What a campaign is called.
    pub(crate) fn campaign<'a>(&'a self, id: &'a str) -> &'a str {
        self.campaigns.iter().find(|campaign| campaign.id == id).map_or(id, |campaign| &campaign.name)
    }
}
