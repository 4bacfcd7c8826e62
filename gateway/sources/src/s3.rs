//! Amazon S3, and services that have its interface.

use entente_destination::Secret;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::bucket::{Bucket, checked_endpoint, checked_name, checked_role, is_plain, unfit};
use crate::error::SourceError;
use crate::operator::Operator;
use crate::service::{Service, never_again};
use crate::source::Source;
use crate::types;

/// Which objects are read, and who may do that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "S3")]
pub struct Settings {
    /// The bucket, such as `luma-audiences`.
    bucket: String,

    /// The folder in it, such as `audiences/2026`; the whole bucket where it is not given.
    #[serde(default)]
    prefix: Option<String>,

    /// Which objects of the folder are read, by their names below it: `*` stands for anything but a slash, `**` for
    /// folders, `{a,b}` for one of several, as in `**/*.{csv,csv.gz}`. All are, where it is not given.
    #[serde(default)]
    pattern: Option<String>,

    /// The region that the bucket is in, such as `eu-central-1`; `us-east-1` where it is not given.
    #[serde(default)]
    region: Option<String>,

    /// The service's address where it is not Amazon's, such as `https://s3.luma.example`.
    #[serde(default)]
    endpoint: Option<String>,

    /// Who reads. It needs `s3:ListBucket` and `s3:GetObject`.
    credentials: Credentials,
}

/// Who reads from S3.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "S3Credentials")]
enum Credentials {
    /// An access key.
    AccessKey {
        /// The id of the access key, such as `AKIAIOSFODNN7EXAMPLE`.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: Secret<String>,
        /// The session token that belongs to a temporary access key, such as one of a role.
        #[serde(default)]
        session_token: Option<Secret<String>>,
    },
    /// The role that the gateway itself has, from its machine or a web identity. Only for buckets that its operator
    /// allows.
    GatewayRole {},
}

impl types::Settings for Settings {
    const ID: &'static str = "s3";
    const NAME: &'static str = "Amazon S3";
    const SUMMARY: &'static str = "Reads objects of a bucket of Amazon S3, or of a service that has its interface.";

    fn source(self, operator: &Operator) -> Result<Box<dyn Source>, SourceError> {
        checked_name("bucket", &self.bucket)?;
        let endpoint = checked_endpoint(self.endpoint.as_deref())?;
        let builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(region(self.region.as_deref())?)
            .with_retry(never_again());
        let builder = match &self.credentials {
            Credentials::AccessKey { access_key_id, secret_access_key, session_token } => {
                let texts = [Some(access_key_id), session_token.as_ref().map(Secret::reveal)];
                if !texts.into_iter().flatten().all(|text| is_plain(text)) {
                    let why = "an access key or its session token is not like those that are given";
                    return Err(SourceError::Settings(why.to_owned()));
                }
                let builder =
                    builder.with_access_key_id(access_key_id).with_secret_access_key(secret_access_key.reveal());
                let builder = match session_token {
                    Some(token) => builder.with_token(token.reveal()),
                    None => builder,
                };
                builder.with_http_connector(Service::new(operator)?)
            }
            Credentials::GatewayRole {} => {
                checked_role(operator, &format!("s3://{}", self.bucket), endpoint.as_ref())?;
                of_the_environment(builder).with_http_connector(Service::with_metadata(operator)?)
            }
        };
        let builder = match endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint),
            None => builder,
        };
        let store = builder.build().map_err(unfit)?;
        Ok(Box::new(Bucket::new(store, self.prefix.as_deref(), self.pattern.as_deref())?))
    }
}

/// The region, which becomes part of a host's name.
fn region(given: Option<&str>) -> Result<&str, SourceError> {
    let region = given.unwrap_or("us-east-1");
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=40).contains(&region.len()) && region.bytes().all(sound) {
        return Ok(region);
    }
    Err(SourceError::Settings("`region` must be one such as eu-central-1".to_owned()))
}

/// What says in the environment who the gateway is; where nothing does, its machine is asked.
fn of_the_environment(builder: AmazonS3Builder) -> AmazonS3Builder {
    let names = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile),
        ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
        ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
    ];
    names.into_iter().fold(builder, |builder, (name, key)| match std::env::var(name) {
        Ok(value) => builder.with_config(key, value),
        Err(_) => builder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_leads_to_no_other_host() {
        for (given, taken) in [("eu-central-1", true), ("auto", true), ("x.evil.example/", false), ("", false)] {
            assert_eq!(region(Some(given)).is_ok(), taken, "{given}");
        }
    }
}
