//! A card in a reader of the host that this runs on, through PC/SC: behind the cargo feature `host-card`.
//!
//! PC/SC calls wait, so a thread of its own makes them. It answers what it is asked over a channel, and in between looks
//! whether a card is there. The card is shared with nobody while it is powered up.

use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use pcsc::{Card, Context, Disposition, Error, Protocols, ReaderState, Scope, ShareMode, State};
use thiserror::Error;

use super::{OutsideCard, OutsideError, OutsideRequest};
use crate::card::Reset;

/// How often the thread looks for the card.
const LOOK: Duration = Duration::from_millis(200);
/// The longest response APDU.
const RESPONSE_MAX: usize = 65_538;

/// Why a host's reader cannot be used.
#[derive(Debug, Error)]
pub enum HostError {
    /// PC/SC is not there, or does not answer.
    #[error("PC/SC on this machine: {0}; is its service (pcscd) running?")]
    Service(#[source] Error),
    /// No reader has this name.
    #[error("there is no reader {wanted:?} on this machine; it has: {}", found.join(", "))]
    NoSuchReader {
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: Vec<String>,
    },
}

/// The readers of this machine, by name.
///
/// # Errors
/// [`HostError::Service`].
pub fn readers() -> Result<Vec<String>, HostError> {
    let context = Context::establish(Scope::User).map_err(HostError::Service)?;
    let names = list(&context).map_err(HostError::Service)?;
    Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

fn list(context: &Context) -> Result<Vec<CString>, Error> {
    match context.list_readers_owned() {
        Err(Error::NoReadersAvailable) => Ok(Vec::new()),
        names => names,
    }
}

/// What the thread is asked. Its own copy: the thread outlives the call.
enum Ask {
    Reset(Reset),
    PowerDown,
    Transmit(Vec<u8>),
}

/// What the thread answers.
type Answer = Result<Vec<u8>, OutsideError>;

/// A card in a reader of the host.
pub struct HostCard {
    asks: Option<Sender<(u64, Ask)>>,
    /// Each with the number of what was asked: one that was given up on must not be taken for a later one's.
    answers: Receiver<(u64, Answer)>,
    present: Arc<AtomicBool>,
    asked: u64,
    answer_limit: Duration,
    thread: Option<JoinHandle<()>>,
}

impl HostCard {
    /// The card in the reader with this name, whether one is in it or not. `answer_limit` is how long an answer may take,
    /// in the time of the world outside.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn open(reader: &str, answer_limit: Duration) -> Result<HostCard, HostError> {
        let context = Context::establish(Scope::User).map_err(HostError::Service)?;
        let names = list(&context).map_err(HostError::Service)?;
        let Some(name) = names.iter().find(|name| name.to_bytes() == reader.as_bytes()).cloned() else {
            let found = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            return Err(HostError::NoSuchReader { wanted: reader.to_owned(), found });
        };
        let (asks, asked) = unbounded();
        let (answer, answers) = unbounded();
        let present = Arc::new(AtomicBool::new(look(&context, &name)));
        let seen = present.clone();
        let thread = thread::spawn(move || Worker { context, name, card: None, seen }.serve(&asked, &answer));
        Ok(HostCard { asks: Some(asks), answers, present, asked: 0, answer_limit, thread: Some(thread) })
    }

    fn ask(&mut self, ask: Ask) {
        self.asked += 1;
        if let Some(asks) = &self.asks {
            // A thread that ended answers nothing, which is found out when the answer is fetched.
            _ = asks.send((self.asked, ask));
        }
    }
}

impl OutsideCard for HostCard {
    fn is_present(&mut self) -> bool {
        self.present.load(Ordering::Relaxed)
    }

    fn begin(&mut self, request: OutsideRequest<'_>) {
        self.ask(match request {
            OutsideRequest::Reset(reset) => Ask::Reset(reset),
            OutsideRequest::PowerDown => Ask::PowerDown,
            OutsideRequest::Transmit(command) => Ask::Transmit(command.to_vec()),
        });
    }

    fn finish(&mut self, answer: &mut Vec<u8>) -> Result<(), OutsideError> {
        answer.clear();
        let deadline = Instant::now() + self.answer_limit;
        loop {
            match self.answers.recv_deadline(deadline) {
                Ok((number, result)) if number == self.asked => {
                    answer.extend_from_slice(&result?);
                    return Ok(());
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Err(OutsideError::Silence),
                Err(RecvTimeoutError::Disconnected) => return Err(OutsideError::Removed),
            }
        }
    }
}

impl Drop for HostCard {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// Whether a card is in the reader.
fn look(context: &Context, name: &CStr) -> bool {
    let mut states = [ReaderState::new(name.to_owned(), State::UNAWARE)];
    let looked = context.get_status_change(Duration::ZERO, &mut states);
    looked.is_ok() && states[0].event_state().contains(State::PRESENT)
}

/// What the thread has.
struct Worker {
    context: Context,
    name: CString,
    card: Option<Card>,
    seen: Arc<AtomicBool>,
}

impl Worker {
    fn serve(mut self, asked: &Receiver<(u64, Ask)>, answer: &Sender<(u64, Answer)>) {
        loop {
            match asked.recv_timeout(LOOK) {
                Ok((number, ask)) => {
                    let result = self.act(ask).map_err(outside_error);
                    if answer.send((number, result)).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.let_go(Disposition::UnpowerCard),
            }
            let present = look(&self.context, &self.name);
            if !present {
                self.let_go(Disposition::LeaveCard);
            }
            self.seen.store(present, Ordering::Relaxed);
        }
    }

    fn act(&mut self, ask: Ask) -> Result<Vec<u8>, Error> {
        match ask {
            Ask::PowerDown => {
                self.let_go(Disposition::UnpowerCard);
                Ok(Vec::new())
            }
            Ask::Reset(reset) => {
                match (&mut self.card, reset) {
                    (Some(card), Reset::Warm) => {
                        card.reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::ResetCard)?;
                    }
                    (Some(card), Reset::Cold) => {
                        card.reconnect(ShareMode::Exclusive, Protocols::ANY, Disposition::UnpowerCard)?;
                    }
                    (None, _) => {
                        self.card = Some(self.context.connect(&self.name, ShareMode::Exclusive, Protocols::ANY)?);
                    }
                }
                let card = self.card.as_ref().ok_or(Error::NoSmartcard)?;
                Ok(card.status2_owned()?.atr().to_vec())
            }
            Ask::Transmit(command) => {
                let card = self.card.as_ref().ok_or(Error::NoSmartcard)?;
                let mut response = vec![0; RESPONSE_MAX];
                let length = card.transmit(&command, &mut response)?.len();
                response.truncate(length);
                Ok(response)
            }
        }
    }

    fn let_go(&mut self, disposition: Disposition) {
        if let Some(card) = self.card.take() {
            // A card that is gone already needs no farewell.
            _ = card.disconnect(disposition);
        }
    }
}

fn outside_error(error: Error) -> OutsideError {
    match error {
        Error::NoSmartcard | Error::RemovedCard | Error::ReaderUnavailable | Error::UnknownReader => {
            OutsideError::Removed
        }
        Error::UnresponsiveCard | Error::Timeout => OutsideError::Silence,
        _ => OutsideError::Protocol,
    }
}
