//! Signatures of the Data API: HMAC-SHA1 of the body with the advertiser's secret key, in Base64, as the header
//! `TtdSignature`. <https://partner.thetradedesk.com/v3/portal/data/doc/post-data-advertiser-external>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entente_destination::{DestinationError, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The signature of a body.
///
/// # Errors
/// None: the algorithm takes keys of any length.
pub fn sign(key: &Secret<String>, body: &[u8]) -> Result<String, DestinationError> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.reveal().as_bytes())
        .map_err(|_| DestinationError::Config("`secret_key` cannot be signed with".to_owned()))?;
    mac.update(body);
    Ok(STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_published_example_is_signed_as_published() {
        // RFC 2202, section 3, case 2: effcdf6ae5eb2fa2d27416d5f184df9c259a7c79.
        let key = Secret::new("Jefe".to_owned());
        let signature = sign(&key, b"what do ya want for nothing?").unwrap();
        assert_eq!(signature, "7/zfauXrL6LSdBbV8YTfnCWafHk=");
    }
}
