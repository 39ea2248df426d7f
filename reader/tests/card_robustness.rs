//! Arbitrary bytes: nothing panics, everything powered gets a status word, and the response buffer is never reallocated.

use proptest::prelude::*;
use vbus_reader::apdu::Command;
use vbus_reader::card::iso7816::Iso7816Card;
use vbus_reader::card::{Card, Reset, SHORT_RESPONSE_LEN_MAX};

/// A card and a response buffer whose address and capacity must not change.
struct Probe {
    card: Iso7816Card,
    response: Vec<u8>,
    seed: u64,
}

impl Probe {
    fn new(seed: u64) -> Probe {
        let mut card = Iso7816Card::new(7);
        card.reset(Reset::Cold, &mut Vec::new());
        Probe { card, response: Vec::with_capacity(SHORT_RESPONSE_LEN_MAX), seed }
    }

    fn transmit(&mut self, command: &[u8]) -> u8 {
        let before = (self.response.as_ptr(), self.response.capacity());
        self.card.transmit(command, &mut self.response);
        assert_eq!((self.response.as_ptr(), self.response.capacity()), before, "reallocated by {command:02X?}");
        let &[.., sw1, _] = &self.response[..] else { panic!("no status word for {command:02X?}") };
        assert!(sw1 == 0x90 || (0x61..=0x6F).contains(&sw1), "SW1 {sw1:02X} for {command:02X?}");
        sw1
    }

    /// The next pseudo-random number below `limit` (xorshift64).
    fn below(&mut self, limit: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 16) as usize % limit
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// An APDU that the card is likely to take seriously.
    fn plausible(&mut self) -> Vec<u8> {
        const IDS: [u16; 9] = [0x3F00, 0x2F00, 0x2F02, 0xDF01, 0xDF02, 0x0102, 0x0103, 0x0201, 0x4444];
        const INSTRUCTIONS: [u8; 24] = [
            0x0E, 0x20, 0x24, 0x26, 0x28, 0x2C, 0x70, 0x84, 0xA2, 0xA4, 0xB0, 0xB1, 0xB2, 0xC0, 0xCA, 0xCB, 0xD0, 0xD2,
            0xD6, 0xD7, 0xDA, 0xDB, 0xDC, 0xE2,
        ];
        let instruction = self.pick(&INSTRUCTIONS);
        let p1 = self.pick(&[0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x08, 0x09, 0x81, 0x82, 0x83, 0x84, 0x9E]);
        let p2 = self.pick(&[0x00, 0x00, 0x01, 0x02, 0x04, 0x0C, 0x3F, 0xFF]);
        let data = match self.below(5) {
            0 => Vec::new(),
            1 => b"1234".to_vec(),
            2 => b"\xF0vbus\x01"[..1 + self.below(6)].to_vec(),
            3 => (0..1 + self.below(3)).flat_map(|_| self.pick(&IDS).to_be_bytes()).collect(),
            _ => {
                let len = 1 + self.below(300);
                self.bytes(len)
            }
        };
        let extended = data.len() > 255 || self.below(4) == 0;
        let mut apdu = vec![0x00, instruction, p1, p2];
        match (extended, data.len()) {
            (true, 0) => apdu.push(0),
            (true, len) => apdu.extend([0, (len >> 8) as u8, len as u8]),
            (false, 0) => {}
            (false, len) => apdu.push(len as u8),
        }
        apdu.extend(&data);
        if self.below(2) == 0 || apdu.len() == 5 {
            let le = self.bytes(if extended { 2 } else { 1 });
            apdu.extend(le);
        }
        apdu
    }
}

#[test]
fn every_command_of_one_or_two_bytes_is_a_wrong_length() {
    let mut probe = Probe::new(1);
    for first in 0..=255 {
        assert_eq!(probe.transmit(&[first]), 0x67);
        for second in 0..=255 {
            assert_eq!(probe.transmit(&[first, second]), 0x67);
        }
    }
}

#[test]
fn every_header_and_every_first_body_byte_get_a_status_word() {
    let mut probe = Probe::new(1);
    for [high, low] in (0..=u16::MAX).map(u16::to_be_bytes) {
        probe.transmit(&[high, low, 0x00, 0x00]);
        probe.transmit(&[0x00, high, low, 0x00, 0x00]);
        probe.transmit(&[0x00, 0xA4, high, low, 0x02, 0xDF, 0x01]);
        probe.transmit(&[0x00, 0xB0, high, low, 0x00]);
        probe.transmit(&[0x00, 0xD6, high, low, 0x01, 0xAA]);
    }
}

#[test]
fn random_bytes_get_a_status_word() {
    let mut probe = Probe::new(0x5EED);
    for _ in 0..50_000 {
        let len = probe.below(40);
        let mut command = probe.bytes(len);
        probe.transmit(&command);
        // Most random classes are refused at once, so try again as class 00.
        if let Some(class) = command.first_mut() {
            *class = 0x00;
            probe.transmit(&command);
        }
    }
}

#[test]
fn random_plausible_commands_reach_all_kinds_of_answers() {
    let mut probe = Probe::new(0xCA4D);
    let mut seen = [false; 256];
    for round in 0..100_000 {
        let command = probe.plausible();
        seen[usize::from(probe.transmit(&command))] = true;
        if round % 1000 == 0 {
            // A new card from time to time, as the PIN is soon blocked.
            probe = Probe { response: probe.response, ..Probe::new(probe.seed) };
        }
    }
    let kinds: Vec<usize> = (0..256).filter(|&sw1| seen[sw1]).collect();
    assert_eq!(kinds, [0x61, 0x62, 0x63, 0x67, 0x69, 0x6A, 0x6B, 0x6C, 0x90]);
}

#[test]
fn the_longest_apdus_are_taken_and_longer_ones_refused() {
    let mut probe = Probe::new(1);
    let longest = [&[0x00, 0xD6, 0x81, 0x00, 0x00, 0xFF, 0xFF][..], &[0; 65_535], &[0, 0]].concat();
    assert_eq!(probe.transmit(&longest), 0x69);
    assert_eq!(probe.transmit(&[&longest[..], &[0]].concat()), 0x67);
}

proptest! {
    #[test]
    fn any_bytes_are_an_apdu_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(command) = Command::parse(&bytes) {
            prop_assert_eq!(&[command.class, command.instruction, command.p1, command.p2], &bytes[..4]);
            prop_assert!(command.data.len() < bytes.len());
            prop_assert!(command.expected.is_none_or(|ne| (1..=65_536).contains(&ne)));
        }
    }

    #[test]
    fn any_sequence_of_commands_is_answered(
        commands in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..30),
    ) {
        let mut probe = Probe::new(1);
        for mut command in commands {
            if let Some(class) = command.first_mut() {
                *class &= 0x03;
            }
            probe.transmit(&command);
        }
    }
}
