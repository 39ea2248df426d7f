//! A vpcd, to which a reader's card is a card: the other side of its protocol.
//!
//! A connection is an inserted card: it is made when a card is in the reader, and ended when it is not. The question for
//! the ATR is also how vpcd looks whether the card is there, so its answer is kept. vpcd as Debian packages it writes a
//! message's length and body in two small pieces; a side that acknowledges late makes it wait 40 ms between them, so here
//! everything is acknowledged at once.
//!
//! Source: frankmorgner/vsmartcard, virtualsmartcard/src/vpcd/vpcd.c and vpcd.h.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
#[cfg(target_os = "linux")]
use std::os::linux::net::TcpStreamExt;
use std::time::{Duration, Instant};

use vbus_bus::ReaderId;
use vbus_reader::smclib::PowerAction;
use vbus_wdm::IoStatus;

use super::order::Order;
use super::party::Party;
use super::pcsc;

const POWER_OFF: u8 = 0x00;
const POWER_ON: u8 = 0x01;
const RESET: u8 = 0x02;
const GET_ATR: u8 = 0x04;

/// How often is looked whether the card is still there, or there at last.
const LOOK: Duration = Duration::from_millis(100);
/// How long one attempt to connect may take: nothing else happens meanwhile.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// One slot of a vpcd.
pub(super) struct CardSide {
    reader: ReaderId,
    address: SocketAddr,
    connection: Option<Connection>,
    next_look: Instant,
}

/// An inserted card.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    atr: Vec<u8>,
    /// vpcd asked for power to be off, before it was known whether there is an ATR.
    started: bool,
}

impl CardSide {
    pub(super) fn new(reader: ReaderId, address: SocketAddr) -> CardSide {
        CardSide { reader, address, connection: None, next_look: Instant::now() }
    }

    /// The card is there: connects. Nobody may listen yet, or somebody else's card may be there; then it is tried again.
    fn insert(&mut self) {
        let connected = TcpStream::connect_timeout(&self.address, CONNECT_LIMIT).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(WRITE_LIMIT))?;
            acknowledge_at_once(&stream)?;
            Ok(stream)
        });
        let connection = |stream| Connection { stream, received: Vec::new(), atr: Vec::new(), started: false };
        self.connection = connected.ok().map(connection);
    }
}

/// The setting holds until the kernel thinks better of it, so it is made after every read.
fn acknowledge_at_once(stream: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    stream.set_quickack(true)?;
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
    Ok(())
}

impl Connection {
    /// The next message that is whole.
    fn take(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.received.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let message = rest.get(..length)?.to_vec();
        self.received.drain(..2 + length);
        Some(message)
    }

    /// Sends a message in one write.
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u16::try_from(message.len()).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
        self.stream.write_all(&[&length.to_be_bytes(), message].concat())
    }
}

impl Party for CardSide {
    fn reader(&self) -> ReaderId {
        self.reader
    }

    fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.connection.as_ref().map(|connection| connection.stream.as_fd())
    }

    fn receive(&mut self) -> io::Result<()> {
        let Some(Connection { stream, received, .. }) = &mut self.connection else { return Ok(()) };
        let mut bytes = [0; 4096];
        let came = stream.read(&mut bytes);
        match came {
            Ok(came) if came > 0 && acknowledge_at_once(stream).is_ok() => received.extend_from_slice(&bytes[..came]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // vpcd is gone; the next one gets the card.
            _ => self.connection = None,
        }
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        Some(self.next_look)
    }

    fn next(&mut self, now: Instant) -> io::Result<Option<Order>> {
        loop {
            let message = match &mut self.connection {
                Some(connection) if !connection.started => {
                    connection.started = true;
                    return Ok(Some(Order::power(PowerAction::ColdReset)));
                }
                Some(connection) => connection.take(),
                None => None,
            };
            let (Some(message), Some(connection)) = (message, &mut self.connection) else { break };
            match message[..] {
                [POWER_OFF] => return Ok(Some(Order::power(PowerAction::Down))),
                [POWER_ON] => return Ok(Some(Order::power(PowerAction::ColdReset))),
                [RESET] => return Ok(Some(Order::power(PowerAction::WarmReset))),
                [GET_ATR] => {
                    let atr = std::mem::take(&mut connection.atr);
                    if connection.send(&atr).is_err() {
                        self.connection = None;
                        break;
                    }
                    connection.atr = atr;
                }
                // Other control codes have no meaning, and no answer.
                [] | [_] => {}
                ref command => return Ok(Some(Order::exchange(command))),
            }
        }
        if now < self.next_look {
            return Ok(None);
        }
        self.next_look = now + LOOK;
        Ok(Some(Order::state()))
    }

    fn done(&mut self, order: &Order, result: IoStatus, output: &[u8]) -> io::Result<()> {
        let succeeded = result.status.is_success();
        if order.is_look() {
            match (succeeded && pcsc::is_present(output), &self.connection) {
                (true, None) => self.insert(),
                (false, Some(_)) => self.connection = None,
                _ => {}
            }
            return Ok(());
        }
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let kept = match order.code {
            vbus_reader::ioctl::IOCTL_SMARTCARD_POWER => {
                if !output.is_empty() {
                    output.clone_into(&mut connection.atr);
                }
                succeeded || !pcsc::is_absence(result.status)
            }
            // vpcd knows of no answer that fails: what fails is a card that is gone.
            _ => succeeded && connection.send(output).is_ok(),
        };
        if !kept {
            self.connection = None;
        }
        Ok(())
    }
}
