//! The bits of 64 rows as columns, by the instructions for 8 by 8 bits that processors with AVX-512 have.

use super::columns::{ColumnsOfBlock, wanted_of};

fearless_simd::kernel!(
    /// Fills in the columns of each byte of the rows that has a wanted bit. Row r of a block is bit `8 a + b` of each of
    /// its columns, for some a and b of r alone.
    pub(super) fn transpose_with_avx512(
        avx512: Avx512,
        rows: &[[u64; 64]],
        columns: &mut [ColumnsOfBlock],
        wanted: u64,
    ) {
        use core::arch::x86_64::*;
        use fearless_simd::prelude::*;
        use fearless_simd::{u8x64, u64x8};

        // Byte j of each 8 picks bit j: the product with a matrix is the matrix on its side.
        let unit = _mm512_set1_epi64(0x8040_2010_0804_0201_u64.cast_signed());
        let across: [u8; 64] = std::array::from_fn(|place| (place % 8 * 8 + place / 8) as u8);
        let across: __m512i = u8x64::from_slice(avx512, &across).into();
        for (rows, columns) in rows.iter().zip(columns) {
            let rows = rows.as_chunks::<8>().0;
            let pair = |i: usize| {
                let (a, b): (__m512i, __m512i) = (
                    u64x8::from_slice(avx512, &rows[2 * i]).into(),
                    u64x8::from_slice(avx512, &rows[2 * i + 1]).into(),
                );
                (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b))
            };
            let pairs = [pair(0), pair(1), pair(2), pair(3)];
            for half in 0..2 {
                if (wanted >> (32 * half)) as u32 == 0 {
                    continue;
                }
                // By two rows of each 128 bits, four bytes of them.
                let four = pairs.map(|(a, b)| match half {
                    0 => _mm512_unpacklo_epi16(a, b),
                    _ => _mm512_unpackhi_epi16(a, b),
                });
                let (low, high) = (
                    [_mm512_unpacklo_epi32(four[0], four[1]), _mm512_unpacklo_epi32(four[2], four[3])],
                    [_mm512_unpackhi_epi32(four[0], four[1]), _mm512_unpackhi_epi32(four[2], four[3])],
                );
                let bytes = [
                    _mm512_unpacklo_epi64(low[0], low[1]),
                    _mm512_unpackhi_epi64(low[0], low[1]),
                    _mm512_unpacklo_epi64(high[0], high[1]),
                    _mm512_unpackhi_epi64(high[0], high[1]),
                ];
                let groups = columns.as_chunks_mut::<8>().0[4 * half..].iter_mut();
                for (group, (of_rows, columns)) in (4 * half..).zip(bytes.into_iter().zip(groups)) {
                    if wanted_of(group, wanted) != 0 {
                        let bits = _mm512_gf2p8affine_epi64_epi8::<0>(unit, of_rows);
                        let of_columns: u64x8<_> = _mm512_permutexvar_epi8(across, bits).simd_into(avx512);
                        of_columns.store_slice(columns);
                    }
                }
            }
        }
    }
);
