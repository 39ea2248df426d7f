//! `vbus serve`: readers of the model as real PC/SC readers of this machine.
//!
//! Everything that a program sends becomes a control IRP to the bus, which forwards it to the reader through its I/O target.
//! Two kinds of program can be at the other end: pcscd, through the handler in `ifd/`, and a vpcd, for which the reader's card is
//! a card. Both stay on this machine unless they are told otherwise.

mod console;
mod desk;
mod event_loop;
mod handler;
mod journal;
mod order;
mod party;
mod pcsc;
pub mod reader_conf;
mod rest;
mod voice;
mod vpcd;
mod watch;

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use thiserror::Error;
use vbus_bus::{OpenError, ReaderId};
use vbus_ifd::doorbell::Doorbell;
use vbus_reader::card::outside::News;
use vbus_reader::card::outside::remote::PORT;

use crate::readers::{self, ReaderArgument, ReadersError};
use crate::run::{RunError, Stage};
use crate::scenario::Scenario;
use crate::scenario::card::{BuiltIn, Card, CardFile};
use crate::scenario::reader::Reader;
use crate::setup::SetupError;
use desk::Desk;
use event_loop::EventLoop;
pub use event_loop::LoopError;
use handler::Lobby;
use journal::Journal;
pub use reader_conf::ReaderConfError;
use rest::Rest;
pub use voice::Voice;
use voice::{Served, Serving};
use vpcd::CardSide;

/// What `vbus serve` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// A scenario; or readers, as [NUMBER=]CARD: a file with a card's profile or script, built-in, empty, unplugged, or
    /// remote:PORT for an emulator that connects there
    #[arg(value_name = "FILE", required = true)]
    readers: Vec<ReaderArgument>,
    /// Write a reader.conf for pcscd, which then shows the readers through our own IFD handler
    #[arg(long, value_name = "PATH")]
    reader_conf: Option<PathBuf>,
    /// Where the IFD handler finds this program [default: PATH of the reader.conf with .sock]
    #[arg(long, value_name = "PATH", requires = "reader_conf")]
    socket: Option<PathBuf>,
    /// The IFD handler [default: beside this program]
    #[arg(long, value_name = "PATH", requires = "reader_conf")]
    ifd_handler: Option<PathBuf>,
    /// Put the readers' cards into the slots of a vpcd that runs there; each further reader takes the next port
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:35963")]
    vpcd: Option<String>,
    /// Allow addresses that are not this machine's, of a vpcd and for emulators: nothing on the way is protected, neither
    /// APDUs nor PINs, and whoever reaches an emulator's port is the card
    #[arg(long)]
    allow_network: bool,
    /// Write the trace log: every APDU, its status, and what it left in the drivers' logs. PINs are masked
    #[arg(long, value_name = "PATH")]
    trace: Option<PathBuf>,
    /// Keep what cards change in this directory, one file a reader
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,
}

/// Why there are no readers.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Nobody could see them.
    #[error(
        "nobody would see the readers: say --reader-conf PATH for a pcscd that loads it, or --vpcd for one that runs"
    )]
    Nobody,
    /// There are no such readers.
    #[error(transparent)]
    Readers(#[from] ReadersError),
    /// The stacks cannot be built.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The stacks cannot be started.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The bus cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There can be no reader.conf.
    #[error(transparent)]
    ReaderConf(#[from] ReaderConfError),
    /// Something else is at the socket's path.
    #[error("{}: another `vbus serve` listens there, or something that is no socket is there; take another path with --socket", .0.display())]
    Occupied(PathBuf),
    /// An address is of no use.
    #[error("{0}: no address with a port, such as 127.0.0.1:{PORT}")]
    Address(String),
    /// An address is another machine's.
    #[error(
        "{0} is not a loopback address: whoever listens there hears every PIN; say --allow-network if that is meant"
    )]
    NotLoopback(SocketAddr),
    /// There are not enough ports.
    #[error("{readers} readers from port {port} on: ports end at 65535")]
    Ports {
        /// How many.
        readers: usize,
        /// The first port.
        port: u16,
    },
    /// The system refused something.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// They were there, and are gone.
    #[error(transparent)]
    Loop(#[from] LoopError),
}

fn io(what: impl ToString) -> impl FnOnce(io::Error) -> ServeError {
    move |error| ServeError::Io { what: what.to_string(), error }
}

/// Serves until SIGINT, SIGTERM, or `quit` on the console.
///
/// # Errors
/// [`ServeError`].
pub fn run(options: &Options, voice: Voice) -> Result<(), ServeError> {
    if options.reader_conf.is_none() && options.vpcd.is_none() {
        return Err(ServeError::Nobody);
    }
    if let Some(keep) = &options.keep {
        fs::create_dir_all(keep).map_err(io(keep.display()))?;
    }
    let scenario = readers::scenario(&options.readers, options.keep.as_deref(), options.allow_network)?;
    let readers = readers_of(&scenario);
    let mut stage = Stage::load(&scenario)?;
    stage.start()?;
    let journal = match &options.trace {
        Some(path) => {
            let file = File::create(path).map_err(io(path.display()))?;
            Some(Journal::new(Box::new(BufWriter::new(file)), &stage))
        }
        None => None,
    };
    let (heard, news) = news()?;
    let desk = Desk::new(stage, journal, news, voice)?;
    let vpcds = vpcds(options, readers)?;
    let signals = signals()?;
    let socket = options.reader_conf.as_deref().map(|conf| listen(options, conf, readers)).transpose()?;
    let (listener, socket) = socket.map_or((None, None), |(listener, socket)| (Some(listener), Some(socket)));
    let serving = Serving {
        readers: readers.iter().map(|reader| served(reader, &vpcds)).collect(),
        reader_conf: options.reader_conf.clone(),
        socket: socket.as_ref().map(|socket| socket.0.clone()),
    };
    // Where the system has none, everything goes over sockets.
    let (doorbell, file) = Doorbell::create().map_or((None, None), |(doorbell, file)| (Some(doorbell), Some(file)));
    let mut event_loop = EventLoop {
        desk,
        parties: BTreeMap::new(),
        busy: Vec::new(),
        next_party: 0,
        listener,
        signals,
        news: heard,
        lobby: Lobby {
            known: readers.iter().map(|reader| *reader.id.get_ref()).collect(),
            doorbell: file.map(Rc::new),
        },
        voice,
        console: Some(io::stdin()),
        line: Vec::new(),
        rest: Rest::new(doorbell),
    };
    for (reader, address) in vpcds {
        event_loop.add(Box::new(CardSide::new(reader, address)));
    }
    voice.serving(&serving).map_err(io("standard output"))?;
    let result = event_loop.run();
    // Whoever still asks is told the truth from now on: there is nobody here.
    drop(socket);
    result?.close().map_err(LoopError::Stopped)?;
    Ok(())
}

/// The readers of the scenario's bus.
fn readers_of(scenario: &Scenario) -> &[Reader] {
    scenario.bus.first().map_or(&[], |bus| &bus.reader)
}

fn served(reader: &Reader, vpcds: &[(ReaderId, SocketAddr)]) -> Served {
    let number = *reader.id.get_ref();
    let vpcd = vpcds.iter().find(|known| known.0.0 == number).map(|known| known.1);
    Served { number, plugged: reader.plugged, card: describe(reader), vpcd }
}

fn describe(reader: &Reader) -> String {
    match &reader.card {
        Card::BuiltIn(BuiltIn::Iso7816) => "the built-in card".to_owned(),
        Card::BuiltIn(BuiltIn::None) => "no card".to_owned(),
        Card::File(CardFile::Profile(path) | CardFile::Script(path)) => path.get_ref().clone(),
        Card::File(CardFile::Kept(kept)) => format!("{}, kept in {}", kept.profile.get_ref(), kept.file.get_ref()),
        Card::File(CardFile::Remote(address) | CardFile::RemoteOverNetwork(address)) => {
            let note = address.get_ref().parse().map_or("", network_note);
            format!("a card emulator that connects to {}{note}", address.get_ref())
        }
    }
}

/// A socket into which both signals write.
fn signals() -> Result<UnixStream, ServeError> {
    let failed = || io("signals");
    let (read, write) = UnixStream::pair().map_err(failed())?;
    for signal in [SIGINT, SIGTERM] {
        let write = write.try_clone().map_err(failed())?;
        signal_hook::low_level::pipe::register(signal, write).map_err(failed())?;
    }
    Ok(read)
}

/// A socket into which cards outside of the model write when they have something.
fn news() -> Result<(UnixStream, News), ServeError> {
    let failed = || io("a socket for what cards do");
    let (heard, tell) = UnixStream::pair().map_err(failed())?;
    heard.set_nonblocking(true).map_err(failed())?;
    tell.set_nonblocking(true).map_err(failed())?;
    // What is full is going to be heard.
    Ok((heard, Arc::new(move || _ = (&tell).write(&[0]))))
}

/// The socket's path, which goes with whoever listens there.
struct SocketPath(PathBuf);

impl Drop for SocketPath {
    fn drop(&mut self) {
        // If somebody else was faster, that is as well.
        _ = fs::remove_file(&self.0);
    }
}

/// Listens for our handler, and writes the reader.conf that leads it here.
fn listen(options: &Options, conf: &Path, readers: &[Reader]) -> Result<(UnixListener, SocketPath), ServeError> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(io(path.display()));
    let handler = match &options.ifd_handler {
        Some(path) => path.clone(),
        None => reader_conf::handler()?,
    };
    // pcscd changes to / before it loads anything.
    let handler = absolute(&handler)?;
    let socket = match &options.socket {
        Some(path) => absolute(path)?,
        None => {
            let mut beside = conf.as_os_str().to_owned();
            beside.push(".sock");
            absolute(Path::new(&beside))?
        }
    };
    let numbers: Vec<u32> = readers.iter().map(|reader| *reader.id.get_ref()).collect();
    let text = reader_conf::text(&handler, &socket, &numbers)?;
    reader_conf::write(conf, &text)?;
    let listener = bind(&socket)?;
    let path = SocketPath(socket);
    // pcscd runs as root; nobody else has any business with the cards.
    fs::set_permissions(&path.0, Permissions::from_mode(0o600)).map_err(io(path.0.display()))?;
    listener.set_nonblocking(true).map_err(io(path.0.display()))?;
    Ok((listener, path))
}

/// Listens at a path, also where a run that was killed left its socket.
fn bind(path: &Path) -> Result<UnixListener, ServeError> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let deserted = UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
            if !deserted {
                return Err(ServeError::Occupied(path.to_owned()));
            }
            fs::remove_file(path).and_then(|()| UnixListener::bind(path)).map_err(io(path.display()))
        }
        bound => bound.map_err(io(path.display())),
    }
}

/// The slot of a vpcd for each reader.
fn vpcds(options: &Options, readers: &[Reader]) -> Result<Vec<(ReaderId, SocketAddr)>, ServeError> {
    let Some(text) = &options.vpcd else { return Ok(Vec::new()) };
    let mut found = text.to_socket_addrs().map_err(|_| ServeError::Address(text.clone()))?;
    let first = found.next().ok_or_else(|| ServeError::Address(text.clone()))?;
    if !first.ip().is_loopback() && !options.allow_network {
        return Err(ServeError::NotLoopback(first));
    }
    let slots = readers.iter().enumerate().map(|(at, reader)| {
        let port = u16::try_from(usize::from(first.port()) + at)
            .map_err(|_| ServeError::Ports { readers: readers.len(), port: first.port() })?;
        Ok((ReaderId(*reader.id.get_ref()), SocketAddr::new(first.ip(), port)))
    });
    slots.collect()
}

fn network_note(address: SocketAddr) -> &'static str {
    match address.ip() {
        ip if IpAddr::is_loopback(&ip) => ", on this machine only",
        _ => ", over the network and without protection",
    }
}
