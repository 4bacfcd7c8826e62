//! Uploads: files that wait to be sourced.

use crate::{
    graphql::{
        access::{authorise, authorise_id, creation, gateway, load_own, loaders, now},
        fault::{allow, fault, payload, refused},
        id::{global, local},
        loaders::load,
        scalar::SafeInt,
        sourcing,
    },
    http::uploads,
    sources::{csv, opening},
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, Code, Refusal, UploadId, access::Act, data_connection::checked_delimiter, refusal::text,
};
use entente_identity::source::{ColumnType as IdentityColumnType, Preview, SourceFault, preview};
use entente_store::Upload as Row;

/// A file that waits to be sourced. It is sent to `url`; the gateway keeps it encrypted, and only until it is sourced.
#[derive(Clone)]
pub struct Upload(pub Row);

/// A file that waits to be sourced. It is sent to `url`; the gateway keeps it encrypted, and only until it is sourced.
#[Object]
impl Upload {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// As its sender named it. What the file is, CSV or Parquet, is seen from the file itself.
    async fn file_name(&self) -> &str {
        &self.0.file_name
    }

    /// Where to send the file: in one request with PUT or POST, whose body is the file, or in parts by the protocol tus
    /// 1.0, which go on after whatever cut them off. Who has the address needs no key. For ADMIN and MANAGER.
    async fn url(&self, ctx: &Context<'_>) -> Result<String> {
        authorise_id(ctx, self.0.account, Act::ManageData)?.map_err(refused)?;
        Ok(uploads::address(gateway(ctx), self.0.id))
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// From then on it is gone.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }

    /// Bytes that came so far.
    async fn bytes_received(&self) -> SafeInt {
        SafeInt(self.0.bytes_received)
    }

    /// How many bytes the file has; null where its sender has not said so yet.
    async fn size(&self) -> Option<SafeInt> {
        self.0.size.or(self.0.complete.then_some(self.0.bytes_received)).map(SafeInt)
    }

    /// Whether the file came whole. Only then it can be sourced.
    async fn complete(&self) -> bool {
        self.0.complete
    }

    /// Whether it was sourced. An upload is used once.
    async fn used(&self) -> bool {
        self.0.used_by.is_some()
    }
}

/// What all values of a column are, as far as a preview reads.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "IdentityColumnType")]
pub enum ColumnType {
    /// There are none.
    Empty,
    /// Whole numbers.
    Integer,
    /// Numbers.
    Decimal,
    /// true or false, yes or no.
    Boolean,
    /// Days.
    Date,
    /// Instants.
    Timestamp,
    /// E-mail addresses.
    Email,
    /// SHA-256 digests.
    Digest,
    /// UUIDs.
    Uuid,
    /// IPv4 addresses.
    Ipv4,
    /// Lists, structures or maps, as Parquet can have them; such a column cannot be mapped.
    Nested,
    /// Anything else.
    Text,
}

/// A column of an upload.
#[derive(Clone, SimpleObject)]
pub struct PreviewColumn {
    /// Its name; `***` where the name itself looks like an identifier, as in a file without a header.
    name: String,
    /// What its values are.
    column_type: ColumnType,
}

/// A look at the beginning of an upload, CSV or Parquet. Nothing of it is stored.
#[derive(SimpleObject)]
pub struct UploadPreview {
    /// The delimiter that was given, or else the one that was found; null for Parquet, which has none.
    delimiter: Option<String>,
    /// The columns, in the order of the file.
    columns: Vec<PreviewColumn>,
    /// Rows of the whole file: exact for Parquet and for CSV of up to a megabyte, else estimated from the first megabyte.
    estimated_rows: SafeInt,
    /// The first 10 rows, a text for each column; what looks like an identifier is `***`.
    rows: Vec<Vec<String>>,
}

impl From<Preview> for UploadPreview {
    fn from(preview: Preview) -> Self {
        let column = |c: entente_identity::source::ColumnPreview| PreviewColumn {
            name: c.name,
            column_type: c.column_type.into(),
        };
        Self {
            delimiter: preview.delimiter.map(|delimiter| char::from(delimiter).to_string()),
            columns: preview.columns.into_iter().map(column).collect(),
            estimated_rows: SafeInt(preview.estimated_rows),
            rows: preview.rows,
        }
    }
}

/// Asks for an address to send a file to.
#[derive(InputObject)]
struct CreateUploadInput {
    /// The account that acts.
    account_id: ID,
    /// 1 to 200 characters; for people only.
    file_name: String,
    /// How many bytes the file has, if that is known already; a file of another size is refused then.
    size: Option<SafeInt>,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

payload! {
    /// The upload, or why there is none.
    CreateUploadPayload {
        /// What was created; send the file to its `url`.
        upload: Upload,
    }
}

/// Mutations of uploads.
#[derive(Default)]
pub struct UploadMutation;

#[Object]
impl UploadMutation {
    /// Asks for an address to send a file to; it is open for 7 days. For ADMIN and MANAGER.
    async fn create_upload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateUploadInput,
    ) -> Result<CreateUploadPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let change = allow!(creation(ctx, authorised, "createUpload", input.idempotency_key)?);
        let file_name = allow!(text("fileName", &input.file_name, 1, 200));
        let size = allow!(checked_size(input.size, gateway(ctx).settings.upload_limit));
        let row = uploads::new(gateway(ctx), &change, authorised.account, file_name, size).map_err(fault)?;
        let created = allow!(gateway(ctx).store().create_upload(change, row).await.map_err(fault)?);
        let upload = load(&loaders(ctx).uploads, created.id).await?.map(Upload);
        Ok(CreateUploadPayload { upload, user_errors: vec![] })
    }
}

fn checked_size(size: Option<SafeInt>, limit: u64) -> Result<Option<u64>, Refusal> {
    match size {
        Some(SafeInt(size)) if size > limit => Err(Refusal::invalid("size", format!("At most {limit} bytes."))),
        size => Ok(size.map(|size| size.0)),
    }
}

/// Queries of uploads.
#[derive(Default)]
pub struct UploadQuery;

#[Object]
impl UploadQuery {
    /// A look at an upload before it is sourced. A file that cannot be read is an error with the code FILE_REFUSED. For
    /// ADMIN and MANAGER.
    async fn upload_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account that acts.")] account_id: ID,
        #[graphql(desc = "The upload.")] upload_id: ID,
        #[graphql(desc = "For CSV. One punctuation character or a tab; found by itself when it is left out.")]
        delimiter: Option<String>,
    ) -> Result<UploadPreview> {
        let account = authorise(ctx, &account_id, Act::ManageData)?.map_err(refused)?.account;
        let id = local::<UploadId>(&upload_id, "uploadId").map_err(refused)?;
        let delimiter = delimiter.as_deref().map(previewed_delimiter).transpose().map_err(refused)?;
        let upload = load_own(ctx, account, &loaders(ctx).uploads, id).await?;
        usable(upload.as_ref(), account).map_err(refused)?;
        let gone = || refused(csv::gone().at("uploadId"));
        let opened = opening::open(gateway(ctx), id).await.map_err(fault)?.ok_or_else(gone)?;
        let read = tokio::task::spawn_blocking(move || preview(opened.reader.file(), delimiter));
        match read.await.map_err(fault)? {
            Ok(preview) => Ok(preview.into()),
            Err(unread) => Err(unreadable(&unread)),
        }
    }
}

/// A delimiter that a preview is asked for with.
pub fn previewed_delimiter(text: &str) -> Result<u8, Refusal> {
    let delimiter = checked_delimiter(sourcing::delimiter(text, "delimiter")?).map_err(|r| r.at("delimiter"))?;
    u8::try_from(delimiter).map_err(|_| Refusal::invalid("delimiter", "A delimiter is an ASCII character."))
}

fn unreadable(unread: &SourceFault) -> async_graphql::Error {
    match csv::refusal(unread) {
        Some(refusal) => refused(refusal.at("uploadId")),
        None => fault(unread),
    }
}

/// Refuses an upload that cannot be sourced by this account now. Those of others read like none.
fn usable(upload: Option<&Row>, account: AccountId) -> Result<&Row, Refusal> {
    let upload = upload.filter(|u| u.account == account);
    let upload = upload.ok_or_else(|| Refusal::not_found("upload").at("uploadId"))?;
    let unavailable = |message: &str| Err(Refusal::new(Code::UploadUnavailable, message).at("uploadId"));
    if upload.expires_at <= now() {
        return unavailable("The upload has expired; upload the file again.");
    }
    if upload.used_by.is_some() {
        return unavailable("The upload was used already; upload the file again.");
    }
    if !upload.complete {
        return unavailable("The upload is not complete: send the file to its `url` first.");
    }
    Ok(upload)
}
