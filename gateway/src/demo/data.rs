//! The demo's CSV files: made up as they are read, never stored, the same for the same seed.
//!
//! Luma, TV Tube and Fit Apparel have customers in common. Nobody in the files exists: e-mail
//! addresses are at example.com, example.net and example.org, and every phone number is in the
//! exchange 555 of its area, which is valid and given to nobody.

mod campaigns;
mod customers;
mod people;

use std::fmt;
use std::io::{self, Read};

use chrono::NaiveDate;

use campaigns::{Campaign, Shop};
use customers::CustomerList;

/// How many days the demo's campaigns run, from [`Demo::campaign_start`] on.
pub const CAMPAIGN_DAYS: u32 = 14;

/// How many days the conversions cover, from the same day on: the campaign and a lookback of a week.
pub const CONVERSION_DAYS: u32 = 21;

/// What the files depend on.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    /// Another seed makes other people.
    pub seed: u64,
    /// The first UTC day of the campaigns. [`CONVERSION_DAYS`] from it should be past.
    pub campaign_start: NaiveDate,
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// Sports apparel, an advertiser.
    Luma,
    /// Streaming, a publisher.
    TvTube,
    /// Sports apparel, a second advertiser.
    FitApparel,
}

impl Company {
    /// The name as people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Luma => "Luma",
            Self::TvTube => "TV Tube",
            Self::FitApparel => "Fit Apparel",
        }
    }
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A row for each person and audience; a person may be in several.
    Customers,
    /// A row for each impression of a campaign, in the order of their times.
    Exposures,
    /// A row for each purchase or sign-up, in no order; about one in a hundred is there twice.
    Conversions,
}

/// One CSV file, with a header line.
#[derive(Debug, Clone, Copy)]
pub struct DemoFile {
    /// The file's name.
    pub name: &'static str,
    /// Whose file it is.
    pub company: Company,
    /// What it holds.
    pub kind: Kind,
    /// How many rows it has, the header not counted.
    pub rows: u32,
    /// The header line: the column names, with commas between them.
    pub columns: &'static str,
    /// The campaign whose exposures these are.
    pub campaign: Option<CampaignName>,
    source: Source,
}

/// A campaign, as it is called in the `campaign_id` column and by people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CampaignName {
    /// As in the `campaign_id` column.
    pub id: &'static str,
    /// As people call it.
    pub name: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Customers(&'static CustomerList),
    Exposures(&'static Campaign),
    Conversions(&'static Shop),
}

/// All files of the demo. In the first workflow TV Tube runs a campaign for Luma; in the second, Luma and
/// Fit Apparel each run one to customers they share. Luma's conversions serve both.
pub static FILES: [DemoFile; 8] = [
    DemoFile::customers("luma-customers.csv", &customers::LUMA),
    DemoFile::customers("tv-tube-subscribers.csv", &customers::TV_TUBE),
    DemoFile::customers("fit-apparel-customers.csv", &customers::FIT_APPAREL),
    DemoFile::exposures("tv-tube-exposures.csv", &campaigns::TV_TUBE_FOR_LUMA),
    DemoFile::exposures("luma-exposures.csv", &campaigns::LUMA_WITH_FIT_APPAREL),
    DemoFile::exposures("fit-apparel-exposures.csv", &campaigns::FIT_APPAREL_WITH_LUMA),
    DemoFile::conversions("luma-conversions.csv", &campaigns::LUMA),
    DemoFile::conversions("fit-apparel-conversions.csv", &campaigns::FIT_APPAREL),
];

impl DemoFile {
    const fn customers(name: &'static str, list: &'static CustomerList) -> Self {
        let source = Source::Customers(list);
        Self {
            name,
            company: list.company,
            kind: Kind::Customers,
            rows: list.rows,
            columns: list.columns,
            campaign: None,
            source,
        }
    }

    const fn exposures(name: &'static str, campaign: &'static Campaign) -> Self {
        Self {
            name,
            company: campaign.company,
            kind: Kind::Exposures,
            rows: campaign.impressions,
            columns: campaign.columns,
            campaign: Some(campaign.name),
            source: Source::Exposures(campaign),
        }
    }

    const fn conversions(name: &'static str, shop: &'static Shop) -> Self {
        Self {
            name,
            company: shop.company,
            kind: Kind::Conversions,
            rows: shop.conversions,
            columns: campaigns::CONVERSION_COLUMNS,
            campaign: None,
            source: Source::Conversions(shop),
        }
    }

    /// The file from its start, to be read or taken chunk by chunk.
    #[must_use]
    pub fn open(&self, demo: Demo) -> CsvStream {
        let write_row: WriteRow = match self.source {
            Source::Customers(list) => list.rows(demo),
            Source::Exposures(campaign) => campaign.rows(demo),
            Source::Conversions(shop) => shop.rows(demo),
        };
        let mut chunk = Vec::with_capacity(CHUNK + ROW);
        chunk.extend_from_slice(self.columns.as_bytes());
        chunk.push(b'\n');
        CsvStream { write_row, chunk, read: 0, row: 0, rows: self.rows }
    }
}

/// Appends the row of that number, which starts at 0 and goes up by one.
type WriteRow = Box<dyn FnMut(u32, &mut Vec<u8>) + Send>;

/// Bytes in a chunk, more or less.
const CHUNK: usize = 64 * 1024;

/// More bytes than any row has.
const ROW: usize = 512;

/// A CSV file as it is made: [`Read`], and an iterator of chunks of about 64 KiB.
pub struct CsvStream {
    write_row: WriteRow,
    chunk: Vec<u8>,
    read: usize,
    row: u32,
    rows: u32,
}

impl fmt::Debug for CsvStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvStream").field("row", &self.row).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl CsvStream {
    /// How many rows have been made so far.
    #[must_use]
    pub fn rows_made(&self) -> u32 {
        self.row
    }

    fn fill(&mut self) {
        while self.row < self.rows && self.chunk.len() < CHUNK {
            (self.write_row)(self.row, &mut self.chunk);
            self.row += 1;
        }
    }
}

impl Read for CsvStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.chunk.len() {
            self.chunk.clear();
            self.read = 0;
        }
        if self.read == 0 {
            self.fill();
        }
        let count = (&self.chunk[self.read..]).read(buffer)?;
        self.read += count;
        Ok(count)
    }
}

impl Iterator for CsvStream {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.fill();
        let mut chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK + ROW));
        chunk.drain(..std::mem::take(&mut self.read));
        (!chunk.is_empty()).then_some(chunk)
    }
}

#[cfg(test)]
mod tests;
