//! From the mapping of fields, as an account states it, to what a file is read by.

use crate::identities::key_name;
use entente_domain::{
    MatchKeyKind,
    data_connection::{AudienceSource, FieldMapping, Mapping, Transformation},
};
use entente_identity::{
    normalise::{Form, Region, Take},
    source::{self, AudienceFrom, DEFAULT_MEMORY, SourcePlan},
};

/// How the values of a kind are normalised. Phone numbers without a country code are read as of the account's region;
/// where no numbering plan of that region is known, only international numbers are accepted.
pub fn form(kind: MatchKeyKind, region: &str) -> Form {
    match kind {
        MatchKeyKind::HashedEmail => Form::HashedEmail,
        MatchKeyKind::HashedPhone => Form::HashedPhone { region: Region::from_code(region).ok() },
        MatchKeyKind::CrmId => Form::CrmId,
        MatchKeyKind::LoyaltyId => Form::LoyaltyId,
        MatchKeyKind::HashedIpv4 => Form::HashedIpv4,
        MatchKeyKind::Idfa => Form::Idfa,
        MatchKeyKind::Gaid => Form::Gaid,
        MatchKeyKind::Ecid => Form::Ecid,
        MatchKeyKind::PartnerId => Form::PartnerId,
    }
}

/// The columns that hold identities.
pub fn identity_columns(fields: &[FieldMapping], region: &str) -> Vec<source::Mapping> {
    let column = |field: &FieldMapping| source::Mapping {
        column: field.column.clone(),
        key: key_name(&field.match_key),
        form: form(field.match_key.kind, region),
        take: match field.transformation {
            Transformation::AlreadyHashed => Take::AsHashed,
            Transformation::NormaliseAndHash => Take::Transform,
        },
    };
    fields.iter().map(column).collect()
}

/// How a file of a data connection is read. A mapping that was checked has an ASCII delimiter.
pub fn source_plan(mapping: &Mapping, region: &str) -> SourcePlan {
    SourcePlan {
        delimiter: u8::try_from(mapping.delimiter).unwrap_or(b','),
        mappings: identity_columns(&mapping.fields, region),
        audience: match &mapping.audience {
            AudienceSource::Column(column) => AudienceFrom::Column(column.clone()),
            AudienceSource::Named(name) => AudienceFrom::Fixed(name.clone()),
        },
        memory: DEFAULT_MEMORY,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_domain::MatchKey;
    use entente_identity::normalise::identity;

    fn field(column: &str, kind: MatchKeyKind, transformation: Transformation) -> FieldMapping {
        FieldMapping { column: column.to_owned(), match_key: MatchKey::of(kind), transformation }
    }

    #[test]
    fn a_plan_reads_what_the_mapping_says() {
        let mapping = Mapping {
            fields: vec![
                field("email", MatchKeyKind::HashedEmail, Transformation::NormaliseAndHash),
                field("work_email", MatchKeyKind::HashedEmail, Transformation::AlreadyHashed),
                field("phone", MatchKeyKind::HashedPhone, Transformation::NormaliseAndHash),
            ],
            audience: AudienceSource::Column("segment".to_owned()),
            delimiter: ';',
        };
        let plan = source_plan(&mapping, "DE");
        assert_eq!(plan.delimiter, b';');
        assert!(plan.check().is_ok());
        let read: Vec<_> = plan.mappings.iter().map(|m| (m.column.as_str(), m.key.as_str(), m.form, m.take)).collect();
        let phone = Form::HashedPhone { region: Some(Region::DE) };
        assert_eq!(
            read,
            [
                ("email", "hashed_email", Form::HashedEmail, Take::Transform),
                ("work_email", "hashed_email", Form::HashedEmail, Take::AsHashed),
                ("phone", "hashed_phone", phone, Take::Transform),
            ]
        );
        assert!(matches!(plan.audience, AudienceFrom::Column(column) if column == "segment"));
    }

    #[test]
    fn a_phone_number_is_read_as_of_the_region() {
        let digest = |region: &str, number: &[u8]| {
            identity(form(MatchKeyKind::HashedPhone, region), Take::Transform, number).ok().flatten()
        };
        let international = digest("US", b"+49 30 901820").unwrap();
        assert_eq!(digest("DE", b"030 901820"), Some(international));
        assert_ne!(digest("GB", b"030 901820"), Some(international));
        assert_eq!(digest("ZZ", b"030 901820"), None);
        assert_eq!(digest("ZZ", b"+49 30 901820"), Some(international));
    }
}
