//! Uploads that come in parts: which part is taken.

/// What there is of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// So many bytes.
    pub bytes: u64,
    /// How many it will have, where that was said.
    pub size: Option<u64>,
}

/// A part, as its sender describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins, in bytes from the start of the file.
    pub at: u64,
    /// How many bytes it has, where that is said before it is sent.
    pub bytes: Option<u64>,
    /// How many the whole file has, where that is said with this part.
    pub size: Option<u64>,
}

/// Why a part is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartRefusal {
    /// It does not begin where what is there ends.
    #[error("The part begins at {at}, the upload has {received} bytes.")]
    WrongOffset { at: u64, received: u64 },
    /// The size was said before, and was another, or is less than what is there.
    #[error("The size of the upload is another.")]
    WrongSize,
    /// There would be more than may be.
    #[error("At most {0} bytes.")]
    TooLarge(u64),
}

/// A part that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Up to so many bytes of the file.
    pub until: u64,
    /// How many it will have, where that is known by now.
    pub size: Option<u64>,
}

/// Whether a part is taken that would be the next; `limit` is the most that any upload may have, in bytes.
///
/// # Errors
/// Why it is not; then nothing changes.
pub fn take(received: Received, part: Part, limit: u64) -> Result<Taken, PartRefusal> {
    if part.at != received.bytes {
        return Err(PartRefusal::WrongOffset { at: part.at, received: received.bytes });
    }
    let size = match (received.size, part.size) {
        (Some(before), Some(now)) if before != now => return Err(PartRefusal::WrongSize),
        (before, now) => before.or(now),
    };
    if size.is_some_and(|size| size < received.bytes) {
        return Err(PartRefusal::WrongSize);
    }
    let until = size.unwrap_or(limit);
    if until > limit {
        return Err(PartRefusal::TooLarge(limit));
    }
    match part.bytes {
        Some(bytes) if bytes > until.saturating_sub(part.at) => Err(PartRefusal::TooLarge(until)),
        _ => Ok(Taken { until, size }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: u64 = 100;

    #[test]
    fn a_part_is_taken_where_the_upload_ends_and_as_far_as_it_goes() {
        let taken = |until, size| Ok(Taken { until, size });
        for ((bytes, size), (at, part_bytes, part_size), expected) in [
            ((0, Some(50)), (0, Some(50), None), taken(50, Some(50))),
            ((0, Some(50)), (0, None, None), taken(50, Some(50))),
            ((30, Some(50)), (30, Some(20), Some(50)), taken(50, Some(50))),
            ((30, Some(50)), (30, Some(0), None), taken(50, Some(50))),
            ((30, None), (30, Some(20), None), taken(LIMIT, None)),
            ((30, None), (30, Some(20), Some(50)), taken(50, Some(50))),
            ((0, None), (0, Some(LIMIT), None), taken(LIMIT, None)),
            ((30, Some(50)), (0, Some(50), None), Err(PartRefusal::WrongOffset { at: 0, received: 30 })),
            ((30, Some(50)), (31, Some(1), None), Err(PartRefusal::WrongOffset { at: 31, received: 30 })),
            ((0, None), (u64::MAX, None, None), Err(PartRefusal::WrongOffset { at: u64::MAX, received: 0 })),
            ((30, Some(50)), (30, Some(20), Some(51)), Err(PartRefusal::WrongSize)),
            ((30, None), (30, Some(0), Some(29)), Err(PartRefusal::WrongSize)),
            ((30, Some(50)), (30, Some(21), None), Err(PartRefusal::TooLarge(50))),
            ((30, Some(50)), (30, Some(u64::MAX), None), Err(PartRefusal::TooLarge(50))),
            ((0, None), (0, Some(LIMIT + 1), None), Err(PartRefusal::TooLarge(LIMIT))),
            ((0, None), (0, None, Some(LIMIT + 1)), Err(PartRefusal::TooLarge(LIMIT))),
        ] {
            let received = Received { bytes, size };
            let part = Part { at, bytes: part_bytes, size: part_size };
            assert_eq!(take(received, part, LIMIT), expected, "{received:?} {part:?}");
        }
    }

    proptest! {
        /// Whatever parts come, an upload has no more than its size or the limit, and its size stays once it was said.
        #[test]
        fn parts_never_make_more_than_the_size(
            parts in prop::collection::vec((0..130u64, prop::option::of(0..70u64), prop::option::of(0..120u64)), 0..30),
        ) {
            let mut received = Received { bytes: 0, size: None };
            for (at, bytes, size) in parts {
                let Ok(taken) = take(received, Part { at, bytes, size }, LIMIT) else { continue };
                prop_assert!(at == received.bytes);
                prop_assert!(received.size.is_none() || received.size == taken.size);
                let sent = bytes.unwrap_or(u64::MAX).min(taken.until - at);
                received = Received { bytes: at + sent, size: taken.size };
                prop_assert!(received.bytes <= received.size.unwrap_or(LIMIT) && received.size <= Some(LIMIT));
            }
        }
    }
}
