//! Memory that two sides have: a question and its answer pass through it whole, sleepers wake, and nonsense is an error.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use vbus_ifd::doorbell::{Doorbell, Rung};
use vbus_ifd::mailbox::Mailbox;
use vbus_ifd::message::{MESSAGE_MAX, MessageError};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Both sides of a mailbox, and its file.
fn both() -> (Mailbox, Mailbox, File) {
    let (mailbox, file) = Mailbox::create().unwrap();
    (Mailbox::open(&file).unwrap(), mailbox, file.into())
}

proptest! {
    #[test]
    fn a_question_and_its_answer_pass_whole(
        question in prop::collection::vec(any::<u8>(), 0..600), answer in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let (asking, answering, _) = both();
        let mut message = Vec::new();
        prop_assert!(!answering.is_asked());
        asking.ask(&question).unwrap();
        prop_assert!(answering.is_asked() && !asking.is_answered());
        answering.question(&mut message).unwrap();
        prop_assert_eq!(&message, &question);
        answering.answer(&answer).unwrap();
        prop_assert!(!answering.is_asked() && asking.is_answered());
        asking.take(&mut message).unwrap();
        prop_assert_eq!(&message, &answer);
        prop_assert!(!asking.is_answered() && !answering.is_asked());
    }

    #[test]
    fn whatever_is_written_there_is_a_message_or_an_error(state: u32, length: u32, word: u32) {
        let (asking, answering, file) = both();
        let words = [state, length, word].map(u32::to_ne_bytes).concat();
        file.write_all_at(&words, 0).unwrap();
        for side in [&asking, &answering] {
            prop_assert_eq!(side.is_asked(), matches!(state, 1 | 2));
            let mut message = Vec::new();
            match side.question(&mut message) {
                Ok(()) => prop_assert_eq!(message.len(), length as usize),
                Err(error) => prop_assert_eq!(error, MessageError::TooLong { length: length as usize }),
            }
        }
        // One who sleeps there does not sleep for ever.
        asking.sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_longest_message_fits_and_a_longer_one_is_an_error() {
    let (asking, answering, _) = both();
    let longest: Vec<u8> = (0..MESSAGE_MAX).map(|at| at as u8).collect();
    let mut message = Vec::new();
    asking.ask(&longest).unwrap();
    answering.question(&mut message).unwrap();
    assert!(message == longest);
    let longer = vec![0; MESSAGE_MAX + 1];
    let error = MessageError::TooLong { length: MESSAGE_MAX + 1 };
    assert_eq!(asking.ask(&longer), Err(error));
    assert_eq!(answering.answer(&longer), Err(error));
}

#[test]
fn one_who_sleeps_is_woken_by_the_answer() {
    let (asking, answering, _) = both();
    asking.ask(&[1]).unwrap();
    let answers = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        answering.answer(&[2]).unwrap();
        answering
    });
    let begun = Instant::now();
    while !asking.is_answered() {
        asking.sleep(LONG);
    }
    assert!(begun.elapsed() < LONG / 2);
    // An answer that is there is not slept for.
    asking.sleep(LONG);
    assert!(begun.elapsed() < LONG / 2);
    drop(answers.join().unwrap());
}

#[test]
fn a_doorbell_wakes_one_who_sleeps_and_says_who_has_to_be_sent_a_message() {
    let (inside, file) = Doorbell::create().unwrap();
    let outside = Doorbell::open(&file).unwrap();
    assert_eq!(outside.ring(), Rung::Heard, "it is awake");
    // What is there already is not slept for, nor does one go away from it.
    let begun = Instant::now();
    inside.sleep(LONG, || true);
    assert!(!inside.go_away(|| true));
    assert_eq!(outside.ring(), Rung::Heard);
    assert!(inside.go_away(|| false));
    assert_eq!(outside.ring(), Rung::Unheard);
    assert_eq!(outside.ring(), Rung::Heard, "a message is on its way");
    inside.awake();
    let rings = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        outside.ring()
    });
    inside.sleep(LONG, || false);
    assert_eq!(rings.join().unwrap(), Rung::Heard);
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn a_file_that_could_become_shorter_or_is_too_short_is_none() {
    let file = OwnedFd::from(File::open(std::env::current_exe().unwrap()).unwrap());
    assert!(Mailbox::open(&file).is_err() && Doorbell::open(&file).is_err());
    let (_, doorbell) = Doorbell::create().unwrap();
    assert!(Mailbox::open(&doorbell).is_err(), "a doorbell is too short for a mailbox");
    // The other side's own file cannot be made shorter behind its back.
    let (_, mailbox) = Mailbox::create().unwrap();
    assert!(File::from(mailbox).set_len(4096).is_err());
}
