//! The ATR format, against ATRs of real cards and against broken ones.

use crate::atr::{ATR_LEN_MAX, Atr, AtrError, AtrParts, BuildError};

#[test]
fn atrs_of_real_cards_parse() {
    // ATR, historical bytes, protocols, default protocol, TA1
    type Row = (&'static [u8], usize, &'static [u8], u8, Option<u8>);
    let rows: [Row; 7] = [
        (b"\x3B\x00", 0, &[0], 0, None),
        (b"\x3B\x95\x13\x81\x01\x80\x73\xFF\x01\x00\x0B", 5, &[1], 1, Some(0x13)),
        (b"\x3B\xFD\x13\0\0\x81\x31\xFE\x15\x80\x73\xC0\x21\xC0\x57YubiKey\x40", 13, &[1], 1, Some(0x13)),
        (b"\x3B\x8F\x80\x01\x80\x4F\x0C\xA0\0\0\x03\x06\x03\0\x01\0\0\0\0\x6A", 15, &[0, 1], 0, None),
        (b"\x3B\x98\x13\x40\x0A\xA5\x03\x01\x01\x01\xAD\x13\x11", 8, &[0], 0, Some(0x13)),
        (
            b"\x3B\x9F\x96\x80\x1F\xC7\x80\x31\xA0\x73\xBE\x21\x13\x67\x43\x20\x07\x18\0\0\x01\xA5",
            15,
            &[0],
            0,
            Some(0x96),
        ),
        (b"\x3F\x65\x25\x00\x22\x09\x69\x90\x00", 5, &[0], 0, None),
    ];
    for (bytes, historical, protocols, default, ta1) in rows {
        let atr = Atr::parse(bytes).expect("a real ATR");
        assert_eq!(atr.as_bytes(), bytes);
        assert_eq!(atr.historical_bytes().len(), historical, "{atr}");
        assert_eq!(atr.protocols().collect::<Vec<_>>(), protocols, "{atr}");
        assert_eq!((atr.default_protocol(), atr.ta1()), (default, ta1), "{atr}");
    }
}

#[test]
fn malformed_bytes_are_named_by_offset_and_value() {
    let endless: Vec<u8> = [0x3B].into_iter().chain([0x80; 20]).collect();
    let rows: [(&[u8], AtrError); 10] = [
        (&[], AtrError::Truncated { len: 0, needed: 1 }),
        (&[0x3B], AtrError::Truncated { len: 1, needed: 2 }),
        (&[0, 0], AtrError::BadTs { found: 0 }),
        (&[0x3B, 0x70, 1, 2], AtrError::Truncated { len: 4, needed: 5 }),
        (&[0x3B, 0x05, 1, 2], AtrError::Truncated { len: 4, needed: 7 }),
        (&endless, AtrError::Truncated { len: 21, needed: 22 }),
        (&[0x3B; 34], AtrError::TooLong { len: 34 }),
        (&[0x3B, 0x80, 0x0F, 0x8F], AtrError::GlobalFirst { offset: 2, found: 0x0F }),
        (&[0x3B, 0x80, 0x01, 0x80], AtrError::BadTck { offset: 3, found: 0x80, expected: 0x81 }),
        (&[0x3B, 0x01, 0xAA, 0x55], AtrError::Trailing { offset: 3, found: 0x55 }),
    ];
    for (bytes, error) in rows {
        assert_eq!(Atr::parse(bytes), Err(error), "{bytes:02X?}");
    }
}

#[test]
fn ta2_means_specific_mode_with_its_own_protocol() {
    let atr = Atr::parse(&[0x3B, 0x80, 0x90, 0x01, 0x01, 0x10]).expect("valid");
    assert_eq!((atr.is_negotiable(), atr.default_protocol()), (false, 1));
    assert!(Atr::parse(&[0x3B, 0x00]).expect("valid").is_negotiable());
}

#[test]
fn a_built_atr_has_its_parts_and_bad_parts_are_refused() {
    for (ta1, protocols, bytes) in [
        (None, &[][..], "3B 02 68 69"),
        (Some(0x96), &[0][..], "3B 12 96 68 69"),
        (None, &[1][..], "3B 82 01 68 69 82"),
        (Some(0x13), &[0, 1][..], "3B 92 13 80 01 68 69 01"),
    ] {
        let parts = AtrParts { ta1, protocols, historical: b"hi" };
        assert_eq!(parts.build().expect("good parts").to_string(), bytes);
    }
    let refused = |protocols, historical| AtrParts { ta1: None, protocols, historical }.build().err();
    assert_eq!(refused(&[], &[0; 16]), Some(BuildError::Historical { len: 16 }));
    assert_eq!(refused(&[15], &[]), Some(BuildError::Protocol { index: 0, found: 15 }));
    assert_eq!(refused(&[1, 1], &[]), Some(BuildError::Protocol { index: 1, found: 1 }));
    // With 33 bytes all fifteen protocols just fit; TA1 is one byte too many.
    let all: Vec<u8> = (0..15).collect();
    let parts = AtrParts { ta1: None, protocols: &all, historical: &[0; 15] };
    assert_eq!(parts.build().map(|atr| atr.as_bytes().len()), Ok(ATR_LEN_MAX));
    let too_long = Err(BuildError::Malformed(AtrError::TooLong { len: 34 }));
    assert_eq!(AtrParts { ta1: Some(0x11), ..parts }.build(), too_long);
}
