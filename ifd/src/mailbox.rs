//! A mailbox: memory in which one side puts a message, and the other its answer in the same place.
//!
//! Each connection has its own. Nothing that the other side writes there can do more harm than a message can: lengths are
//! looked at once and have their limits, and bytes are copied before they are read.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::memory::{Shared, wait, wake};
use crate::message::{MESSAGE_MAX, MessageError};

/// Nobody wants anything.
const EMPTY: u32 = 0;
/// There is a question, and who asked looks for the answer.
const ASKED: u32 = 1;
/// There is a question, and who asked sleeps on this word.
const ASKED_ASLEEP: u32 = 2;
/// There is an answer.
const ANSWERED: u32 = 3;

/// Where the words are: the state, the length of the message in bytes, and the message.
const STATE: usize = 0;
const LENGTH: usize = 1;
const MESSAGE: usize = 2;

const WORD: usize = size_of::<u32>();
const WORDS: usize = MESSAGE + MESSAGE_MAX.div_ceil(WORD);

/// A mailbox.
pub struct Mailbox(Shared<WORDS>);

impl Mailbox {
    /// An empty mailbox, and the file by which another process has it too.
    ///
    /// # Errors
    /// The system has no memory that two processes can have.
    pub fn create() -> io::Result<(Mailbox, OwnedFd)> {
        let (words, file) = Shared::create()?;
        Ok((Mailbox(words), file))
    }

    /// The mailbox of a file that came from the other process.
    ///
    /// # Errors
    /// It is no mailbox.
    pub fn open(file: &OwnedFd) -> io::Result<Mailbox> {
        Shared::open(file).map(Mailbox)
    }

    /// Puts a question in.
    ///
    /// # Errors
    /// [`MessageError::TooLong`].
    pub fn ask(&self, message: &[u8]) -> Result<(), MessageError> {
        self.put(message)?;
        self.0[STATE].store(ASKED, Ordering::SeqCst);
        Ok(())
    }

    /// Whether there is a question. It is one until it is answered.
    pub fn is_asked(&self) -> bool {
        matches!(self.0[STATE].load(Ordering::SeqCst), ASKED | ASKED_ASLEEP)
    }

    /// What is asked. `message` is cleared, then receives it.
    ///
    /// # Errors
    /// [`MessageError::TooLong`].
    pub fn question(&self, message: &mut Vec<u8>) -> Result<(), MessageError> {
        self.get(message)
    }

    /// Puts the answer in, and wakes who asked.
    ///
    /// # Errors
    /// [`MessageError::TooLong`].
    pub fn answer(&self, message: &[u8]) -> Result<(), MessageError> {
        self.put(message)?;
        if self.0[STATE].swap(ANSWERED, Ordering::AcqRel) == ASKED_ASLEEP {
            wake(&self.0[STATE]);
        }
        Ok(())
    }

    /// Whether there is an answer.
    pub fn is_answered(&self) -> bool {
        self.0[STATE].load(Ordering::Acquire) == ANSWERED
    }

    /// Sleeps until there is an answer, and no longer than this.
    pub fn sleep(&self, limit: Duration) {
        let state = &self.0[STATE];
        let asleep = state.compare_exchange(ASKED, ASKED_ASLEEP, Ordering::AcqRel, Ordering::Acquire);
        if matches!(asleep, Ok(_) | Err(ASKED_ASLEEP)) {
            wait(state, ASKED_ASLEEP, limit);
        }
    }

    /// Takes the answer out. `message` is cleared, then receives it.
    ///
    /// # Errors
    /// [`MessageError::TooLong`].
    pub fn take(&self, message: &mut Vec<u8>) -> Result<(), MessageError> {
        let taken = self.get(message);
        self.0[STATE].store(EMPTY, Ordering::Release);
        taken
    }

    fn put(&self, message: &[u8]) -> Result<(), MessageError> {
        if message.len() > MESSAGE_MAX {
            return Err(MessageError::TooLong { length: message.len() });
        }
        for (word, bytes) in self.0[MESSAGE..].iter().zip(message.chunks(WORD)) {
            let mut whole = [0; WORD];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u32::from_ne_bytes(whole), Ordering::Relaxed);
        }
        self.0[LENGTH].store(message.len() as u32, Ordering::Relaxed);
        Ok(())
    }

    fn get(&self, message: &mut Vec<u8>) -> Result<(), MessageError> {
        message.clear();
        let length = self.0[LENGTH].load(Ordering::Relaxed) as usize;
        if length > MESSAGE_MAX {
            return Err(MessageError::TooLong { length });
        }
        for word in &self.0[MESSAGE..][..length.div_ceil(WORD)] {
            message.extend_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        message.truncate(length);
        Ok(())
    }
}
