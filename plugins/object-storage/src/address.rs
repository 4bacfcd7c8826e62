//! The address of a folder in a bucket.

use entente_destination::DestinationError;
use entente_destination::files::folder_names;
use object_store::path::Path;

/// The longest name of a bucket, Google's with dots in it.
const MAX_BUCKET: usize = 222;

/// A cloud, or what has its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon S3, and what has its interface.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob.
    Azure,
}

/// A folder in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a> {
    /// Where the bucket is.
    pub cloud: Cloud,
    /// The bucket's name, Azure's container.
    pub bucket: &'a str,
    /// The folder in it; empty for the bucket itself.
    pub prefix: Path,
}

impl<'a> Address<'a> {
    /// Reads `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    ///
    /// # Errors
    /// `Config` for anything else.
    pub fn parse(url: &'a str) -> Result<Self, DestinationError> {
        let wrong = |what: &str| DestinationError::Config(format!("`url` {what}"));
        let unknown = || wrong("must start with s3://, gs:// or az://");
        let (scheme, rest) = url.split_once("://").ok_or_else(unknown)?;
        let cloud = match scheme {
            "s3" => Cloud::S3,
            "gs" => Cloud::Google,
            "az" => Cloud::Azure,
            _ => return Err(unknown()),
        };
        let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(bucket) {
            return Err(wrong("has no proper name of a bucket or container"));
        }
        if !folder.is_empty() {
            folder_names(folder, "the folder in `url`")?;
        }
        // What may stand for something else in an address is taken for nothing at all.
        let prefix = Path::parse(folder).ok().filter(|_| !folder.contains(['?', '#', '%', '*']));
        let prefix = prefix.ok_or_else(|| wrong("has a character in its folder that is not taken"))?;
        Ok(Self { cloud, bucket, prefix })
    }
}

fn is_bucket(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (3..=MAX_BUCKET).contains(&name.len()) && name.bytes().all(sound) && !name.starts_with('.') && !name.contains("..")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn addresses_name_a_service_a_bucket_and_a_folder() {
        for (url, cloud, bucket, prefix) in [
            ("s3://luma", Cloud::S3, "luma", ""),
            ("s3://luma/", Cloud::S3, "luma", ""),
            ("s3://luma.audiences/from/tvtube/", Cloud::S3, "luma.audiences", "from/tvtube"),
            ("gs://luma_audiences/Frühling 2026", Cloud::Google, "luma_audiences", "Frühling 2026"),
            ("az://luma/x", Cloud::Azure, "luma", "x"),
        ] {
            let prefix = Path::parse(prefix).unwrap();
            assert_eq!(Address::parse(url).unwrap(), Address { cloud, bucket, prefix }, "{url}");
        }
    }

    #[test]
    fn others_are_refused_without_being_repeated() {
        for url in [
            "",
            "luma/x",
            "/etc/s3cret",
            "file:///etc/s3cret",
            "https://s3cret.example/x",
            "memory://s3cret",
            "S3://s3cret",
            "s3://",
            "s3:///s3cret",
            "s3://..",
            "s3://a..b",
            "s3://lu",
            "s3://user:s3cret@luma/x",
            "s3://luma:9000/x",
            "s3://luma?s3cret",
            "s3://luma/../x",
            "s3://luma//x",
            "s3://luma/.x",
            "s3://luma/x?s3cret",
            "s3://luma/x#s3cret",
            "s3://luma/%2e%2e",
            "s3://luma/\n",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(matches!(&error, DestinationError::Config(told) if !told.contains("s3cret")), "{url}: {error}");
        }
    }
}
