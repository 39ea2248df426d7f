//! What `vbus serve` says while it serves: lines for people, or a JSON object a line for programs.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

use super::{console, network_note};

/// For whom it speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Voice {
    /// For people.
    People,
    /// For programs.
    Programs,
}

/// What there is now. Programs may use it from here on.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Serving {
    pub(super) readers: Vec<Served>,
    /// For pcscd.
    pub(super) reader_conf: Option<PathBuf>,
    /// Where pcscd's handler connects.
    pub(super) socket: Option<PathBuf>,
}

/// A reader that is served.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Served {
    pub(super) number: u32,
    pub(super) plugged: bool,
    pub(super) card: String,
    /// In whose slot its card is.
    pub(super) vpcd: Option<SocketAddr>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
enum Line<'l> {
    Serving(&'l Serving),
    Answer { text: &'l str },
    Step { name: &'l str, status: &'l str, failures: &'l [String] },
}

impl Voice {
    /// Everything is there. Whoever waits for the readers waits for this.
    ///
    /// # Errors
    /// The standard output's.
    pub(super) fn serving(self, serving: &Serving) -> io::Result<()> {
        if self == Voice::Programs {
            self.line(&Line::Serving(serving));
            return io::stdout().flush();
        }
        for Served { number, card, plugged, .. } in &serving.readers {
            println!("reader {number}: {}{card}", if *plugged { "" } else { "not plugged in; " });
        }
        if let (Some(conf), Some(socket)) = (&serving.reader_conf, &serving.socket) {
            println!("{}: for pcscd, which is to be started after this", conf.display());
            println!("{}: where its handler connects, on this machine only", socket.display());
        }
        for reader in &serving.readers {
            if let Some(address) = reader.vpcd {
                println!("reader {}: in the vpcd at {address}{}", reader.number, network_note(address));
            }
        }
        println!("serving; end with Ctrl-C, or say: {}", console::HELP);
        io::stdout().flush()
    }

    /// An answer to what was said on the console.
    pub(super) fn answer(self, text: &str) {
        match self {
            Voice::People => println!("{text}"),
            Voice::Programs => self.line(&Line::Answer { text }),
        }
    }

    /// A step of the scenario came to this.
    pub(super) fn step(self, name: &str, status: &str, failures: &[String]) {
        if self == Voice::Programs {
            return self.line(&Line::Step { name, status, failures });
        }
        println!("{name}: {status}");
        failures.iter().for_each(|failure| println!("  not as expected: {failure}"));
    }

    fn line(self, line: &Line<'_>) {
        // Names, numbers and paths: a path that is no UTF-8 is the one thing that JSON has no words for.
        match serde_json::to_string(line) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("warning: a line cannot be said in JSON: {error}"),
        }
    }
}
