//! A shared table as its server tells of it: which files it has, and where each is read for now.
//! <https://github.com/delta-io/delta-sharing/blob/main/PROTOCOL.md#read-data-from-a-table>

use std::ops::Range;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use entente_destination::http::{Answer, Plain, StatusCode, Uri, code, endpoint, json_request, request};
use serde_json::json;
use tokio::sync::Mutex;

use crate::answers::unanswered;
use crate::delta_sharing::addresses::Addresses;
use crate::delta_sharing::lines::{FEATURES, File, page, strange};
use crate::delta_sharing::profile::Profile;
use crate::error::SourceError;
use crate::operator::Operator;
use crate::service::Service;
use crate::source::Part;

/// Files that are asked for at once. Servers of the first version of the protocol tell all of them at once.
const PAGE: usize = 2_000;
/// The longest answer that is read.
const MOST_ANSWER_BYTES: usize = 64 << 20;
/// Pages of one table. Some may be empty.
const MOST_PAGES: usize = 10_000;

/// A shared table.
pub struct Table {
    service: Service,
    profile: Profile,
    query: Uri,
    addresses: Mutex<Addresses>,
}

/// Whether to go on reading the pages of a table.
pub enum Go {
    On,
    Home,
}

impl Table {
    /// The table at an address of the profile's server. Nothing is asked yet.
    ///
    /// # Errors
    /// `Settings` for an address that cannot be.
    pub fn new(profile: Profile, path: &str, operator: &Operator) -> Result<Self, SourceError> {
        let query = endpoint(&format!("{}{path}/query", profile.endpoint), Plain::ToAllowedNetworks);
        let service = Service::with_answers_of(MOST_ANSWER_BYTES, operator)?;
        Ok(Self { service, profile, query: query.map_err(unanswered)?, addresses: Mutex::default() })
    }

    /// All files, or more than `most`, in no order. The addresses of the first ones are kept.
    ///
    /// # Errors
    /// Those of [`page`] and of the server.
    pub async fn files(&self, most: usize) -> Result<Vec<Part>, SourceError> {
        let mut addresses = self.addresses.lock().await;
        *addresses = Addresses::default();
        let mut parts = Vec::new();
        self.read_pages(|file| {
            let is_enough = parts.len() > most;
            // An empty file has no rows, and no bytes that could be asked for.
            if file.size > 0 && !is_enough {
                parts.push(part(&file));
                addresses.keep(file);
            }
            if is_enough { Go::Home } else { Go::On }
        })
        .await?;
        Ok(parts)
    }

    /// A range of a file, and the ETag that came with it. Where its address is refused, as it is when its signature has
    /// ended, another is asked for.
    ///
    /// # Errors
    /// `ChangedWhileRead` where the file is no longer one of the table's.
    pub async fn read(&self, part: &Part, range: Range<u64>) -> Result<(Bytes, Option<String>), SourceError> {
        let address = self.address(part, None).await?;
        match self.fetch(&address, part, &range).await {
            Err(SourceError::NoPermission(_)) => {
                let address = self.address(part, Some(&address)).await?;
                self.fetch(&address, part, &range).await
            }
            read => read,
        }
    }

    /// Where a file is read for now. One that was `refused` is not given again, unless the server itself gives it
    /// again.
    async fn address(&self, part: &Part, refused: Option<&str>) -> Result<String, SourceError> {
        let mut addresses = self.addresses.lock().await;
        if let Some(address) = addresses.good(&part.name, Utc::now()).filter(|address| Some(*address) != refused) {
            return Ok(address.to_owned());
        }
        // What comes before is being read already.
        *addresses = Addresses::from(&part.name);
        let mut size = None;
        self.read_pages(|file| {
            if file.id == part.name {
                size = Some(file.size);
            }
            addresses.keep(file);
            Go::On
        })
        .await?;
        if size != Some(part.size) {
            return Err(SourceError::ChangedWhileRead);
        }
        let refused = || SourceError::NoPermission("the addresses that the server gives have ended already".to_owned());
        addresses.good(&part.name, Utc::now()).map(str::to_owned).ok_or_else(refused)
    }

    /// Reads the pages of the table, all in one version of it.
    async fn read_pages(&self, mut take: impl FnMut(File) -> Go) -> Result<(), SourceError> {
        let (mut token, mut version): (Option<String>, Option<String>) = (None, None);
        for number in 0..MOST_PAGES {
            let answer = self.ask(token.as_deref()).await?;
            let told = answer.header("delta-table-version").map(str::to_owned);
            if number > 0 && told.is_some() && told != version {
                return Err(SourceError::ChangedWhileRead);
            }
            version = told.or(version);
            let page = page(answer.bytes().map_err(unanswered)?, number == 0, promises_end(&answer))?;
            for file in page.files {
                if let Go::Home = take(file) {
                    return Ok(());
                }
            }
            if page.next.is_none() {
                return Ok(());
            }
            if page.next == token {
                return Err(strange());
            }
            token = page.next;
        }
        Err(strange())
    }

    async fn ask(&self, token: Option<&str>) -> Result<Answer, SourceError> {
        let authorization = self.profile.authorization(Utc::now())?;
        let headers = [
            ("authorization", authorization.reveal().as_str()),
            ("delta-sharing-capabilities", "responseformat=parquet;includeendstreamaction=true"),
        ];
        let mut body = json!({"maxFiles": PAGE});
        if let Some(token) = token {
            body["pageToken"] = json!(token);
        }
        let request = json_request("POST", &self.query, &headers, &body).map_err(unanswered)?;
        self.service.answer(request, true, understood).await
    }

    /// A range of a file at an address, which is the server's choice, and may be anywhere that the operator allows.
    async fn fetch(
        &self,
        address: &str,
        part: &Part,
        range: &Range<u64>,
    ) -> Result<(Bytes, Option<String>), SourceError> {
        let unfit = |_| SourceError::Unexpected("the server of the share names an address that cannot be".to_owned());
        let url = endpoint(address, Plain::ToAllowedNetworks).map_err(unfit)?;
        let asked = format!("bytes={}-{}", range.start, range.end - 1);
        let request = request("GET", &url, &[("range", &asked)], "").map_err(unanswered)?;
        let answer = self.service.answer(request, true, file_understood).await?;
        let body = answer.bytes().map_err(unanswered)?;
        let read = match answer.status() {
            StatusCode::PARTIAL_CONTENT => {
                let expected = format!("bytes {}-{}/{}", range.start, range.end - 1, part.size);
                (answer.header("content-range") == Some(&*expected)).then(|| body.clone())
            }
            // A server that knows no ranges sends the whole.
            _ if body.len() as u64 == part.size => Some(body.slice(range.start as usize..range.end as usize)),
            _ => None,
        };
        match read {
            Some(read) if read.len() as u64 == range.end - range.start => {
                Ok((read, answer.header("etag").map(str::to_owned)))
            }
            _ => Err(SourceError::ChangedWhileRead),
        }
    }
}

/// A file as a part. When it was made is not told.
fn part(file: &File) -> Part {
    Part { name: file.id.clone(), size: file.size, modified: DateTime::UNIX_EPOCH, etag: Some(file.id.clone()) }
}

/// Whether the server says that the last line of an answer is an `endStreamAction`.
fn promises_end(answer: &Answer) -> bool {
    let capabilities = answer.header("delta-sharing-capabilities").unwrap_or_default().to_ascii_lowercase();
    capabilities.split(';').any(|capability| capability.trim() == "includeendstreamaction=true")
}

/// What the server of a share answers.
fn understood(answer: Answer) -> Result<Answer, SourceError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Refusal {
        error_code: String,
    }
    let told = answer.json::<Refusal>().ok();
    let message = match told.as_ref().and_then(|told| code(&told.error_code)) {
        Some(code) => format!("{} ({code})", answer.message()),
        None => answer.message(),
    };
    Err(match answer.status().as_u16() {
        200..=299 => return Ok(answer),
        400 | 501 if names_features(&answer) => FEATURES,
        401 => SourceError::Credentials(message),
        403 => SourceError::NoPermission(message),
        404 => SourceError::NoSuchPlace("share, schema or table"),
        300..=399 => SourceError::Settings(format!("{message}: redirects are not followed")),
        400 => SourceError::Settings(message),
        _ => for_now(&answer, message),
    })
}

/// Whether a refusal is about features of Delta, for which there is no code of the protocol's.
fn names_features(answer: &Answer) -> bool {
    let text = answer.bytes().map(|body| String::from_utf8_lossy(body).to_ascii_lowercase()).unwrap_or_default();
    let names =
        ["unsupported_delta_table_features", "deletionvector", "columnmapping", "minreaderversion", "reader features"];
    names.iter().any(|name| text.contains(name))
}

/// What a store of files answers. Each has its own way to say that a signature has ended.
fn file_understood(answer: Answer) -> Result<Answer, SourceError> {
    let message = answer.message();
    Err(match answer.status().as_u16() {
        200 | 206 => return Ok(answer),
        400 | 401 | 403 => SourceError::NoPermission(message),
        404 | 410 | 412 | 416 => SourceError::ChangedWhileRead,
        300..=399 => SourceError::Unexpected(format!("{message}: redirects are not followed")),
        _ => for_now(&answer, message),
    })
}

/// What may be otherwise later.
fn for_now(answer: &Answer, message: String) -> SourceError {
    match answer.status().as_u16() {
        429 => SourceError::Busy { after: answer.retry_after(), message },
        503 if answer.retry_after().is_some() => SourceError::Busy { after: answer.retry_after(), message },
        408 | 500..=599 => SourceError::Unreachable(message),
        _ => SourceError::Unexpected(message),
    }
}
