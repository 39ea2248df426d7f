//! One thread that waits for everything at once: whoever uses readers, who starts to, the console, signals, and time.
//!
//! An APDU's way is short so: it is read, travels through the stack and is answered without another thread being woken.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use thiserror::Error;
use vbus_wdm::Stop;

use super::console::{Command, HELP};
use super::desk::{Desk, PartyNumber};
use super::handler::{Handler, Lobby};
use super::party::Party;
use super::rest::Rest;
use super::voice::Voice;

/// Why the readers are gone.
#[derive(Debug, Error)]
pub enum LoopError {
    /// The machine is stopped.
    #[error("the machine stopped: {0}")]
    Stopped(#[from] Stop),
    /// Waiting failed.
    #[error("waiting for connections: {0}")]
    Io(#[from] io::Error),
}

/// A line on the console has at most so many bytes.
const LINE_MAX: usize = 1024;

/// What is waited for.
pub(super) struct EventLoop<'s> {
    pub(super) desk: Desk<'s>,
    pub(super) parties: BTreeMap<PartyNumber, Box<dyn Party>>,
    /// Those that have a request out.
    pub(super) busy: Vec<PartyNumber>,
    pub(super) next_party: u64,
    /// Where our handler connects.
    pub(super) listener: Option<UnixListener>,
    /// Signals write into the other end.
    pub(super) signals: UnixStream,
    /// Cards outside of the model write into the other end when they have something.
    pub(super) news: UnixStream,
    pub(super) lobby: Lobby,
    pub(super) voice: Voice,
    /// Where the console's lines come from, until it ends.
    pub(super) console: Option<io::Stdin>,
    pub(super) line: Vec<u8>,
    pub(super) rest: Rest,
}

/// What has something to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    Signals,
    News,
    Listener,
    Console,
    Party(PartyNumber),
}

impl<'s> EventLoop<'s> {
    /// Serves until a signal, or `quit`. Returns the machine.
    pub(super) fn run(mut self) -> Result<Desk<'s>, LoopError> {
        let mut ready = Vec::new();
        loop {
            let now = Instant::now();
            self.desk.catch_up(now)?;
            self.serve_parties(now)?;
            let due = self.parties.iter().filter(|(number, _)| !self.busy.contains(number));
            let due = due.filter_map(|(_, party)| party.due()).chain(self.desk.due()).min();
            self.wait(due, &mut ready)?;
            for source in ready.drain(..) {
                match source {
                    Source::Signals => return Ok(self.desk),
                    Source::News => self.hear()?,
                    Source::Listener => self.accept()?,
                    Source::Console if self.read_console()? => return Ok(self.desk),
                    Source::Console => {}
                    Source::Party(number) => self.receive(number)?,
                }
            }
        }
    }

    pub(super) fn add(&mut self, party: Box<dyn Party>) {
        self.parties.insert(PartyNumber(self.next_party), party);
        self.next_party += 1;
    }

    /// Gives everybody their answers, and takes what they want next.
    fn serve_parties(&mut self, now: Instant) -> Result<(), Stop> {
        loop {
            while let Some(done) = self.desk.next_done() {
                self.busy.retain(|busy| *busy != done.party);
                if let Some(party) = self.parties.get_mut(&done.party)
                    && party.done(&done.order, done.result, &done.output).is_err()
                {
                    self.give_up(done.party)?;
                }
                self.desk.given(done);
            }
            let mut started = false;
            let mut gone = Vec::new();
            for (&number, party) in self.parties.iter_mut().filter(|(number, _)| !self.busy.contains(number)) {
                match party.next(now) {
                    Ok(Some(order)) => {
                        self.desk.start(number, party.reader(), order)?;
                        self.busy.push(number);
                        started = true;
                        break;
                    }
                    Ok(None) => {}
                    Err(_) => gone.push(number),
                }
            }
            for number in gone {
                self.give_up(number)?;
            }
            if !started {
                return Ok(());
            }
        }
    }

    fn receive(&mut self, number: PartyNumber) -> Result<(), Stop> {
        match self.parties.get_mut(&number).map(|party| party.receive()) {
            Some(Err(error)) if error.kind() != ErrorKind::Interrupted => self.give_up(number),
            _ => Ok(()),
        }
    }

    fn give_up(&mut self, number: PartyNumber) -> Result<(), Stop> {
        self.parties.remove(&number);
        self.busy.retain(|busy| *busy != number);
        self.desk.forget(number)
    }

    fn hear(&mut self) -> Result<(), Stop> {
        // However often they wrote, each is looked at.
        while matches!((&self.news).read(&mut [0; 64]), Ok(1..)) {}
        self.desk.look_at_cards()
    }

    fn accept(&mut self) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        // Who cannot be accepted has gone again, or there are too many: neither is the end of the others.
        if let Ok(handler) = listener.accept().and_then(|(stream, _)| Handler::new(stream, self.lobby.clone())) {
            self.add(Box::new(handler));
        }
        Ok(())
    }

    /// Reads what was written on the console. Returns whether that is the end.
    fn read_console(&mut self) -> Result<bool, Stop> {
        let mut bytes = [0; LINE_MAX];
        // Past the buffer of the standard library: what is in there would not be waited for.
        let came = self.console.as_ref().map_or(0, |console| rustix::io::read(console, &mut bytes).unwrap_or(0));
        if came == 0 {
            // Whoever wrote there has gone, which is no reason to stop: signals are.
            self.console = None;
            return Ok(false);
        }
        self.line.extend_from_slice(&bytes[..came]);
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            match String::from_utf8_lossy(&line).trim().parse::<Command>() {
                Ok(command) => match command.run(&mut self.desk, &self.lobby.known)? {
                    Some(said) => self.voice.answer(&said),
                    None => return Ok(true),
                },
                Err(error) => self.voice.answer(&error),
            }
        }
        if self.line.len() > LINE_MAX {
            self.voice.answer(&format!("a line of more than {LINE_MAX} bytes: {HELP}"));
            self.line.clear();
        }
        Ok(false)
    }

    /// Waits until there is something to do, or until `due`.
    fn wait(&mut self, due: Option<Instant>, ready: &mut Vec<Source>) -> io::Result<()> {
        let EventLoop { rest, parties, busy, .. } = self;
        let is_asked = || parties.iter().any(|(number, party)| party.is_asking() && !busy.contains(number));
        if rest.doze(due, is_asked) {
            return Ok(());
        }
        let mut sources = vec![(Source::Signals, self.signals.as_fd()), (Source::News, self.news.as_fd())];
        sources.extend(self.listener.as_ref().map(|listener| (Source::Listener, listener.as_fd())));
        sources.extend(self.console.as_ref().map(|console| (Source::Console, console.as_fd())));
        sources.extend(parties.iter().filter_map(|(number, party)| Some((Source::Party(*number), party.socket()?))));
        let mut polled: Vec<PollFd<'_>> =
            sources.iter().map(|(_, fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        rest.sleep(due, is_asked, |left| {
            let left = left.map(|left| Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ });
            match poll(&mut polled, left.as_ref()) {
                Ok(found) => Ok(found > 0),
                Err(rustix::io::Errno::INTR) => Ok(true),
                Err(error) => Err(io::Error::from(error)),
            }
        })?;
        let hit = sources.iter().zip(&polled).filter(|(_, polled)| !polled.revents().is_empty());
        ready.extend(hit.map(|((source, _), _)| *source));
        Ok(())
    }
}
