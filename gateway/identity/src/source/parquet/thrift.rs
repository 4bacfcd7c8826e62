//! Thrift's compact protocol, as far as Parquet's headers need it: reads hostile bytes without recursion that they choose,
//! and allocates nothing.

/// The bytes are no Thrift, or end too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool(bool),
    Byte,
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

/// Structures inside structures that are followed; Parquet's own headers have fewer.
const MAX_DEPTH: usize = 24;

/// Reads from the front of a slice.
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compact<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Reads the fields of a structure. `take` reads a field's value, or says that it does not want it.
    pub(super) fn fields(
        &mut self,
        mut take: impl FnMut(&mut Self, i64, Kind) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            if !take(self, id, kind)? {
                self.skip(kind, MAX_DEPTH)?;
            }
        }
        Ok(())
    }

    /// Begins a list, which has this many elements; each takes at least a byte.
    pub(super) fn list(&mut self) -> Result<(usize, Kind), Malformed> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| Malformed)?,
            count => usize::from(count),
        };
        if count > self.bytes.len() - self.at {
            return Err(Malformed);
        }
        // Some writers give an empty list no type.
        let kind = if header == 0 { Kind::Byte } else { kind(header & 0x0f)? };
        Ok((count, kind))
    }

    /// Reads a list of structures, each by `take`.
    pub(super) fn structs(
        &mut self,
        mut take: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let (count, kind) = self.list()?;
        if count > 0 && kind != Kind::Struct {
            return Err(Malformed);
        }
        (0..count).try_for_each(|_| take(self))
    }

    /// A number of up to 64 bits.
    pub(super) fn integer(&mut self) -> Result<i64, Malformed> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    pub(super) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
        self.bytes_of(length)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        self.bytes_of(1).map(|bytes| bytes[0])
    }

    /// An unsigned number.
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    pub(super) fn bytes_of(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let found = self.bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(found)
    }

    fn field(&mut self, id: &mut i64) -> Result<Option<Kind>, Malformed> {
        let header = self.byte()?;
        if header == 0 {
            return Ok(None);
        }
        *id = match header >> 4 {
            0 => self.integer()?,
            delta => id.checked_add(i64::from(delta)).ok_or(Malformed)?,
        };
        kind(header & 0x0f).map(Some)
    }

    fn skip(&mut self, kind: Kind, depth: usize) -> Result<(), Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        match kind {
            Kind::Bool(_) => {}
            Kind::Byte => _ = self.byte()?,
            Kind::Integer => _ = self.varint()?,
            Kind::Double => _ = self.bytes_of(8)?,
            Kind::Uuid => _ = self.bytes_of(16)?,
            Kind::Binary => _ = self.binary()?,
            Kind::Struct => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, depth)?;
                }
            }
            Kind::List => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))?;
            }
            Kind::Map => {
                let count = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                if count > self.bytes.len() - self.at {
                    return Err(Malformed);
                }
                if count > 0 {
                    let kinds = self.byte()?;
                    let (key, value) = (self::kind(kinds >> 4)?, self::kind(kinds & 0x0f)?);
                    for _ in 0..count {
                        self.skip_element(key, depth)?;
                        self.skip_element(value, depth)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Outside of fields a truth value has a byte of its own.
    fn skip_element(&mut self, kind: Kind, depth: usize) -> Result<(), Malformed> {
        self.skip(if matches!(kind, Kind::Bool(_)) { Kind::Byte } else { kind }, depth)
    }
}

fn kind(code: u8) -> Result<Kind, Malformed> {
    Ok(match code {
        1 => Kind::Bool(true),
        2 => Kind::Bool(false),
        3 => Kind::Byte,
        4..=6 => Kind::Integer,
        7 => Kind::Double,
        8 => Kind::Binary,
        9 | 10 => Kind::List,
        11 => Kind::Map,
        12 => Kind::Struct,
        13 => Kind::Uuid,
        _ => return Err(Malformed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_read_or_skipped() {
        // 1: -2 (i32); 2: "ab"; 4: [true, false]; 20: struct { 1: double }; 21: true.
        let bytes =
            [0x15, 3, 0x18, 2, b'a', b'b', 0x29, 0x21, 1, 2, 0x0c, 40, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0];
        let mut seen = Vec::new();
        let mut reader = Compact::new(&bytes);
        let read = reader.fields(|reader, id, kind| {
            seen.push((id, kind));
            Ok(id == 1 && reader.integer()? == -2)
        });
        assert_eq!(read, Ok(()));
        assert_eq!(reader.position(), bytes.len());
        let kinds = [Kind::Integer, Kind::Binary, Kind::List, Kind::Struct, Kind::Bool(true)];
        assert_eq!(seen, [1, 2, 4, 20, 21].into_iter().zip(kinds).collect::<Vec<_>>());
    }

    #[test]
    fn what_claims_too_much_is_malformed() {
        let skip_all = |bytes: &[u8]| Compact::new(bytes).fields(|_, _, _| Ok(false));
        // A list of 2^32 bytes, text of 2^63, a number without an end, structures without an end.
        assert_eq!(skip_all(&[0x19, 0xf3, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(Malformed));
        assert_eq!(skip_all(&[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), Err(Malformed));
        assert_eq!(skip_all(&[&[0x16][..], &[0xff; 11]].concat()), Err(Malformed));
        assert_eq!(skip_all(&[0x1c; 100_000]), Err(Malformed));
        assert_eq!(skip_all(&[]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Compact::new(&bytes);
            let _ = reader.fields(|_, _, _| Ok(false));
            prop_assert!(reader.position() <= bytes.len());
        }
    }
}
