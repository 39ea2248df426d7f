//! Whatever becomes of the program behind a reader, what pcscd asks comes back.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::*;
use crate::doorbell::Doorbell;
use crate::files::send_with_files;
use crate::mailbox::Mailbox;
use crate::message::{Answer, Inbox};

/// The other side: what `vbus serve` is to the handler.
struct Other {
    stream: UnixStream,
    inbox: Inbox,
}

impl Other {
    fn accept(listener: &UnixListener) -> Other {
        Other { stream: listener.accept().unwrap().0, inbox: Inbox::default() }
    }

    /// The next message that is no ring, without its length. None at the end.
    fn hear(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.inbox.take().unwrap().map(<[u8]>::to_vec) {
                Some(message) if Ask::decode(&message) == Ok(Ask::Ring) => {}
                Some(message) => return Some(message),
                None if self.inbox.fill(&mut self.stream).unwrap_or(0) == 0 => return None,
                None => {}
            }
        }
    }

    fn say(&mut self, code: ResponseCode) {
        let mut message = Vec::new();
        Answer::of(code).encode(&mut message).unwrap();
        self.send(&message).unwrap();
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        std::io::Write::write_all(&mut self.stream, bytes)
    }

    fn expect(&mut self, ask: Ask<'_>) {
        assert_eq!(Ask::decode(&self.hear().unwrap()), Ok(ask));
    }

    /// A connection that is agreed on, and its memory.
    fn share(listener: &UnixListener, doorbell: &OwnedFd) -> (Other, Mailbox, File) {
        let mut other = Other::accept(listener);
        other.expect(Ask::Open { version: crate::message::VERSION, reader: 7 });
        other.say(ResponseCode::SUCCESS);
        other.expect(Ask::Share);
        let (mailbox, file) = Mailbox::create().unwrap();
        let mut message = Vec::new();
        Answer::of(ResponseCode::SUCCESS).encode(&mut message).unwrap();
        send_with_files(&other.stream, &message, [doorbell.as_fd(), file.as_fd()]).unwrap();
        (other, mailbox, file.into())
    }
}

fn wait_for_question(mailbox: &Mailbox) -> Vec<u8> {
    let begun = Instant::now();
    while !mailbox.is_asked() {
        assert!(begun.elapsed() < Duration::from_secs(10), "something is asked");
        thread::yield_now();
    }
    let mut question = Vec::new();
    mailbox.question(&mut question).unwrap();
    question
}

/// A reader, and a thread that is the program behind it. Each test has its LUN.
fn with_other(lun: u64, behave: impl FnOnce(UnixListener) + Send + 'static) -> (PathBuf, JoinHandle<()>) {
    let path = std::env::temp_dir().join(format!("vbus-ifd-{}-{lun}", std::process::id()));
    _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let serving = thread::spawn(move || {
        // The events' connection comes first, and is of no interest here.
        drop(listener.accept().unwrap());
        behave(listener);
    });
    assert_eq!(create(lun, &format!("vbus:{}:7", path.display())), ResponseCode::SUCCESS);
    (path, serving)
}

#[test]
fn one_that_dies_with_a_question_is_gone_and_one_that_comes_back_is_asked_again() {
    let (path, serving) = with_other(1, |listener| {
        let (_doorbell, bell) = Doorbell::create().unwrap();
        for _ in 0..2 {
            let (other, mailbox, _) = Other::share(&listener, &bell);
            assert_eq!(wait_for_question(&mailbox), [2]);
            drop(other);
        }
        let (_other, mailbox, _) = Other::share(&listener, &bell);
        assert_eq!(wait_for_question(&mailbox), [2]);
        mailbox.answer(&[0, 0]).unwrap();
        // Long enough for it to be taken.
        while mailbox.is_answered() {
            thread::yield_now();
        }
    });
    let begun = Instant::now();
    assert_eq!([presence(1), presence(1)], [ResponseCode::NO_SUCH_DEVICE; 2]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(presence(1), ResponseCode::ICC_PRESENT);
    serving.join().unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(presence(1), ResponseCode::NO_SUCH_DEVICE);
    assert_eq!(close(1), ResponseCode::SUCCESS);
}

#[test]
fn one_that_shows_no_sign_of_life_is_given_up_and_one_that_does_is_waited_for() {
    let (path, serving) = with_other(2, |listener| {
        let (doorbell, bell) = Doorbell::create().unwrap();
        let (mut stopped, mailbox, _) = Other::share(&listener, &bell);
        wait_for_question(&mailbox);
        assert_eq!(stopped.hear(), None, "it is hung up on");
        let (_alive, mailbox, _) = Other::share(&listener, &bell);
        wait_for_question(&mailbox);
        // Three times as long as the other one had.
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(75));
            doorbell.beat();
        }
        mailbox.answer(&[0, 0, 0x90, 0x00]).unwrap();
        while mailbox.is_answered() {
            thread::yield_now();
        }
    });
    let mut response = [0; 258];
    assert_eq!(transmit(2, 1, &[0, 0xA4, 0, 0], &mut response), Err(ResponseCode::NO_SUCH_DEVICE));
    assert_eq!(transmit(2, 1, &[0, 0xA4, 0, 0], &mut response), Ok(2));
    assert_eq!(response[..2], [0x90, 0x00]);
    serving.join().unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_answer_that_is_none_ends_the_connection() {
    let (path, serving) = with_other(3, |listener| {
        let (_doorbell, bell) = Doorbell::create().unwrap();
        // No code; a length beyond any message; a length that is there when it is too late.
        let (mut other, mailbox, _) = Other::share(&listener, &bell);
        wait_for_question(&mailbox);
        mailbox.answer(&[7]).unwrap();
        assert_eq!(other.hear(), None);
        for length in [crate::message::MESSAGE_MAX as u32 + 1, u32::MAX] {
            let (mut other, mailbox, file) = Other::share(&listener, &bell);
            wait_for_question(&mailbox);
            file.write_all_at(&[length.to_ne_bytes(), 3u32.to_ne_bytes()].concat(), 4).unwrap();
            file.write_all_at(&3u32.to_ne_bytes(), 0).unwrap();
            assert_eq!(other.hear(), None);
        }
    });
    for _ in 0..3 {
        assert_eq!(protocol(3, 2), ResponseCode::NO_SUCH_DEVICE);
    }
    serving.join().unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn without_memory_that_is_good_everything_goes_over_the_socket() {
    let (path, serving) = with_other(4, |listener| {
        let mut other = Other::accept(&listener);
        other.hear().unwrap();
        other.say(ResponseCode::SUCCESS);
        other.expect(Ask::Share);
        // Files that can become shorter.
        let file = OwnedFd::from(File::open("/proc/self/exe").unwrap());
        let mut message = Vec::new();
        Answer::of(ResponseCode::SUCCESS).encode(&mut message).unwrap();
        send_with_files(&other.stream, &message, [file.as_fd(), file.as_fd()]).unwrap();
        other.expect(Ask::PowerDown);
        other.say(ResponseCode::SUCCESS);
        assert_eq!(other.hear(), None);
    });
    assert_eq!(power(4, IFD_POWER_DOWN), Ok(Vec::new()));
    assert_eq!(close(4), ResponseCode::SUCCESS);
    serving.join().unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_card_that_was_exchanged_is_gone_for_one_look_of_the_thread_that_waits() {
    let path = std::env::temp_dir().join(format!("vbus-ifd-{}-events", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let (tell, told) = mpsc::channel();
    let serving = thread::spawn(move || {
        let mut events = Other::accept(&listener);
        events.hear().unwrap();
        events.say(ResponseCode::SUCCESS);
        events.expect(Ask::Watch);
        events.say(ResponseCode::SUCCESS);
        let (_doorbell, bell) = Doorbell::create().unwrap();
        told.recv().unwrap();
        events.say(ResponseCode::ICC_NOT_PRESENT);
        events.say(ResponseCode::ICC_PRESENT);
        let (_other, mailbox, _) = Other::share(&listener, &bell);
        while told.try_recv() == Err(mpsc::TryRecvError::Empty) {
            if mailbox.is_asked() {
                mailbox.answer(&[0, 0]).unwrap();
            }
            thread::yield_now();
        }
    });
    assert_eq!(create(5, &format!("vbus:{}:7", path.display())), ResponseCode::SUCCESS);
    let waits = |ms| {
        let begun = Instant::now();
        let code = wait_for_event(5, Duration::from_millis(ms));
        (code, begun.elapsed() >= Duration::from_millis(ms))
    };
    assert_eq!(waits(50), (ResponseCode::SUCCESS, true), "nothing happens");
    thread::spawn(|| {
        thread::sleep(Duration::from_millis(50));
        stop_waiting(5);
    });
    assert_eq!(waits(10_000), (ResponseCode::SUCCESS, false), "it is stopped");

    tell.send(()).unwrap();
    assert_eq!(waits(10_000), (ResponseCode::SUCCESS, false));
    let others = thread::spawn(|| [presence(5), presence(5)]).join().unwrap();
    assert_eq!(others, [ResponseCode::ICC_NOT_PRESENT; 2]);
    assert_eq!(presence(5), ResponseCode::ICC_NOT_PRESENT);
    assert_eq!(waits(10_000), (ResponseCode::SUCCESS, false), "the other card");
    assert_eq!(presence(5), ResponseCode::ICC_PRESENT);

    tell.send(()).unwrap();
    serving.join().unwrap();
    assert_eq!(waits(10_000), (ResponseCode::SUCCESS, false), "whoever goes takes the reader along");
    std::fs::remove_file(path).unwrap();
    assert_eq!(waits(10_000), (ResponseCode::NO_SUCH_DEVICE, false));
}
