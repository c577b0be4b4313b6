//! The id that joins what a person sees with what the log says.

use crate::random;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Longer ids of a proxy are replaced.
const MAX: usize = 64;

/// Identifies one request: 32 hexadecimal digits of our own, or what a trusted proxy sent. Held in
/// place, because every request has one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    bytes: [u8; MAX],
    length: u8,
}

impl RequestId {
    /// A fresh id.
    #[must_use]
    pub fn fresh() -> Self {
        Self::of(random::bytes())
    }

    fn of(id: [u8; 16]) -> Self {
        let mut bytes = [0; MAX];
        for (pair, byte) in bytes.chunks_exact_mut(2).zip(id) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        Self { bytes, length: 32 }
    }

    /// Takes over an id that a **trusted** proxy sent, if it is made of 1 to 64 letters, digits,
    /// `.`, `_` and `-`.
    #[must_use]
    pub fn from_trusted(text: &str) -> Option<Self> {
        let fits = !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        let mut bytes = [0; MAX];
        bytes
            .get_mut(..text.len())
            .filter(|_| fits)?
            .copy_from_slice(text.as_bytes());
        Some(Self {
            bytes,
            length: u8::try_from(text.len()).ok()?,
        })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = self
            .bytes
            .get(..usize::from(self.length))
            .unwrap_or_default();
        // ASCII by construction.
        std::str::from_utf8(text).unwrap_or_default()
    }
}

/// Makes an id for each of many requests. An id is no secret, so the operating system is not asked
/// for each: a random half says which series it is, and the other half is a count that an odd random
/// factor spreads over all numbers, so that no two are alike and none tells how many there were.
#[derive(Debug)]
pub struct RequestIds {
    series: [u8; 8],
    factor: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// A series of its own.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is another one each time")]
    pub fn new() -> Self {
        Self {
            series: random::bytes(),
            factor: u64::from_le_bytes(random::bytes()) | 1,
            count: AtomicU64::new(0),
        }
    }

    /// The next id.
    #[must_use]
    pub fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let spread = count.wrapping_mul(self.factor).to_be_bytes();
        let mut id = [0; 16];
        let (series, number) = id.split_at_mut(8);
        series.copy_from_slice(&self.series);
        number.copy_from_slice(&spread);
        RequestId::of(id)
    }
}

const fn digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + nibble - 10
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_id_cannot_carry_anything_but_an_id() {
        assert!(RequestId::from_trusted("0af7-65.x_Y").is_some());
        for bad in ["", "a b", "a\nb", "<b>", "é", &"a".repeat(65)] {
            assert_eq!(RequestId::from_trusted(bad), None, "{bad:?}");
        }
        assert_eq!(RequestId::fresh().as_str().len(), 32);
    }

    #[test]
    fn ids_of_a_series_are_all_different() {
        let (ids, others) = (RequestIds::new(), RequestIds::new());
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            for id in [ids.next(), others.next()] {
                assert_eq!(id.as_str().len(), 32);
                assert!(seen.insert(id.to_string()), "{id} came twice");
            }
        }
    }
}
