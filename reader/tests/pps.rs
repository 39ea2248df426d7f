//! PPS: what is asked for, what is agreed on, and what goes wrong.

mod common;

use common::{BOTH_ATR, Echo, Session, bytes, hex};
use proptest::prelude::*;
use vbus_reader::transmission::pps::{self, Agreed, PpsError, Request};
use vbus_reader::transmission::t0::Mapping;
use vbus_reader::transmission::{ContactCard, LineTiming};

const T1_FAST: Request = Request { protocol: 1, fi_di: Some(0x13) };

#[test]
fn a_request_names_the_protocol_and_the_rate() {
    for (request, message) in [
        (T1_FAST, "FF 11 13 FD"),
        (Request { protocol: 0, fi_di: Some(0x96) }, "FF 10 96 79"),
        (Request { protocol: 1, fi_di: None }, "FF 01 FE"),
    ] {
        assert_eq!(hex(request.message().as_bytes()), message);
    }
}

#[test]
fn the_answer_accepts_the_rate_or_leaves_it_out() {
    assert_eq!(T1_FAST.agreed(&bytes("FF 11 13 FD")), Ok(Agreed { protocol: 1, fi_di: 0x13 }));
    assert_eq!(T1_FAST.agreed(&bytes("FF 01 FE")), Ok(Agreed { protocol: 1, fi_di: 0x11 }));
}

#[test]
fn every_other_answer_is_an_error_that_says_what_is_wrong() {
    for (answer, error) in [
        ("", PpsError::Silence),
        ("FF", PpsError::Short { len: 1 }),
        ("FF 01", PpsError::Short { len: 2 }),
        ("3B 01 3A", PpsError::Start { found: 0x3B }),
        ("FF 11 13", PpsError::Length { pps0: 0x11, announced: 4, found: 3 }),
        ("FF 11 13 FD 00", PpsError::Length { pps0: 0x11, announced: 4, found: 5 }),
        ("FF 11 13 FC", PpsError::Check { found: 0xFC, expected: 0xFD }),
        ("FF 10 13 FC", PpsError::Protocol { asked: 1, answered: 0 }),
        ("FF 11 12 FC", PpsError::Rate { answered: 0x12 }),
        ("FF 31 13 00 DD", PpsError::Unasked { pps0: 0x31 }),
    ] {
        assert_eq!(T1_FAST.agreed(&bytes(answer)), Err(error), "{answer}");
    }
    assert_eq!(
        Request { protocol: 1, fi_di: None }.agreed(&bytes("FF 11 11 FF")),
        Err(PpsError::Unasked { pps0: 0x11 })
    );
    assert_eq!(
        PpsError::Rate { answered: 0x12 }.to_string(),
        "PPS1 12 is not what was asked for: a card accepts PPS1 as it is or leaves it out"
    );
}

#[test]
fn a_card_takes_what_it_offered_and_declines_what_is_faster_or_reserved() {
    let answer = |request: &str| {
        let answered = pps::answer(&bytes(request), 0x13, |t| t <= 1);
        answered.map(|(message, agreed)| (hex(message.as_bytes()), agreed.fi_di))
    };
    assert_eq!(answer("FF 11 13 FD"), Ok(("FF 11 13 FD".to_owned(), 0x13)));
    assert_eq!(answer("FF 11 12 FC"), Ok(("FF 11 12 FC".to_owned(), 0x12)), "slower than offered");
    assert_eq!(answer("FF 11 18 F6"), Ok(("FF 01 FE".to_owned(), 0x11)), "faster than offered");
    assert_eq!(answer("FF 11 7F 91"), Ok(("FF 01 FE".to_owned(), 0x11)), "reserved");
    assert_eq!(answer("FF 0E F1"), Err(PpsError::Protocol { asked: 14, answered: 14 }));
    assert_eq!(answer("FF 11 13 FE"), Err(PpsError::Check { found: 0xFE, expected: 0xFD }));
}

#[test]
fn a_session_uses_what_was_agreed_on() {
    let start = || Session::new(ContactCard::new(Echo::new(BOTH_ATR)), LineTiming::Characters);
    let command = bytes("00 84 00 00 04");
    // T=1 is the second protocol of this ATR, so it takes a PPS.
    let mut fast = start();
    fast.pps(1, Some(0x13)).unwrap();
    assert_eq!(fast.t1(&command), Ok(Echo::answer(&command)));
    assert_eq!(fast.line.timing.rate.d, 4);
    let mut slow = start();
    slow.pps(1, None).unwrap();
    assert_eq!(slow.t1(&command), Ok(Echo::answer(&command)));
    assert!(fast.elapsed < slow.elapsed);
    // T=0 is its default and needs none.
    assert_eq!(start().t0(Mapping::Tpdu, &command), Ok(Echo::answer(&command)));
    approve!("reader_pps", fast.recording());
}

#[test]
fn a_card_is_silent_to_what_it_cannot_do() {
    let mut session = Session::new(ContactCard::new(Echo::new(BOTH_ATR)), LineTiming::PausesOnly);
    assert_eq!(session.pps(14, None), Err(PpsError::Silence));
}

proptest! {
    #[test]
    fn any_characters_are_an_answer_or_an_error(
        answer in proptest::collection::vec(any::<u8>(), 0..10), protocol in 0..16u8, fi_di in any::<Option<u8>>(),
    ) {
        if let Ok(agreed) = (Request { protocol, fi_di }).agreed(&answer) {
            prop_assert_eq!(agreed.protocol, protocol);
            prop_assert!(agreed.fi_di == 0x11 || Some(agreed.fi_di) == fi_di);
        }
        _ = pps::answer(&answer, 0x95, |_| true);
    }

    #[test]
    fn what_a_card_answers_is_an_answer(protocol in 0..15u8, fi_di in any::<Option<u8>>(), offered in any::<u8>()) {
        let request = Request { protocol, fi_di };
        let (message, agreed) = pps::answer(request.message().as_bytes(), offered, |_| true).unwrap();
        prop_assert_eq!(request.agreed(message.as_bytes()), Ok(agreed));
    }
}
