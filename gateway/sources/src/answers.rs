//! What the three clouds answer, and what that means. All of them tell by a code what is wrong, in a document of XML:
//! [S3](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html),
//! [Google](https://cloud.google.com/storage/docs/xml-api/reference-status),
//! [Azure](https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes).

use entente_destination::DestinationError;
use entente_destination::http::{Answer, code};

use crate::error::SourceError;

/// The answer again where it is one of success.
///
/// # Errors
/// What the status and the code mean.
pub fn understood(answer: Answer) -> Result<Answer, SourceError> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let told = code_of(&answer);
    let message = match told {
        Some(code) => format!("{} ({code})", answer.message()),
        None => answer.message(),
    };
    Err(meaning(told.unwrap_or_default(), answer.status().as_u16(), message, &answer))
}

/// The code that an answer tells its error by.
fn code_of(answer: &Answer) -> Option<&str> {
    let in_header = answer.header("x-ms-error-code");
    let in_body = || std::str::from_utf8(answer.bytes().ok()?).ok()?.split_once("<Code>")?.1.split('<').next();
    code(in_header.or_else(in_body)?)
}

fn meaning(code: &str, status: u16, message: String, answer: &Answer) -> SourceError {
    match (code, status) {
        (
            "NoSuchBucket"
            | "ContainerNotFound"
            | "ContainerBeingDeleted"
            | "InvalidBucketName"
            | "BucketNotFound"
            | "InvalidResourceName",
            _,
        ) => SourceError::NoSuchPlace("bucket or container"),
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => SourceError::Settings(format!("{message}: is the bucket in another region? Set `region`")),
        ("SlowDown" | "ServerBusy" | "TooManyRequests" | "RequestLimitExceeded", _) | (_, 429) => {
            SourceError::Busy { after: answer.retry_after(), message }
        }
        ("RequestTimeTooSkewed", _) => {
            SourceError::Unreachable(format!("{message}: the clock of this gateway is wrong"))
        }
        (
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "AuthenticationFailed"
            | "InvalidSecurity"
            | "InvalidAuthenticationInfo"
            | "NotSignedUp",
            _,
        )
        | (_, 401) => SourceError::Credentials(message),
        (_, 403) => SourceError::NoPermission(message),
        // A part that was listed is gone, is another or is shorter by now.
        ("NoSuchKey" | "BlobNotFound" | "NoSuchVersion" | "ConditionNotMet" | "PreconditionFailed", _)
        | (_, 412 | 416) => SourceError::ChangedWhileRead,
        ("RequestTimeout" | "OperationAborted" | "InternalError" | "OperationTimedOut", _) | (_, 408 | 500..=599) => {
            SourceError::Unreachable(message)
        }
        (_, 300..=399) => SourceError::Settings(format!("{message}: redirects are not followed")),
        (_, 400 | 404) => SourceError::Settings(message),
        _ => SourceError::Unexpected(message),
    }
}

/// What it means that there was no answer.
pub fn unanswered(error: DestinationError) -> SourceError {
    match error {
        DestinationError::Config(why) => SourceError::Settings(why),
        DestinationError::Auth(why) => SourceError::Credentials(why),
        DestinationError::RateLimited { after, message } => SourceError::Busy { after, message },
        DestinationError::Transient(why) => SourceError::Unreachable(why),
        DestinationError::Payload(why) | DestinationError::Permanent(why) => SourceError::Unexpected(why),
    }
}
