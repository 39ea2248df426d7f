//! A connection to `vbus serve`: its socket, and the memory that both sides have where the system can.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::doorbell::{Doorbell, Rung};
use crate::files::WithFiles;
use crate::link::Place;
use crate::mailbox::Mailbox;
use crate::message::{Answer, Ask, Inbox, MessageError, ResponseCode, VERSION};
use crate::patience::Patience;

/// How often one who sleeps on memory looks whether the other side is still there: its end wakes nobody.
const LOOK: Duration = Duration::from_millis(100);
/// How many looks without a sign of life are the end. `vbus serve` gives one each time it is rung for; how long a card
/// takes does not matter.
const LOOKS_MAX: u32 = if cfg!(test) { 3 } else { 100 };

/// How long an answer on the socket may take, unless a card is asked: more than any machine needs that is still there.
const LIMIT: Duration = Duration::from_secs(10);

/// A connection.
pub(crate) struct Connection {
    pub(crate) stream: UnixStream,
    inbox: Inbox,
    memory: Option<Memory>,
}

struct Memory {
    doorbell: Doorbell,
    mailbox: Mailbox,
    patience: Patience,
}

impl Connection {
    /// Connects for a reader.
    ///
    /// # Errors
    /// There is nobody there, or nobody who knows that reader.
    pub(crate) fn open(place: &Place) -> io::Result<Connection> {
        let stream = UnixStream::connect(&place.socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let mut connection = Connection { stream, inbox: Inbox::default(), memory: None };
        connection.agree(Ask::Open { version: VERSION, reader: place.reader })?;
        Ok(connection)
    }

    /// Asks for something without which there is no connection.
    ///
    /// # Errors
    /// There is nobody there any more, or the answer is no.
    pub(crate) fn agree(&mut self, ask: Ask<'_>) -> io::Result<()> {
        let mut message = Vec::new();
        ask.encode(&mut message).map_err(invalid)?;
        self.exchange(&mut message)?;
        match Answer::decode(&message).map_err(invalid)?.code {
            ResponseCode::SUCCESS => Ok(()),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    /// From now on messages go through memory, if the other side has any. Memory that is not as it should be is as none.
    ///
    /// # Errors
    /// There is nobody there any more.
    pub(crate) fn share(&mut self) -> io::Result<()> {
        let mut message = Vec::new();
        Ask::Share.encode(&mut message).map_err(invalid)?;
        self.stream.write_all(&message)?;
        let mut files = Vec::new();
        while self.inbox.take().map_err(invalid)?.is_none() {
            if self.inbox.fill(&mut WithFiles { stream: &self.stream, files: &mut files })? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        if let [doorbell, mailbox] = &files[..]
            && let (Ok(doorbell), Ok(mailbox)) = (Doorbell::open(doorbell), Mailbox::open(mailbox))
        {
            self.memory = Some(Memory { doorbell, mailbox, patience: Patience::default() });
            return Ok(());
        }
        // A card takes what it takes, and a socket that ends is noticed.
        self.stream.set_read_timeout(None)
    }

    /// Sends the message, which becomes the answer, without its length.
    ///
    /// # Errors
    /// There is nobody there any more, or somebody who says what means nothing.
    pub(crate) fn exchange(&mut self, message: &mut Vec<u8>) -> io::Result<()> {
        if let Some(memory) = &mut self.memory {
            return memory.exchange(&self.stream, message);
        }
        self.stream.write_all(message)?;
        self.receive(message, false)?;
        Ok(())
    }

    /// Whether a message came, which is then in `message`: one that is there already, `at_once`, or one that is waited for.
    ///
    /// # Errors
    /// As [`Connection::exchange`].
    pub(crate) fn receive(&mut self, message: &mut Vec<u8>, at_once: bool) -> io::Result<bool> {
        loop {
            if let Some(whole) = self.inbox.take().map_err(invalid)? {
                message.clear();
                message.extend_from_slice(whole);
                return Ok(true);
            }
            let came = match at_once {
                true => self.inbox.fill(&mut AtOnce(&self.stream)),
                false => self.inbox.fill(&mut self.stream),
            };
            match came {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if at_once && error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Memory {
    fn exchange(&mut self, stream: &UnixStream, message: &mut Vec<u8>) -> io::Result<()> {
        let Memory { doorbell, mailbox, patience } = self;
        // Behind the length, which memory has in a place of its own.
        mailbox.ask(&message[4..]).map_err(invalid)?;
        if doorbell.ring() == Rung::Unheard {
            send_ring(stream)?;
        }
        patience.look(|| mailbox.is_answered());
        let (mut looks, mut beats) = (0, doorbell.beats());
        while !mailbox.is_answered() {
            mailbox.sleep(LOOK);
            if mailbox.is_answered() {
                break;
            }
            is_there(stream)?;
            send_ring(stream)?;
            match doorbell.beats() {
                same if same == beats => looks += 1,
                others => (looks, beats) = (0, others),
            }
            if looks > LOOKS_MAX {
                return Err(ErrorKind::TimedOut.into());
            }
        }
        mailbox.take(message).map_err(invalid)
    }
}

/// Has the other side look into the mailbox.
fn send_ring(stream: &UnixStream) -> io::Result<()> {
    let mut message = Vec::new();
    Ask::Ring.encode(&mut message).map_err(invalid)?;
    match send(stream, &message, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        // One who has so much to read is going to look.
        Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether the other side still has its end of the socket, over which it says nothing.
fn is_there(stream: &UnixStream) -> io::Result<()> {
    match recv(stream, &mut [0; 1][..], RecvFlags::DONTWAIT | RecvFlags::PEEK) {
        Ok((0, _)) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(_) => Err(ErrorKind::InvalidData.into()),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Reads what is there already.
struct AtOnce<'a>(&'a UnixStream);

impl Read for AtOnce<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (came, _) = recv(self.0, bytes, RecvFlags::DONTWAIT)?;
        Ok(came)
    }
}

pub(crate) fn invalid(error: MessageError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
