//! What the three services answer, and what that means for the delivery. All of them tell by a code what is wrong, in a
//! document of XML: [S3](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html),
//! [Google](https://cloud.google.com/storage/docs/xml-api/reference-status),
//! [Azure](https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes).

use entente_destination::DestinationError;
use entente_destination::http::{Answer, Method, code};

/// The answer again where it is one that `object_store` is to read: a success, or that an object is not there.
///
/// # Errors
/// What the status and the code mean.
pub fn understood(method: &Method, answer: Answer) -> Result<Answer, DestinationError> {
    let status = answer.status().as_u16();
    let told = code_of(&answer);
    if (200..300).contains(&status) {
        return if is_failure(&answer) { Err(meaning(&answer, 500, told)) } else { Ok(answer) };
    }
    let about_an_object = matches!(told, None | Some("NoSuchKey" | "BlobNotFound" | "NoSuchUpload"));
    if status == 404 && about_an_object && [Method::HEAD, Method::DELETE].contains(method) {
        return Ok(answer);
    }
    Err(meaning(&answer, status, told))
}

/// The code that an answer tells its error by; there is none without a body, save at Azure.
fn code_of(answer: &Answer) -> Option<&str> {
    let in_header = answer.header("x-ms-error-code");
    let in_body = || {
        let text = std::str::from_utf8(answer.bytes().ok()?).ok()?;
        text.split_once("<Code>")?.1.split('<').next()
    };
    code(in_header.or_else(in_body)?)
}

/// Whether an answer of success tells of a failure: S3 begins to answer before an upload is put together.
fn is_failure(answer: &Answer) -> bool {
    let text = answer.bytes().ok().and_then(|body| std::str::from_utf8(body).ok());
    text.is_some_and(|text| text.contains("<Error>"))
}

/// What a status and a code stand for. The message tells the code and what to do.
fn meaning(answer: &Answer, status: u16, told: Option<&str>) -> DestinationError {
    let message = match told {
        Some(code) => format!("{} ({code})", answer.message()),
        None => answer.message(),
    };
    let after = answer.retry_after();
    match (told.unwrap_or_default(), status) {
        (
            "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted" | "InvalidBucketName" | "BucketNotFound",
            _,
        ) => DestinationError::Config(format!("{message}: there is no such bucket or container")),
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => {
            DestinationError::Config(format!("{message}: is the bucket in another region? Set `region`"))
        }
        ("SlowDown" | "ServerBusy" | "TooManyRequests" | "RequestLimitExceeded", _) | (_, 429) => {
            DestinationError::RateLimited { after, message }
        }
        ("RequestTimeTooSkewed", _) => {
            DestinationError::Transient(format!("{message}: the clock of this gateway is wrong"))
        }
        ("RequestTimeout" | "OperationAborted" | "NoSuchUpload" | "InternalError" | "OperationTimedOut", _)
        | ("BadDigest" | "XAmzContentSHA256Mismatch" | "Md5Mismatch", _) => DestinationError::Transient(message),
        ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired", _) | (_, 401 | 403) => {
            DestinationError::Auth(format!("{message}: it refuses the credentials, or they do not allow enough"))
        }
        (_, 400 | 404) => DestinationError::Config(message),
        (_, 500..=599) if after.is_some() => DestinationError::RateLimited { after, message },
        (_, 408 | 409 | 500..=599) => DestinationError::Transient(message),
        _ => DestinationError::Permanent(message),
    }
}
