//! The files an [`Iso7816Card`](super::iso7816::Iso7816Card) is made with.

use super::files::{Access, FileRef, FileTree, TransparentEf};

/// AID of the first application, DF01.
///
/// Source: ISO/IEC 7816-4, application identifiers: a first nibble of F marks
/// a proprietary identifier that needs no registration.
pub const APPLICATION_AID: [u8; 6] = *b"\xF0vbus\x01";
/// AID of the second application, DF02. Shares all but the last byte with the
/// first, so that a partial name can match both.
pub const PATTERN_AID: [u8; 6] = *b"\xF0vbus\x02";

/// Card capabilities: DFs selected by name, partial name, path and id, and
/// EFs by SFI; data units of one byte; extended lengths, described in EF.ATR.
///
/// Source: ISO/IEC 7816-4, card capabilities in historical bytes.
pub(super) const CAPABILITIES: [u8; 3] = [0xF4, 0x21, 0x60];

/// Bytes in the pattern EF; more than one response can carry.
const PATTERN_LEN: u16 = 1024;

/// All files, as listed in the documentation of the card.
pub(super) fn file_tree(serial: u32) -> FileTree {
    use Access::{AfterVerify, Always, Never};
    let mut tree = FileTree::new();
    let mut add = |df, id, sfi, content, read, update| {
        tree.add_ef(df, id, TransparentEf { sfi, content, read, update });
    };
    add(FileRef::MF, 0x2F00, Some(30), directory(), Always, Never);
    add(FileRef::MF, 0x2F01, None, atr_info(), Always, Never);
    add(FileRef::MF, 0x2F02, Some(1), format!("vbus card {serial:08}").into_bytes(), Always, Never);

    let application = tree.add_df(FileRef::MF, 0xDF01, &APPLICATION_AID);
    let mut add = |id, sfi, content, read, update| {
        tree.add_ef(application, id, TransparentEf { sfi: Some(sfi), content, read, update });
    };
    add(0x0101, 1, b"vbus application".to_vec(), Always, Never);
    add(0x0102, 2, vec![0x00; 64], Always, Always);
    add(0x0103, 3, format!("vbus secret {serial:08}").into_bytes(), AfterVerify, AfterVerify);
    add(0x0104, 4, vec![0xFF; 32], Always, AfterVerify);

    let second = tree.add_df(FileRef::MF, 0xDF02, &PATTERN_AID);
    let pattern = TransparentEf { sfi: Some(1), content: pattern(), read: Always, update: Never };
    tree.add_ef(second, 0x0201, pattern);
    tree
}

/// EF.DIR: one application template (61) per application, with its AID (4F)
/// and label (50).
///
/// Source: ISO/IEC 7816-4, EF.DIR.
fn directory() -> Vec<u8> {
    let entry = |aid: &[u8], label: &[u8]| tlv(&[0x61], &[tlv(&[0x4F], aid), tlv(&[0x50], label)].concat());
    [entry(&APPLICATION_AID, b"vbus application"), entry(&PATTERN_AID, b"vbus pattern")].concat()
}

/// EF.ATR/INFO: the card capabilities (47) and the extended length
/// information (7F66): a command may have 1024 bytes and more, a response
/// never has more than 258.
///
/// Source: ISO/IEC 7816-4, EF.ATR/INFO and extended length information.
fn atr_info() -> Vec<u8> {
    let limits = [tlv(&[0x02], &1024u16.to_be_bytes()), tlv(&[0x02], &258u16.to_be_bytes())];
    [tlv(&[0x47], &CAPABILITIES), tlv(&[0x7F, 0x66], &limits.concat())].concat()
}

/// Every byte is the sum of the two bytes of its own offset, so a read that
/// starts at the wrong place shows.
fn pattern() -> Vec<u8> {
    (0..PATTERN_LEN).map(|offset| offset.to_be_bytes()).map(|[high, low]| high.wrapping_add(low)).collect()
}

/// A BER-TLV data object with a length field of one byte.
fn tlv(tag: &[u8], value: &[u8]) -> Vec<u8> {
    debug_assert!(value.len() < 128, "needs a longer length field");
    [tag, &[value.len() as u8], value].concat()
}
