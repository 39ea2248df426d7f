//! A card in another process, over vpcd's protocol: card emulators such as vsmartcard's vicc connect to it.
//!
//! One connection is one card: it is inserted when an emulator connects and removed when the connection ends. Every message
//! is a length of two bytes, high byte first, and so many bytes. A message of one byte is a control code: power off, power
//! on and reset have no answer, and the question for the ATR has; any other message is a command APDU, and its answer the
//! response APDU. So a command of one byte cannot be sent.
//!
//! A thread of its own waits for connections and reads; what it reads comes over a channel. Each message is one write with
//! Nagle's algorithm off: two small ones would wait for the other side's delayed acknowledgement, 40 ms each.
//!
//! Source: frankmorgner/vsmartcard, virtualsmartcard/src/vpcd/vpcd.c and vpcd.h, virtualsmartcard/README.md.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use thiserror::Error;

use super::{News, OutsideCard, OutsideError, OutsideRequest};
use crate::card::Reset;

/// Where vpcd listens for its first card; the next slot is one higher.
pub const PORT: u16 = 35_963;

const POWER_OFF: u8 = 0x00;
const POWER_ON: u8 = 0x01;
const RESET: u8 = 0x02;
const GET_ATR: u8 = 0x04;

/// The longest message.
const MESSAGE_MAX: usize = 0xFFFF;
/// SCARD_ATR_LENGTH.
const ATR_MAX: usize = 33;
/// What the reading thread may be ahead of the reader: an emulator that talks without being asked is not listened to.
const UNREAD_MAX: usize = 4;
/// How long one attempt to connect to an emulator may take, and how long it is until the next one.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
const CONNECT_PAUSE: Duration = Duration::from_millis(200);

/// How the two sides meet, and how long one waits for the other.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    /// How long an answer may take, in the time of the world outside.
    pub answer_limit: Duration,
    /// Addresses outside of this machine are allowed. There is no protection of any kind on the way.
    pub allow_network: bool,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        RemoteOptions { answer_limit: Duration::from_secs(10), allow_network: false }
    }
}

/// Why no card can be waited for.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// The address is another machine's, or every machine's.
    #[error(
        "{address} is not a loopback address: whoever reaches it could pose as the card, and hears every PIN; use 127.0.0.1, \
         or allow the network on purpose"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The socket could not be made.
    #[error("{address}: {error}")]
    Io {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
}

/// What the thread has to tell.
enum Event {
    Connected(TcpStream),
    Message(Vec<u8>),
    Closed,
}

/// What was asked and not yet fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Nothing,
    /// It needs no answer.
    Done,
    Failed(OutsideError),
    Atr,
    Response,
}

/// A card in another process.
pub struct RemoteCard {
    address: SocketAddr,
    answer_limit: Duration,
    /// Until when there has to be an answer to what was asked last.
    deadline: Instant,
    events: Option<Receiver<Event>>,
    /// What came while nobody waited for it.
    early: Option<Event>,
    news: Arc<OnceLock<News>>,
    stream: Option<TcpStream>,
    powered: bool,
    asked: Asked,
    outgoing: Vec<u8>,
    stop: Arc<AtomicBool>,
    /// Ends the pause between two attempts to connect.
    wake: Sender<()>,
    listening: bool,
    thread: Option<JoinHandle<()>>,
}

impl RemoteCard {
    /// Waits for an emulator to connect, one at a time. Port 0 takes any free one: see [`RemoteCard::address`].
    ///
    /// # Errors
    /// [`RemoteError`].
    pub fn listen(address: SocketAddr, options: &RemoteOptions) -> Result<RemoteCard, RemoteError> {
        check(address, options)?;
        let failed = |error| RemoteError::Io { address, error };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(RemoteCard::start(address, options, true, move |events, stop, _| {
            while let Ok((stream, _)) = listener.accept() {
                if stop.load(Ordering::Relaxed) || !events.converse(stream) {
                    return;
                }
            }
        }))
    }

    /// Connects to an emulator that listens, and again whenever the connection ends.
    ///
    /// # Errors
    /// [`RemoteError::NotLoopback`].
    pub fn connect(address: SocketAddr, options: &RemoteOptions) -> Result<RemoteCard, RemoteError> {
        check(address, options)?;
        Ok(RemoteCard::start(address, options, false, move |events, stop, woken| {
            while !stop.load(Ordering::Relaxed) {
                let connected = TcpStream::connect_timeout(&address, CONNECT_LIMIT);
                if connected.is_ok_and(|stream| !events.converse(stream)) {
                    return;
                }
                // Nobody there, or nobody any more. Being woken is no other thing than the pause being over.
                _ = woken.recv_timeout(CONNECT_PAUSE);
            }
        }))
    }

    fn start(
        address: SocketAddr,
        options: &RemoteOptions,
        listening: bool,
        serve: impl FnOnce(&Teller, &AtomicBool, &Receiver<()>) + Send + 'static,
    ) -> RemoteCard {
        let (sender, events) = bounded(UNREAD_MAX);
        let (wake, woken) = bounded(1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let news = Arc::new(OnceLock::new());
        let teller = Teller { events: sender, news: news.clone() };
        let thread = thread::spawn(move || serve(&teller, &stopping, &woken));
        RemoteCard {
            address,
            answer_limit: options.answer_limit,
            deadline: Instant::now(),
            events: Some(events),
            early: None,
            news,
            stream: None,
            powered: false,
            asked: Asked::Nothing,
            outgoing: Vec::with_capacity(300),
            stop,
            wake,
            listening,
            thread: Some(thread),
        }
    }

    /// Where it listens, or what it connects to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a card is there. Returns whether one is.
    pub fn wait_for_card(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.stream.is_none() {
            match self.next_event(deadline) {
                Ok(event) => self.notice(event),
                Err(_) => return false,
            }
        }
        true
    }

    fn next_event(&mut self, deadline: Instant) -> Result<Event, RecvTimeoutError> {
        if let Some(event) = self.early.take() {
            return Ok(event);
        }
        match &self.events {
            Some(events) => events.recv_deadline(deadline),
            None => Err(RecvTimeoutError::Disconnected),
        }
    }

    /// Something that nobody was waiting for.
    fn notice(&mut self, event: Event) {
        match event {
            Event::Connected(stream) => {
                self.stream = Some(stream);
                self.powered = false;
            }
            // An answer without a question: what comes next could not be told from an answer.
            Event::Message(_) => self.hang_up(),
            Event::Closed => self.stream = None,
        }
    }

    /// Ends the connection, which takes the card away.
    fn hang_up(&mut self) {
        if let Some(stream) = self.stream.take() {
            // If the other side was faster, that is as well.
            _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn put(&mut self, message: &[u8]) {
        self.outgoing.extend((message.len() as u16).to_be_bytes());
        self.outgoing.extend_from_slice(message);
    }

    /// Sends what was put together, in one write.
    fn send(&mut self, then: Asked) -> Asked {
        let outgoing = std::mem::take(&mut self.outgoing);
        let sent = match &mut self.stream {
            Some(stream) => stream.write_all(&outgoing).is_ok(),
            None => false,
        };
        self.outgoing = outgoing;
        self.outgoing.clear();
        if sent {
            return then;
        }
        self.hang_up();
        Asked::Failed(OutsideError::Removed)
    }

    /// The answer to what was asked last.
    fn answer(&mut self) -> Result<Vec<u8>, OutsideError> {
        match self.next_event(self.deadline) {
            Ok(Event::Message(message)) => Ok(message),
            Ok(event) => {
                self.notice(event);
                Err(OutsideError::Removed)
            }
            Err(RecvTimeoutError::Timeout) => {
                // What comes late must not be taken for the next answer.
                self.hang_up();
                Err(OutsideError::Silence)
            }
            Err(RecvTimeoutError::Disconnected) => Err(OutsideError::Removed),
        }
    }
}

fn check(address: SocketAddr, options: &RemoteOptions) -> Result<(), RemoteError> {
    if address.ip().is_loopback() || options.allow_network {
        return Ok(());
    }
    Err(RemoteError::NotLoopback { address })
}

/// What the thread tells the card, and whoever is to look then.
struct Teller {
    events: Sender<Event>,
    news: Arc<OnceLock<News>>,
}

impl Teller {
    /// Returns whether anybody still wants to hear.
    fn tell(&self, event: Event) -> bool {
        let heard = self.events.send(event).is_ok();
        if let Some(news) = self.news.get() {
            news();
        }
        heard
    }

    /// Reads messages until the connection ends. Returns whether anybody still wants to hear.
    fn converse(&self, mut stream: TcpStream) -> bool {
        let ready = stream.set_nodelay(true).and_then(|()| stream.try_clone());
        let Ok(writer) = ready else { return true };
        if !self.tell(Event::Connected(writer)) {
            return false;
        }
        while let Ok(message) = read_message(&mut stream) {
            if !self.tell(Event::Message(message)) {
                return false;
            }
        }
        self.tell(Event::Closed)
    }
}

fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message)?;
    Ok(message)
}

impl OutsideCard for RemoteCard {
    fn is_present(&mut self) -> bool {
        let before = self.stream.is_some();
        // While an answer is awaited, what comes is not news. A card that went and another that came are two of them, each
        // for a look of its own.
        while self.stream.is_some() == before && matches!(self.asked, Asked::Nothing | Asked::Done | Asked::Failed(_)) {
            let event = self.early.take().or_else(|| self.events.as_ref()?.try_recv().ok());
            let Some(event) = event else { break };
            self.notice(event);
        }
        self.stream.is_some()
    }

    fn begin(&mut self, request: OutsideRequest<'_>) {
        self.outgoing.clear();
        self.deadline = Instant::now() + self.answer_limit;
        self.asked = match request {
            OutsideRequest::Reset(Reset::Cold) => {
                // There is no cold reset: power off and on.
                if self.powered {
                    self.put(&[POWER_OFF]);
                }
                self.put(&[POWER_ON]);
                self.put(&[GET_ATR]);
                self.powered = true;
                self.send(Asked::Atr)
            }
            OutsideRequest::Reset(Reset::Warm) => {
                self.put(&[RESET]);
                self.put(&[GET_ATR]);
                self.send(Asked::Atr)
            }
            OutsideRequest::PowerDown => {
                self.put(&[POWER_OFF]);
                self.powered = false;
                self.send(Asked::Done)
            }
            // One byte would be a control code, and none is an error.
            OutsideRequest::Transmit(command) if !(2..=MESSAGE_MAX).contains(&command.len()) => {
                Asked::Failed(OutsideError::Protocol)
            }
            OutsideRequest::Transmit(command) => {
                self.put(command);
                self.send(Asked::Response)
            }
        };
    }

    fn finish(&mut self, answer: &mut Vec<u8>) -> Result<(), OutsideError> {
        answer.clear();
        let allowed = match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing | Asked::Done => return Ok(()),
            Asked::Failed(error) => return Err(error),
            Asked::Atr => 2..=ATR_MAX,
            Asked::Response => 2..=MESSAGE_MAX,
        };
        let message = self.answer()?;
        if !allowed.contains(&message.len()) {
            return Err(OutsideError::Protocol);
        }
        answer.extend_from_slice(&message);
        Ok(())
    }

    fn give_up(&mut self) {
        if matches!(self.asked, Asked::Atr | Asked::Response) {
            self.asked = Asked::Nothing;
            self.hang_up();
        }
    }

    fn tell(&mut self, news: News) {
        // Whoever was told first goes on being told.
        _ = self.news.set(news);
    }

    fn time_left(&mut self) -> Option<Duration> {
        if self.news.get().is_none() || !matches!(self.asked, Asked::Atr | Asked::Response) {
            return None;
        }
        self.early = self.early.take().or_else(|| self.events.as_ref()?.try_recv().ok());
        let left = self.deadline.saturating_duration_since(Instant::now());
        (self.early.is_none() && !left.is_zero()).then_some(left)
    }
}

impl Drop for RemoteCard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that waits to tell something, reads, waits for a connection or between two attempts: each has its way
        // to be woken.
        self.events = None;
        self.hang_up();
        _ = self.wake.try_send(());
        if self.listening {
            _ = TcpStream::connect_timeout(&self.address, CONNECT_LIMIT);
        }
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
