//! What happens to a reader's card, for the thread with which pcscd waits for that.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::connection::{Connection, invalid};
use crate::link::Place;
use crate::message::{Answer, Ask, ResponseCode};

/// What pcscd's thread has waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// The card was pulled out. Another one may be in by now.
    Removed,
    /// Anything may have changed.
    Other,
    /// Nothing has.
    None,
}

/// A reader's second connection, over which comes what happens.
pub(crate) struct Events {
    place: Place,
    connection: Mutex<Option<Connection>>,
    /// Both ends of what wakes the one who waits.
    woken: UnixStream,
    wake: UnixStream,
}

impl Events {
    /// Listens for what happens from now on, if somebody is there already.
    ///
    /// # Errors
    /// The system has no more sockets.
    pub(crate) fn new(place: Place) -> io::Result<Events> {
        let (woken, wake) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let connection = Mutex::new(listen(&place).ok());
        Ok(Events { place, connection, woken, wake })
    }

    /// Waits for something to happen, until [`Events::stop`], or for so long.
    ///
    /// # Errors
    /// Nobody is there.
    pub(crate) fn wait(&self, limit: Duration) -> io::Result<Event> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(connection) = &mut *slot else {
            *slot = Some(listen(&self.place)?);
            // What was before is not known.
            return Ok(Event::Other);
        };
        let event = self.next(connection, limit);
        if event.is_err() {
            *slot = None;
        }
        // Whoever is gone has taken the reader along.
        Ok(event.unwrap_or(Event::Other))
    }

    fn next(&self, connection: &mut Connection, limit: Duration) -> io::Result<Event> {
        let mut message = Vec::new();
        if !connection.receive(&mut message, true)? {
            let mut polled = [&connection.stream, &self.woken].map(|stream| PollFd::new(stream, PollFlags::IN));
            let limit = Timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ };
            match poll(&mut polled, Some(&limit)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            // Once woken it is awake, however often that was wanted.
            while matches!((&self.woken).read(&mut [0; 16]), Ok(1..)) {}
            if !connection.receive(&mut message, true)? {
                return Ok(Event::None);
            }
        }
        Ok(match Answer::decode(&message).map_err(invalid)?.code {
            ResponseCode::ICC_NOT_PRESENT => Event::Removed,
            _ => Event::Other,
        })
    }

    /// Wakes the one who waits.
    pub(crate) fn stop(&self) {
        // What is full has bytes enough to wake anybody.
        _ = (&self.wake).write(&[0]);
    }
}

fn listen(place: &Place) -> io::Result<Connection> {
    let mut connection = Connection::open(place)?;
    connection.agree(Ask::Watch)?;
    Ok(connection)
}
