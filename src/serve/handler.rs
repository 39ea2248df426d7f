//! pcscd, which loaded our handler: one connection for each reader of its reader.conf.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use vbus_bus::ReaderId;
use vbus_ifd::files::send_with_files;
use vbus_ifd::mailbox::Mailbox;
use vbus_ifd::message::{Answer, Ask, Inbox, MessageError, ResponseCode, VERSION};
use vbus_wdm::IoStatus;

use super::order::Order;
use super::party::Party;
use super::pcsc;
use super::watch::Watch;

/// How long the other side may take to read an answer.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// What every connection is told.
#[derive(Clone)]
pub(super) struct Lobby {
    /// The readers that there are.
    pub(super) known: Vec<u32>,
    /// The doorbell's file, where the system has memory for one.
    pub(super) doorbell: Option<Rc<OwnedFd>>,
}

/// A connection of the handler.
pub(super) struct Handler {
    stream: UnixStream,
    /// Which reader it is for, when it has said so.
    reader: Option<ReaderId>,
    lobby: Lobby,
    inbox: Inbox,
    mailbox: Option<Mailbox>,
    /// What is asked now came through the mailbox, and so goes the answer.
    by_mail: bool,
    /// It asks nothing any more, and is told what happens.
    watch: Option<Watch>,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

/// What a message asks for.
enum Asked {
    /// A request to the reader.
    Order(Order),
    /// An answer without one.
    Code(ResponseCode),
    /// What is about this connection.
    Share,
    Watch,
    Nothing,
}

impl Handler {
    pub(super) fn new(stream: UnixStream, lobby: Lobby) -> io::Result<Handler> {
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(WRITE_LIMIT))?;
        Ok(Handler {
            stream,
            reader: None,
            lobby,
            inbox: Inbox::default(),
            mailbox: None,
            by_mail: false,
            watch: None,
            incoming: Vec::new(),
            outgoing: Vec::new(),
        })
    }

    fn answer(&mut self, answer: Answer<'_>) -> io::Result<()> {
        answer.encode(&mut self.outgoing).map_err(invalid)?;
        match &self.mailbox {
            // Behind the length, which the mailbox has in a place of its own.
            Some(mailbox) if self.by_mail => mailbox.answer(&self.outgoing[4..]).map_err(invalid),
            _ => self.stream.write_all(&self.outgoing),
        }
    }

    /// The next message, which is in `incoming` then.
    fn take(&mut self) -> io::Result<bool> {
        if let Some(mailbox) = self.mailbox.as_ref().filter(|mailbox| mailbox.is_asked()) {
            self.by_mail = true;
            mailbox.question(&mut self.incoming).map_err(invalid)?;
            return Ok(true);
        }
        self.by_mail = false;
        let Some(message) = self.inbox.take().map_err(invalid)? else { return Ok(false) };
        self.incoming.clear();
        self.incoming.extend_from_slice(message);
        Ok(true)
    }

    fn understand(&mut self) -> io::Result<Asked> {
        let ask = Ask::decode(&self.incoming).map_err(invalid)?;
        Ok(match (ask, self.reader) {
            (Ask::Open { version: VERSION, reader }, None) if self.lobby.known.contains(&reader) => {
                self.reader = Some(ReaderId(reader));
                Asked::Code(ResponseCode::SUCCESS)
            }
            (Ask::Open { .. }, _) | (_, None) => Asked::Code(ResponseCode::NO_SUCH_DEVICE),
            (Ask::Ring, _) if !self.by_mail => Asked::Nothing,
            (Ask::Share, _) if !self.by_mail => Asked::Share,
            (Ask::Watch, _) if !self.by_mail => Asked::Watch,
            (ask, Some(_)) => match pcsc::order(&ask) {
                Ok(order) => Asked::Order(order),
                Err(code) => Asked::Code(code),
            },
        })
    }

    /// Gives the other side memory for what it asks from now on, if the system has any.
    fn share(&mut self) -> io::Result<()> {
        let (Some(doorbell), None, Ok((mailbox, file))) = (&self.lobby.doorbell, &self.mailbox, Mailbox::create())
        else {
            return self.answer(Answer::of(ResponseCode::NOT_SUPPORTED));
        };
        Answer::of(ResponseCode::SUCCESS).encode(&mut self.outgoing).map_err(invalid)?;
        send_with_files(&self.stream, &self.outgoing, [doorbell.as_fd(), file.as_fd()])?;
        self.mailbox = Some(mailbox);
        Ok(())
    }
}

impl Party for Handler {
    fn reader(&self) -> ReaderId {
        // Before it has said which, it gets nothing done.
        self.reader.unwrap_or(ReaderId(0))
    }

    fn socket(&self) -> Option<BorrowedFd<'_>> {
        Some(self.stream.as_fd())
    }

    fn is_asking(&self) -> bool {
        self.mailbox.as_ref().is_some_and(Mailbox::is_asked)
    }

    fn receive(&mut self) -> io::Result<()> {
        match self.inbox.fill(&mut self.stream)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn due(&self) -> Option<Instant> {
        self.watch.as_ref().and_then(Watch::due)
    }

    fn next(&mut self, now: Instant) -> io::Result<Option<Order>> {
        while self.take()? {
            match self.understand()? {
                Asked::Order(order) => return Ok(Some(order)),
                Asked::Code(code) => self.answer(Answer::of(code))?,
                Asked::Share => self.share()?,
                Asked::Watch => {
                    self.watch = Some(Watch::new(now));
                    self.answer(Answer::of(ResponseCode::SUCCESS))?;
                }
                Asked::Nothing => {}
            }
        }
        Ok(self.watch.as_mut().and_then(|watch| watch.next(now)))
    }

    fn done(&mut self, order: &Order, result: IoStatus, output: &[u8]) -> io::Result<()> {
        let Some(watch) = &mut self.watch else {
            return self.answer(pcsc::answer(order.code, result, output));
        };
        match watch.done(order, result, output) {
            Some(true) => self.answer(Answer::of(ResponseCode::ICC_PRESENT)),
            Some(false) => self.answer(Answer::of(ResponseCode::ICC_NOT_PRESENT)),
            None => Ok(()),
        }
    }
}

fn invalid(error: MessageError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
