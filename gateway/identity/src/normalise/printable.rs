//! The shortest way for what most values are: printable ASCII, of a kind whose rule is to write it in lower case.

use super::{EMAIL_BYTES, Fault, Form, ID_BYTES};

/// Room for the longest value that goes this way.
pub(super) type Room = [u8; ID_BYTES];

/// What [`normalise`](super::normalise()) makes of a value without blanks around it, as a part of `room`; `None` for a
/// value that has to go the long way.
pub(super) fn printable<'r>(form: Form, value: &[u8], room: &'r mut Room) -> Option<Result<&'r [u8], Fault>> {
    let limit = match form {
        Form::HashedEmail => EMAIL_BYTES,
        Form::Ecid | Form::CrmId | Form::LoyaltyId | Form::PartnerId => ID_BYTES,
        Form::HashedPhone { .. } | Form::HashedIpv4 | Form::Idfa | Form::Gaid => return None,
    };
    let is_printable = value.iter().fold(true, |all, byte| all & (b' '..=b'~').contains(byte));
    if value.is_empty() || value.len() > limit || !is_printable {
        return None;
    }
    let lower = &mut room[..value.len()];
    lower.copy_from_slice(value);
    lower.make_ascii_lowercase();
    Some(match form {
        Form::HashedEmail if !is_email(lower) => Err(Fault::EmailInvalid),
        _ => Ok(lower),
    })
}

/// A name, an @ and a domain of at least two labels, none of them empty; no blank anywhere.
fn is_email(lower: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', lower) else { return false };
    let domain = &lower[at + 1..];
    let (mut labels, mut before) = (1, b'.');
    for byte in domain {
        match byte {
            b'.' if before == b'.' => return false,
            b'.' => labels += 1,
            b'@' | b' ' => return false,
            _ => {}
        }
        before = *byte;
    }
    at > 0 && labels >= 2 && before != b'.' && memchr::memchr(b' ', &lower[..at]).is_none()
}
