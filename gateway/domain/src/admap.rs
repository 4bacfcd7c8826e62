//! Files made for IAB Tech Lab's Attribution Data Matching Protocol, ADMaP 1.0: the columns are named as in the examples of its
//! specification, and a row says of which type its key is. Files spell these names with blanks or underscores, in any case.

use crate::{
    MatchKey, MatchKeyKind,
    data_connection::{FieldMapping, Transformation},
    event_data::{ConversionColumns, EventColumns, ExposureColumns, TimeForm},
};

/// What joins the two sides: a digest of an identifier, or an id that stands for one.
const KEY: &str = "ADMAP ID";
const KEY_TYPE: &str = "Key Type";
const TIME: &str = "Timestamp";

/// The kinds of match key that its key types name: `email`, `phone`, `ip` and `advertising_id`.
const KINDS: [MatchKeyKind; 5] = [
    MatchKeyKind::HashedEmail,
    MatchKeyKind::HashedPhone,
    MatchKeyKind::HashedIpv4,
    MatchKeyKind::Idfa,
    MatchKeyKind::Gaid,
];

/// Columns of an exposure.
pub fn exposure_columns() -> ExposureColumns {
    ExposureColumns {
        key_type: Some(KEY_TYPE.to_owned()),
        time: TIME.to_owned(),
        time_form: TimeForm::EpochSeconds,
        campaign: "Campaign Name".to_owned(),
        placement: None,
        creative: None,
        cost: None,
        viewable: None,
        kind: Some("Type".to_owned()),
    }
}

/// Columns of a conversion.
pub fn conversion_columns() -> ConversionColumns {
    ConversionColumns {
        key_type: Some(KEY_TYPE.to_owned()),
        time: TIME.to_owned(),
        time_form: TimeForm::EpochSeconds,
        kind: "Event Name".to_owned(),
        value: Some("Event Revenue".to_owned()),
        currency: Some("Event Currency".to_owned()),
        deduplication_key: None,
        attributes: vec![],
    }
}

/// Whether columns are those of its files.
pub fn is(columns: &EventColumns) -> bool {
    match columns {
        EventColumns::Exposures(columns) => *columns == exposure_columns(),
        EventColumns::Conversions(columns) => *columns == conversion_columns(),
    }
}

/// How its keys feed the match keys of an account, those that have a key type. They are digests.
pub fn fields(account_keys: &[MatchKey]) -> Vec<FieldMapping> {
    let named = account_keys.iter().filter(|key| KINDS.contains(&key.kind));
    let field = |key: &MatchKey| FieldMapping {
        column: KEY.to_owned(),
        match_key: key.clone(),
        transformation: Transformation::AlreadyHashed,
    };
    named.map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_column_feeds_the_match_keys_that_have_a_key_type() {
        let keys = [MatchKeyKind::HashedEmail, MatchKeyKind::CrmId, MatchKeyKind::Gaid].map(MatchKey::of);
        let found: Vec<_> = fields(&keys).into_iter().map(|f| (f.column, f.match_key.kind)).collect();
        let column = || "ADMAP ID".to_owned();
        assert_eq!(found, [(column(), MatchKeyKind::HashedEmail), (column(), MatchKeyKind::Gaid)]);
    }

    #[test]
    fn other_columns_are_not_those_of_its_files() {
        assert!(is(&EventColumns::Exposures(exposure_columns())));
        assert!(is(&EventColumns::Conversions(conversion_columns())));
        let columns = ConversionColumns { deduplication_key: Some("Order".to_owned()), ..conversion_columns() };
        assert!(!is(&EventColumns::Conversions(columns)));
    }
}
