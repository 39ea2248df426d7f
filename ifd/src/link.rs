//! The connection to `vbus serve`.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};

use crate::message::{Answer, Ask, Inbox, MessageError, ResponseCode, VERSION};

/// Where a reader is: what DEVICENAME says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) socket: PathBuf,
    pub(crate) reader: u32,
}

impl Place {
    /// Reads `vbus:SOCKET:READER`. The word in front is there because a name without a colon would have to be a file.
    pub(crate) fn parse(name: &str) -> Option<Place> {
        let (socket, reader) = name.strip_prefix("vbus:")?.rsplit_once(':')?;
        Some(Place { socket: socket.into(), reader: reader.parse().ok()? })
    }
}

/// How long is looked for an answer before the thread is put to sleep: most come sooner than it would be awake again. With
/// one core, whoever answers needs that core.
static PATIENCE: LazyLock<Duration> = LazyLock::new(|| match thread::available_parallelism() {
    Ok(cores) if cores.get() > 1 => Duration::from_micros(50),
    _ => Duration::ZERO,
});

/// Reads what is there already.
struct AtOnce<'a>(&'a UnixStream);

impl Read for AtOnce<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (came, _) = recv(self.0, bytes, RecvFlags::DONTWAIT)?;
        Ok(came)
    }
}

/// A reader's connection, which is made when something is to be said.
pub(crate) struct Link {
    place: Place,
    stream: Option<UnixStream>,
    outgoing: Vec<u8>,
    inbox: Inbox,
}

impl Link {
    pub(crate) fn new(place: Place) -> Link {
        Link { place, stream: None, outgoing: Vec::new(), inbox: Inbox::default() }
    }

    /// Asks and waits for the answer, however long the card takes: the connection ends when the other side does.
    ///
    /// # Errors
    /// There is nobody there, or nobody any more, or somebody who says what means nothing.
    pub(crate) fn ask(&mut self, ask: Ask<'_>) -> io::Result<Answer<'_>> {
        if self.stream.is_none() {
            self.connect()?;
        }
        let heard = self.exchange(ask);
        if heard.is_err() {
            self.stream = None;
        }
        heard?;
        // It was whole and had an answer's form a moment ago.
        Answer::decode(&self.outgoing).map_err(invalid)
    }

    fn connect(&mut self) -> io::Result<()> {
        self.inbox = Inbox::default();
        self.stream = Some(UnixStream::connect(&self.place.socket)?);
        let opened = self.exchange(Ask::Open { version: VERSION, reader: self.place.reader });
        let accepted = opened.and_then(|()| Answer::decode(&self.outgoing).map_err(invalid));
        match accepted.map(|answer| answer.code) {
            Ok(ResponseCode::SUCCESS) => Ok(()),
            Ok(_) => {
                self.stream = None;
                Err(ErrorKind::NotFound.into())
            }
            Err(error) => {
                self.stream = None;
                Err(error)
            }
        }
    }

    /// Sends one message and receives one, which is in `outgoing` afterwards.
    fn exchange(&mut self, ask: Ask<'_>) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(ErrorKind::NotConnected)?;
        ask.encode(&mut self.outgoing).map_err(invalid)?;
        stream.write_all(&self.outgoing)?;
        let patient_until = Instant::now() + *PATIENCE;
        let mut patient = !PATIENCE.is_zero();
        loop {
            if let Some(message) = self.inbox.take().map_err(invalid)? {
                self.outgoing.clear();
                self.outgoing.extend_from_slice(message);
                return Ok(());
            }
            let came = if patient { self.inbox.fill(&mut AtOnce(stream)) } else { self.inbox.fill(stream) };
            match came {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => patient = Instant::now() < patient_until,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn invalid(error: MessageError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_name_is_a_socket_and_a_reader() {
        for (name, expected) in [
            ("vbus:/run/vbus.sock:7", Some(("/run/vbus.sock", 7))),
            ("vbus:/a:b/vbus.sock:0", Some(("/a:b/vbus.sock", 0))),
            ("vbus:/run/vbus.sock", None),
            ("vbus:/run/vbus.sock:x", None),
            ("/dev/ttyS0:7", None),
            ("", None),
        ] {
            let expected = expected.map(|(socket, reader)| Place { socket: socket.into(), reader });
            assert_eq!(Place::parse(name), expected, "{name}");
        }
    }
}
