//! Answers to reset: those of real cards, broken ones, and the times that follow from them.

mod common;

use common::bytes;
use proptest::prelude::*;
use vbus_reader::atr::{
    ATR_LEN_MAX, Atr, AtrError, AtrParts, BuildError, ClockStop, Convention, Mode, ParameterError, Parameters, Rate,
    SpecificMode, Timing,
};
use vbus_reader::transmission::Edc;
use vbus_wdm::Ticks;

/// ATRs of real cards, as the pcsc-tools' list and other public collections have them.
const REAL: [(&str, &str); 18] = [
    ("3B 00", "the shortest"),
    ("3B 95 13 81 01 80 73 FF 01 00 0B", "vsmartcard, iso7816"),
    ("3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 'YubiKey' 40", "YubiKey 5 NFC"),
    ("3B FC 13 00 00 81 31 FE 15 'YubikeyNEOr3' E1", "YubiKey NEO"),
    ("3B DA 18 FF 81 B1 FE 75 1F 03 00 31 C5 73 C0 01 40 00 90 00 0C", "OpenPGP card v2"),
    ("3B FE 18 00 00 81 31 FE 45 80 31 81 54 'HSM1' 73 80 21 40 81 07 FA", "SmartCard-HSM"),
    ("3B DD 18 00 81 91 FE 1F C3 00 66 46 53 08 03 00 36 71 DF 00 00 80 97", "Feitian ePass"),
    ("3B 9C 95 81 31 FE 9F 90 67 46 4A 01 02 53 05 01 72 FE 00 FB", "Feitian BioPass"),
    ("3B F8 18 00 FF 81 31 FE 45 'JCOPv241' 43", "JCOP v2.4.1"),
    ("3B A7 00 40 18 80 65 A2 08 01 01 52", "Gemplus GemXpresso"),
    ("3B 7D 95 00 00 80 31 80 65 B0 83 02 04 7E 83 00 90 00", "Gemalto TOP"),
    ("3B FF 94 00 00 81 31 80 43 80 31 80 65 B0 85 02 01 F3 12 0F FF 82 90 00 79", "Serbian identity card"),
    ("3B F9 96 00 00 80 31 FE 45 'SCE7 GCN3' 5E", "G+D Sm@rtCafe Expert 7"),
    ("3B 8F 80 01 80 4F 0C A0 00 00 03 06 03 00 01 00 00 00 00 6A", "MIFARE Classic 1K"),
    ("3B 98 13 40 0A A5 03 01 01 01 AD 13 11", "Belgian eID"),
    ("3B 7F 96 00 00 80 31 80 65 B0 85 04 01 20 12 0F FF 82 90 00", "Belgian eID v1.8"),
    ("3B 9F 96 80 1F C7 80 31 A0 73 BE 21 13 67 43 20 07 18 00 00 01 A5", "sysmoUSIM-SJS1"),
    ("3F 65 25 00 22 09 69 90 00", "Sesam Vitale"),
];

fn real(name: &str) -> Atr {
    let (text, _) = REAL.into_iter().find(|(_, of)| *of == name).unwrap();
    Atr::parse(&bytes(text)).unwrap()
}

#[test]
fn atrs_of_real_cards_read_as_approved() {
    let described = REAL.map(|(text, of)| {
        let atr = Atr::parse(&bytes(text)).unwrap_or_else(|error| panic!("{of}: {error}"));
        assert_eq!(atr.as_bytes(), bytes(text));
        format!("{of}: {atr}\n{}", atr.describe())
    });
    approve!("reader_atrs", described.join("\n"));
}

#[test]
fn the_parameters_of_real_cards_are_those_of_their_descriptions() {
    let offered = |name| {
        let atr = real(name);
        (atr.protocols().collect::<Vec<_>>(), atr.default_protocol())
    };
    assert_eq!(offered("the shortest"), (vec![0], 0));
    assert_eq!(offered("vsmartcard, iso7816"), (vec![1], 1));
    assert_eq!(offered("MIFARE Classic 1K"), (vec![0, 1], 0));
    assert_eq!(offered("G+D Sm@rtCafe Expert 7"), (vec![0, 1], 0));
    assert_eq!(offered("sysmoUSIM-SJS1"), (vec![0], 0), "T=15 is no protocol");

    let parameters = |name| real(name).parameters().unwrap();
    assert_eq!(parameters("the shortest"), Parameters::default());
    let pgp = parameters("OpenPGP card v2");
    assert_eq!((pgp.extra_guard, pgp.ifsc, pgp.bwi, pgp.cwi, pgp.edc), (255, 254, 7, 5, Edc::Lrc));
    assert_eq!((pgp.clock_stop, pgp.classes), (ClockStop::NotSupported, 3));
    let feitian = parameters("Feitian ePass");
    assert_eq!((feitian.ifsc, feitian.clock_stop, feitian.classes), (254, ClockStop::Any, 3));
    let biopass = parameters("Feitian BioPass");
    assert_eq!((biopass.bwi, biopass.cwi), (9, 15));
    let serbian = parameters("Serbian identity card");
    assert_eq!((serbian.fi_di, serbian.ifsc, serbian.bwi, serbian.cwi), (0x94, 128, 4, 3));
    assert_eq!(parameters("Gemplus GemXpresso").wi, 0x18);
    assert_eq!(parameters("sysmoUSIM-SJS1").classes, 7);
    assert_eq!(parameters("Sesam Vitale").convention, Convention::Inverse);
    let rate = parameters("Belgian eID v1.8").offered_rate(4000);
    assert_eq!((rate.f, rate.d), (512, 32));
    assert_eq!(parameters("SmartCard-HSM").offered_rate(4000).d, 12);
    assert_eq!(real("YubiKey 5 NFC").historical_bytes(), bytes("80 73 C0 21 C0 57 'YubiKey'"));
}

#[test]
fn a_card_in_specific_mode_says_what_is_in_force() {
    let atr = Atr::parse(&bytes("3B 90 18 91 81 01 99")).unwrap();
    assert_eq!((atr.is_negotiable(), atr.default_protocol()), (false, 1));
    let parameters = atr.parameters().unwrap();
    let specific = SpecificMode { protocol: 1, implicit: false, can_change: false };
    assert_eq!(parameters.mode, Mode::Specific(specific));
    assert_eq!(parameters.initial_rate(4000).d, 12);
    // Implicit: the rate is not TA1's.
    let implicit = Atr::parse(&bytes("3B 90 18 91 11 01 09")).unwrap().parameters().unwrap();
    assert_eq!(implicit.mode, Mode::Specific(SpecificMode { protocol: 1, implicit: true, can_change: true }));
    assert_eq!(implicit.initial_rate(4000), Rate::at_reset(4000));
}

/// Microseconds, to one decimal.
fn us(ticks: Ticks) -> f64 {
    ticks.0 as f64 / 10.0
}

#[test]
fn the_times_at_4_mhz_with_the_defaults_are_the_standards_examples() {
    let timing = Timing::new(&Parameters::default(), 1, Rate::at_reset(4000));
    assert_eq!(us(timing.rate.etu(1)), 93.0);
    assert_eq!(us(timing.guard), 1116.0);
    assert_eq!(us(timing.work_waiting), 892_800.0);
    assert_eq!(us(timing.character_waiting), (11.0 + 8192.0) * 93.0);
    assert_eq!(us(timing.block_waiting), 1023.0 + 16.0 * 960.0 * 93.0);
    assert_eq!(us(timing.block_guard), 2046.0);
    assert_eq!(timing.rate.bits_per_second(), 10752);
}

#[test]
fn a_faster_rate_shortens_the_etu_and_lengthens_no_waiting_time() {
    let parameters = Parameters { fi_di: 0x18, ..Parameters::default() };
    let (slow, fast) = [parameters.initial_rate(4000), parameters.offered_rate(4000)]
        .map(|rate| Timing::new(&parameters, 1, rate))
        .into();
    assert_eq!(us(fast.rate.etu(4)), 31.0, "an etu of 7.75 us");
    assert!(fast.block_waiting < slow.block_waiting, "by the 11 etu");
    assert_eq!(fast.work_waiting, slow.work_waiting, "WT is counted in clock cycles");
    assert!(fast.character_waiting.0 * 11 < slow.character_waiting.0);
}

#[test]
fn extra_guard_time_is_added_and_255_is_the_least() {
    let guard = |extra_guard, t| {
        let parameters = Parameters { extra_guard, ..Parameters::default() };
        us(Timing::new(&parameters, t, Rate::at_reset(4000)).guard)
    };
    assert_eq!([guard(0, 0), guard(8, 0), guard(254, 1)], [12.0 * 93.0, 20.0 * 93.0, 266.0 * 93.0]);
    assert_eq!([guard(255, 0), guard(255, 1)], [12.0 * 93.0, 11.0 * 93.0]);
}

#[test]
fn malformed_bytes_are_named_by_offset_and_value() {
    let endless = format!("3B {}", "80 ".repeat(20));
    let too_many = "3B ".repeat(34);
    let rows: [(&str, AtrError); 14] = [
        ("", AtrError::Truncated { len: 0, needed: 1 }),
        ("3B", AtrError::Truncated { len: 1, needed: 2 }),
        ("00 00", AtrError::BadTs { found: 0 }),
        ("03 00", AtrError::BadTs { found: 3 }),
        ("3B 70 01 02", AtrError::Truncated { len: 4, needed: 5 }),
        ("3B 05 01 02", AtrError::Truncated { len: 4, needed: 7 }),
        ("3B 80", AtrError::Truncated { len: 2, needed: 3 }),
        ("3B 80 01", AtrError::Truncated { len: 3, needed: 4 }),
        (&endless, AtrError::Truncated { len: 21, needed: 22 }),
        (&too_many, AtrError::TooLong { len: 34 }),
        ("3B 80 0F 8F", AtrError::GlobalFirst { offset: 2, found: 0x0F }),
        ("3B 80 81 00 01", AtrError::Order { offset: 3, found: 0, before: 1 }),
        ("3B 80 01 80", AtrError::BadTck { offset: 3, found: 0x80, expected: 0x81 }),
        ("3B 01 AA 55", AtrError::Trailing { offset: 3, found: 0x55 }),
    ];
    for (text, error) in rows {
        assert_eq!(Atr::parse(&bytes(text)), Err(error), "{text}");
    }
    approve!("reader_atr_errors", rows.map(|(_, error)| error.to_string()).join("\n"));
}

#[test]
fn reserved_values_are_named_with_what_is_allowed() {
    let parameters = |text: &str| Atr::parse(&bytes(text)).unwrap().parameters().map(drop).unwrap_err();
    let rows: [(&str, ParameterError); 7] = [
        ("3B 10 71", ParameterError::ReservedFi { ta1: 0x71 }),
        ("3B 10 10", ParameterError::ReservedDi { ta1: 0x10 }),
        ("3B 10 1A", ParameterError::ReservedDi { ta1: 0x1A }),
        ("3B 80 40 00", ParameterError::ZeroWi),
        ("3B 80 81 11 00 10", ParameterError::Ifsc { group: 3, found: 0 }),
        ("3B 80 81 11 FF EF", ParameterError::Ifsc { group: 3, found: 0xFF }),
        ("3B 80 81 21 A0 80", ParameterError::Bwi { group: 3, found: 0xA0 }),
    ];
    for (text, error) in rows {
        assert_eq!(parameters(text), error, "{text}");
    }
    approve!("reader_atr_parameter_errors", rows.map(|(_, error)| error.to_string()).join("\n"));
    // T=14 alone is well formed, and no protocol that anybody here speaks.
    let unknown = Atr::parse(&bytes("3B 80 0E 8E")).unwrap();
    assert_eq!(unknown.protocols().collect::<Vec<_>>(), [14]);
}

#[test]
fn a_built_atr_has_its_parts_and_bad_parts_are_refused() {
    for (parts, text) in [
        (AtrParts::default(), "3B 02 68 69"),
        (AtrParts { ta1: Some(0x96), protocols: &[0], ..AtrParts::default() }, "3B 12 96 68 69"),
        (AtrParts { protocols: &[1], ..AtrParts::default() }, "3B 82 01 68 69 82"),
        (AtrParts { ta1: Some(0x13), protocols: &[0, 1], ..AtrParts::default() }, "3B 92 13 80 01 68 69 01"),
        (
            AtrParts { protocols: &[1], ifsc: Some(254), bwi_cwi: Some(0x45), ..AtrParts::default() },
            "3B 82 81 31 FE 45 68 69 88",
        ),
        (AtrParts { protocols: &[0], clock_and_classes: Some(0xC7), ..AtrParts::default() }, "3B 82 80 1F C7 68 69 DB"),
        (AtrParts { wi: Some(20), ..AtrParts::default() }, "3B 82 40 14 68 69"),
        (AtrParts { convention: Convention::Inverse, ..AtrParts::default() }, "3F 02 68 69"),
    ] {
        let atr = AtrParts { historical: b"hi", ..parts }.build().unwrap();
        assert_eq!(atr.to_string(), common::hex(&bytes(text)));
    }
    let refused = |parts: AtrParts| parts.build().unwrap_err();
    assert_eq!(refused(AtrParts { historical: &[0; 16], ..AtrParts::default() }), BuildError::Historical { len: 16 });
    assert_eq!(
        refused(AtrParts { protocols: &[15], ..AtrParts::default() }),
        BuildError::Protocol { index: 0, found: 15 }
    );
    assert_eq!(
        refused(AtrParts { protocols: &[1, 1], ..AtrParts::default() }),
        BuildError::Protocol { index: 1, found: 1 }
    );
    assert_eq!(refused(AtrParts { ifsc: Some(254), ..AtrParts::default() }), BuildError::NotT1);
    assert_eq!(
        refused(AtrParts { protocols: &[1], ifsc: Some(0), ..AtrParts::default() }),
        BuildError::Parameter(ParameterError::Ifsc { group: 3, found: 0 })
    );
    // With 33 bytes all fifteen protocols just fit; TA1 is one byte too many.
    let all: Vec<u8> = (0..15).collect();
    let parts = AtrParts { protocols: &all, historical: &[0; 15], ..AtrParts::default() };
    assert_eq!(parts.build().map(|atr| atr.as_bytes().len()), Ok(ATR_LEN_MAX));
    assert_eq!(refused(AtrParts { ta1: Some(0x11), ..parts }), BuildError::Malformed(AtrError::TooLong { len: 34 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_an_atr_or_an_error(mut atr in proptest::collection::vec(any::<u8>(), 0..40), tame in any::<bool>()) {
        if let (true, Some(ts)) = (tame, atr.first_mut()) {
            *ts = 0x3B;
        }
        if let Ok(parsed) = Atr::parse(&atr) {
            prop_assert_eq!(parsed.as_bytes(), &atr[..]);
            prop_assert_eq!(parsed.historical_bytes().len(), usize::from(atr[1] & 0x0F));
            prop_assert!(parsed.protocols().next().is_some());
            prop_assert!(!parsed.describe().to_string().is_empty());
            if let Ok(parameters) = parsed.parameters() {
                let timing = Timing::new(&parameters, parsed.default_protocol(), parameters.offered_rate(4000));
                prop_assert!(timing.guard > Ticks(0) && timing.block_waiting > timing.block_guard);
            }
        }
    }

    #[test]
    fn what_is_built_says_what_it_was_built_of(
        ta1 in proptest::option::of(prop_oneof![Just(0x11u8), Just(0x13), Just(0x96), Just(0x18)]),
        extra_guard in any::<Option<u8>>(),
        wi in proptest::option::of(1..=255u8),
        protocols in proptest::sample::subsequence(vec![0u8, 1, 2, 14], 0..4),
        t1 in any::<bool>(),
        (ifsc, bwi, cwi, crc) in (1..=254u8, 0..=9u8, 0..=15u8, any::<bool>()),
        global in any::<Option<u8>>(),
        historical in proptest::collection::vec(any::<u8>(), 0..=15),
    ) {
        let has_t1 = t1 && protocols.contains(&1);
        let parts = AtrParts {
            ta1,
            extra_guard,
            wi,
            protocols: &protocols,
            ifsc: has_t1.then_some(ifsc),
            bwi_cwi: has_t1.then_some(bwi << 4 | cwi),
            edc: if has_t1 && crc { Edc::Crc } else { Edc::Lrc },
            clock_and_classes: global,
            historical: &historical,
            ..AtrParts::default()
        };
        let atr = parts.build().unwrap();
        let parameters = atr.parameters().unwrap();
        prop_assert_eq!(atr.historical_bytes(), &historical[..]);
        prop_assert_eq!(parameters.fi_di, ta1.unwrap_or(0x11));
        prop_assert_eq!(parameters.extra_guard, extra_guard.unwrap_or(0));
        prop_assert_eq!(parameters.wi, wi.unwrap_or(10));
        let offered = if protocols.is_empty() { vec![0] } else { protocols.clone() };
        prop_assert_eq!(atr.protocols().collect::<Vec<_>>(), offered);
        if has_t1 {
            prop_assert_eq!((parameters.ifsc, parameters.bwi, parameters.cwi), (ifsc, bwi, cwi));
            prop_assert_eq!(parameters.edc, parts.edc);
        }
        if let Some(global) = global {
            prop_assert_eq!(parameters.classes, global & 0x3F);
        }
    }
}
