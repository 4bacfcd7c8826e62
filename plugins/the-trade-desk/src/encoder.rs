//! What is sent: people, each with the segment and how long to stay in it; none at all for those who leave.
//! <https://open.thetradedesk.com/advertiser/docsApp/GuidesAdvertiser/data/doc/post-data-advertiser-firstparty>
//!
//! ```json
//! {
//!   "AdvertiserId": "abc123",
//!   "Items": [{"UID2": "ungWv48B…=", "Data": [{"Name": "Spring shoes", "TTLInMinutes": 129600}]}]
//! }
//! ```

use entente_destination::rows::{Change, Row};
use entente_destination::{DestinationError, IdentityFormat};
use serde::Serialize;

use crate::config::{KEYS, Settings};

const MINUTES_A_DAY: u32 = 24 * 60;
/// The most bytes of people in one request, which may have 2 MB.
const MOST_BYTES: usize = 1_900_000;
/// The most people in one request.
const MOST_ROWS: usize = 10_000;

/// The segment that people go into.
#[derive(Debug)]
pub struct Segment {
    advertiser_id: String,
    name: String,
    minutes: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    advertiser_id: &'a str,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(rename = "UID2")]
    uid2: String,
    #[serde(rename = "Data")]
    data: [Data<'a>; 1],
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(rename = "Name")]
    name: &'a str,
    #[serde(rename = "TTLInMinutes")]
    minutes: u32,
}

impl Segment {
    /// The segment of these settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            advertiser_id: settings.advertiser_id.clone(),
            name: settings.segment.clone(),
            minutes: settings.days * MINUTES_A_DAY,
        }
    }

    /// How many people go into one request.
    ///
    /// # Errors
    /// As [`Segment::body`].
    pub fn most_rows(&self) -> Result<usize, DestinationError> {
        let nobody = Row { match_key: "partner_id-uid2", identity: &[0; 32], change: Change::Added };
        let one = self.body([nobody].into_iter())?.len();
        Ok((MOST_BYTES / one).clamp(1, MOST_ROWS))
    }

    /// The body of a request.
    ///
    /// # Errors
    /// `Config` for a match key that is not taken; `Permanent` if it cannot be written as JSON.
    pub fn body<'a>(&self, rows: impl Iterator<Item = Row<'a>>) -> Result<Vec<u8>, DestinationError> {
        let item = |row: Row<'a>| {
            KEYS.get(row.match_key)?;
            let minutes = if row.change == Change::Added { self.minutes } else { 0 };
            let data = [Data { name: &self.name, minutes }];
            Ok(Item { uid2: IdentityFormat::Base64.write(row.identity), data })
        };
        let items = rows.map(item).collect::<Result<_, DestinationError>>()?;
        serde_json::to_vec(&Request { advertiser_id: &self.advertiser_id, items })
            .map_err(|_| DestinationError::Permanent("the rows cannot be written as JSON".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn segment(name: &str) -> Segment {
        Segment { advertiser_id: "abc123".to_owned(), name: name.to_owned(), minutes: 129_600 }
    }

    fn row(match_key: &str, change: Change) -> Row<'_> {
        Row { match_key, identity: &[0xab; 32], change }
    }

    #[test]
    fn people_are_written_as_documented() {
        let rows = [row("partner_id-uid2", Change::Added), row("partner_id-uid2", Change::Removed)];
        let body = segment("Spring shoes").body(rows.into_iter()).unwrap();
        let item = |minutes: u32| {
            let data = json!([{"Name": "Spring shoes", "TTLInMinutes": minutes}]);
            json!({"UID2": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=", "Data": data})
        };
        let expected = json!({"AdvertiserId": "abc123", "Items": [item(129_600), item(0)]});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }

    #[test]
    fn a_request_is_never_too_large() {
        for (name, fewest) in [("s", 10_000), (&*"é".repeat(256), 2000), (&*"\"".repeat(256), 2000)] {
            let segment = segment(name);
            let rows = segment.most_rows().unwrap();
            let body = segment.body(std::iter::repeat_n(row("partner_id-uid2", Change::Added), rows)).unwrap();
            assert!(rows >= fewest && body.len() <= 2_000_000, "{name}: {rows} rows, {} bytes", body.len());
        }
    }

    #[test]
    fn hashed_addresses_are_refused() {
        let refused = segment("s").body([row("hashed_email", Change::Added)].into_iter());
        assert!(matches!(refused, Err(DestinationError::Config(_))));
    }
}
