//! pcscd, which loaded our handler: one connection for each reader of its reader.conf.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use vbus_bus::ReaderId;
use vbus_ifd::message::{Answer, Ask, Inbox, MessageError, ResponseCode, VERSION};
use vbus_wdm::IoStatus;

use super::order::Order;
use super::party::Party;
use super::pcsc;

/// How long the other side may take to read an answer.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// A connection of the handler.
pub(super) struct Handler {
    stream: UnixStream,
    /// Which reader it is for, when it has said so.
    reader: Option<ReaderId>,
    /// The readers that there are.
    known: Vec<u32>,
    inbox: Inbox,
    outgoing: Vec<u8>,
}

impl Handler {
    pub(super) fn new(stream: UnixStream, known: Vec<u32>) -> io::Result<Handler> {
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(WRITE_LIMIT))?;
        Ok(Handler { stream, reader: None, known, inbox: Inbox::default(), outgoing: Vec::new() })
    }

    fn answer(&mut self, answer: Answer<'_>) -> io::Result<()> {
        answer.encode(&mut self.outgoing).map_err(invalid)?;
        self.stream.write_all(&self.outgoing)
    }

    /// What a message asks for: a request, or an answer without one.
    fn understand(&mut self) -> io::Result<Option<Result<Order, ResponseCode>>> {
        let Some(message) = self.inbox.take().map_err(invalid)? else { return Ok(None) };
        let ask = Ask::decode(message).map_err(invalid)?;
        Ok(Some(match (ask, self.reader) {
            (Ask::Open { version: VERSION, reader }, None) if self.known.contains(&reader) => {
                self.reader = Some(ReaderId(reader));
                Err(ResponseCode::SUCCESS)
            }
            (Ask::Open { .. }, _) | (_, None) => Err(ResponseCode::NO_SUCH_DEVICE),
            (ask, Some(_)) => pcsc::order(&ask),
        }))
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

    fn receive(&mut self) -> io::Result<()> {
        match self.inbox.fill(&mut self.stream)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn next(&mut self, _: Instant) -> io::Result<Option<Order>> {
        loop {
            match self.understand()? {
                None => return Ok(None),
                Some(Ok(order)) => return Ok(Some(order)),
                Some(Err(code)) => self.answer(Answer::of(code))?,
            }
        }
    }

    fn done(&mut self, order: &Order, result: IoStatus, output: &[u8]) -> io::Result<()> {
        self.answer(pcsc::answer(order.code, result, output))
    }
}

fn invalid(error: MessageError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
