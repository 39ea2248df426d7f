//! BER-TLV data objects, as far as commands carry them.
//!
//! Source: ISO/IEC 7816-4, BER-TLV data objects.

/// A data object taken apart, and what follows it.
pub(super) struct Tlv<'a> {
    pub(super) tag: u32,
    pub(super) value: &'a [u8],
    pub(super) rest: &'a [u8],
}

/// The first data object of `bytes`. `None` where there is no whole one. Tags have at most three bytes, lengths as well.
pub(super) fn first(bytes: &[u8]) -> Option<Tlv<'_>> {
    let (tag, rest) = take_tag(bytes)?;
    let (length, rest) = take_length(rest)?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some(Tlv { tag, value, rest })
}

/// A tag and what follows it.
pub(super) fn take_tag(bytes: &[u8]) -> Option<(u32, &[u8])> {
    match *bytes {
        [first, second, third, ref rest @ ..] if first & 0x1F == 0x1F && second & 0x80 != 0 => {
            (third & 0x80 == 0).then_some((u32::from_be_bytes([0, first, second, third]), rest))
        }
        [first, second, ref rest @ ..] if first & 0x1F == 0x1F => {
            (second & 0x80 == 0).then_some((u32::from_be_bytes([0, 0, first, second]), rest))
        }
        [first, ref rest @ ..] if first & 0x1F != 0x1F => Some((first.into(), rest)),
        _ => None,
    }
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [length @ 0..=0x7F, ref rest @ ..] => Some((length.into(), rest)),
        [0x81, length, ref rest @ ..] => Some((length.into(), rest)),
        [0x82, high, low, ref rest @ ..] => Some((u16::from_be_bytes([high, low]).into(), rest)),
        _ => None,
    }
}

/// How many bytes tag and length of a data object with such a value have.
pub(super) fn header_length(tag: u32, length: usize) -> usize {
    let tag_bytes = 4 - (tag.leading_zeros() / 8).min(3) as usize;
    tag_bytes
        + if length < 0x80 {
            1
        } else if length < 0x100 {
            2
        } else {
            3
        }
}

/// Appends tag and length.
pub(super) fn write_header(tag: u32, length: usize, out: &mut Vec<u8>) {
    let bytes = tag.to_be_bytes();
    out.extend_from_slice(&bytes[(tag.leading_zeros() / 8).min(3) as usize..]);
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
}
