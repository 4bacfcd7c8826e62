//! What an endpoint takes for each match key.

use crate::destination::Delivery;
use crate::error::DestinationError;

/// The match keys that an endpoint takes, each with what stands for it there.
///
/// ```
/// use entente_destination::match_keys::MatchKeys;
///
/// const KEYS: MatchKeys<&str> = MatchKeys { service: "TV Tube", taken: &[("hashed_email", "EMAIL_SHA256")] };
/// assert_eq!(KEYS.get("hashed_email"), Ok("EMAIL_SHA256"));
/// let error = KEYS.get("idfa").unwrap_err();
/// assert_eq!(error.to_string(), "TV Tube does not take `idfa`, only `hashed_email`: leave it out of the activation");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MatchKeys<T: 'static> {
    /// The endpoint, as people call it.
    pub service: &'static str,
    /// Match keys and what stands for them.
    pub taken: &'static [(&'static str, T)],
}

impl<T: Copy> MatchKeys<T> {
    /// What stands for a match key.
    ///
    /// # Errors
    /// `Config` for one that is not taken, with those that are.
    pub fn get(&self, match_key: &str) -> Result<T, DestinationError> {
        let found = self.taken.iter().find(|(taken, _)| *taken == match_key);
        found.map(|(_, stands)| *stands).ok_or_else(|| {
            let taken: Vec<String> = self.taken.iter().map(|(taken, _)| format!("`{taken}`")).collect();
            DestinationError::Config(format!(
                "{} does not take `{match_key}`, only {}: leave it out of the activation",
                self.service,
                taken.join(", ")
            ))
        })
    }

    /// Makes sure, before anything is sent, that all match keys of a delivery are taken.
    ///
    /// # Errors
    /// As [`MatchKeys::get`].
    pub fn admit(&self, delivery: &Delivery) -> Result<(), DestinationError> {
        delivery.match_keys.iter().try_for_each(|key| self.get(key).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_admitted_with_keys_that_are_taken() {
        let keys = MatchKeys { service: "TV Tube", taken: &[("hashed_email", 1), ("hashed_phone", 2)] };
        for (match_keys, admitted) in
            [(vec![], true), (vec!["hashed_phone", "hashed_email"], true), (vec!["hashed_email", "crm_id"], false)]
        {
            let match_keys = match_keys.into_iter().map(str::to_owned).collect();
            let delivery = Delivery { match_keys, ..Delivery::default() };
            assert_eq!(keys.admit(&delivery).is_ok(), admitted, "{delivery:?}");
        }
    }
}
