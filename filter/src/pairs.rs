//! Header maps as the proxy-wasm ABI serializes them: a count, the sizes of each name and value
//! (all 32 bits, little-endian), then names and values, each followed by a NUL.

use alloc::vec::Vec;

/// A header map as the host gave it, read in place.
#[derive(Clone, Debug, Default)]
pub struct Pairs(Vec<u8>);

impl Pairs {
    /// Takes the host's bytes. Whatever is wrong with them reads as the end of the map.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (count, rest) = split_u32(&self.0).unwrap_or((0, &[]));
        let sizes = rest.get(..count.saturating_mul(8)).unwrap_or_default();
        let mut texts = rest.get(sizes.len()..).unwrap_or_default();
        sizes.chunks_exact(8).map_while(move |sizes| {
            let (name_size, rest) = split_u32(sizes)?;
            let (value_size, _) = split_u32(rest)?;
            let (name, rest) = texts.split_at_checked(name_size)?;
            let (value, rest) = rest.get(1..)?.split_at_checked(value_size)?;
            texts = rest.get(1..)?;
            Some((name, value))
        })
    }

    /// The first value of a header.
    #[inline(never)]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

fn split_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*word) as usize, rest))
}

/// The form that the host reads.
pub fn serialize(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let size: usize = pairs.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    let mut bytes = Vec::with_capacity(4 + size);
    push_size(&mut bytes, pairs.len());
    for (name, value) in pairs {
        push_size(&mut bytes, name.len());
        push_size(&mut bytes, value.len());
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(text);
        bytes.push(0);
    }
    bytes
}

fn push_size(bytes: &mut Vec<u8>, size: usize) {
    bytes.extend_from_slice(&(size as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_serialized_is_read() {
        let written: &[(&[u8], &[u8])] = &[(b":path", b"/"), (b"a", b""), (b"a", b"\xff\0x")];
        let pairs = Pairs::new(serialize(written));
        assert_eq!(pairs.iter().collect::<Vec<_>>(), written);
        assert_eq!(pairs.get(b"a"), Some(&b""[..]));
        assert_eq!(pairs.get(b"b"), None);
    }

    #[test]
    fn broken_bytes_end_the_map() {
        let whole = serialize(&[(b"a", b"b"), (b"c", b"d")]);
        for end in 0..whole.len() {
            assert!(Pairs::new(whole[..end].to_vec()).iter().count() < 2, "{end}");
        }
        assert_eq!(Pairs::new(vec![0xff; 64]).iter().count(), 0);
    }
}
