//! What the two sides say to each other arrives as it was said, in whatever pieces, and nonsense is an error.

use proptest::prelude::*;
use vbus_ifd::message::{Answer, Ask, Inbox, MESSAGE_MAX, MessageError, ResponseCode};

fn asks<'a>(word: u32, other: u32, bytes: &'a [u8]) -> [Ask<'a>; 13] {
    [
        Ask::Open { version: word, reader: other },
        Ask::Presence,
        Ask::PowerUp,
        Ask::PowerDown,
        Ask::Reset,
        Ask::Protocol(word),
        Ask::Transmit { t: word, command: bytes },
        Ask::Control { code: word, data: bytes },
        Ask::GetAttribute(word),
        Ask::SetAttribute { tag: word, value: bytes },
        Ask::Share,
        Ask::Ring,
        Ask::Watch,
    ]
}

/// The messages in a stream that comes in pieces of this length.
fn received(stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut inbox = Inbox::default();
    let mut messages = Vec::new();
    for mut piece in stream.chunks(piece) {
        while !piece.is_empty() {
            inbox.fill(&mut piece).unwrap();
            while let Some(message) = inbox.take().unwrap() {
                messages.push(message.to_vec());
            }
        }
    }
    messages
}

proptest! {
    #[test]
    fn every_question_arrives_as_it_was_asked(
        word: u32, other: u32, bytes in prop::collection::vec(any::<u8>(), 0..2000), piece in 1..3000usize,
    ) {
        let asks = asks(word, other, &bytes);
        let mut stream = Vec::new();
        let mut one = Vec::new();
        for ask in &asks {
            ask.encode(&mut one).unwrap();
            stream.extend_from_slice(&one);
        }
        let messages = received(&stream, piece);
        let decoded: Vec<Ask<'_>> = messages.iter().map(|message| Ask::decode(message).unwrap()).collect();
        prop_assert_eq!(&decoded[..], &asks[..]);
    }

    #[test]
    fn every_answer_arrives_as_it_was_given(
        code: u16, data in prop::collection::vec(any::<u8>(), 0..2000), piece in 1..3000usize,
    ) {
        let answer = Answer { code: ResponseCode(code), data: &data };
        let mut stream = Vec::new();
        answer.encode(&mut stream).unwrap();
        let messages = received(&stream, piece);
        prop_assert_eq!(messages.len(), 1);
        prop_assert_eq!(Answer::decode(&messages[0]).unwrap(), answer);
    }

    #[test]
    fn nonsense_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        // Either it means something and is that, byte by byte, or it is an error.
        if let Ok(ask) = Ask::decode(&bytes) {
            let mut again = Vec::new();
            ask.encode(&mut again).unwrap();
            prop_assert_eq!(&again[4..], &bytes[..]);
        }
        let mut inbox = Inbox::default();
        let mut source = &bytes[..];
        while !source.is_empty() {
            inbox.fill(&mut source).unwrap();
            while let Ok(Some(_)) = inbox.take() {}
        }
    }
}

#[test]
fn a_length_beyond_any_message_is_an_error_before_anything_is_waited_for() {
    let mut inbox = Inbox::default();
    let length = MESSAGE_MAX + 1;
    inbox.fill(&mut &(length as u32).to_le_bytes()[..]).unwrap();
    assert_eq!(inbox.take(), Err(MessageError::TooLong { length }));
    let long = vec![0; MESSAGE_MAX];
    let asked = Ask::Transmit { t: 1, command: &long }.encode(&mut Vec::new());
    assert_eq!(asked, Err(MessageError::TooLong { length: MESSAGE_MAX + 5 }));
}
