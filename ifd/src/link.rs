//! Where a reader is, and its connection.

use std::io;
use std::path::PathBuf;

use crate::connection::{Connection, invalid};
use crate::message::{Answer, Ask};

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

/// A reader's connection, which is made when something is to be said.
pub(crate) struct Link {
    place: Place,
    connection: Option<Connection>,
    message: Vec<u8>,
}

impl Link {
    pub(crate) fn new(place: Place) -> Link {
        Link { place, connection: None, message: Vec::new() }
    }

    /// Asks and waits for the answer, however long the card takes: but no longer than the other side is alive.
    ///
    /// # Errors
    /// There is nobody there, or nobody any more, or somebody who says what means nothing.
    pub(crate) fn ask(&mut self, ask: Ask<'_>) -> io::Result<Answer<'_>> {
        ask.encode(&mut self.message).map_err(invalid)?;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.place)?),
        };
        let heard = connection.exchange(&mut self.message);
        // What is no answer comes from nobody who could be asked again.
        if heard.is_err() || Answer::decode(&self.message).is_err() {
            self.connection = None;
        }
        heard?;
        Answer::decode(&self.message).map_err(invalid)
    }
}

fn connect(place: &Place) -> io::Result<Connection> {
    let mut connection = Connection::open(place)?;
    connection.share()?;
    Ok(connection)
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
