//! The machine, in real time: requests go in, answers come out, and virtual time is the time since the start.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use vbus_bus::{OpenError, ReaderId, Service};
use vbus_reader::card::outside::News;
use vbus_reader::{Inserted, Slot};
use vbus_wdm::constants::*;
use vbus_wdm::{IoStatus, NtStatus, OpenOptions, Overlapped, Stop, Ticks};

use super::journal::Journal;
use super::order::Order;
use super::voice::Voice;
use crate::run::StepOutcome;
use crate::run::{self, Stage};
use crate::scenario::step::Step;

/// Who gets an answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct PartyNumber(pub(super) u64);

/// A request that is out.
struct Out {
    party: PartyNumber,
    reader: ReaderId,
    order: Order,
}

/// A request that is done.
pub(super) struct Done {
    pub(super) party: PartyNumber,
    pub(super) order: Order,
    pub(super) result: IoStatus,
    /// What Information counts.
    pub(super) output: Vec<u8>,
}

/// The machine with the requests that are out.
pub(super) struct Desk<'s> {
    stage: Stage<'s>,
    /// What the scenario has still to come, and when.
    steps: &'s [Step],
    next_step: Instant,
    service: Service,
    began: Instant,
    out: Vec<(Overlapped, Out)>,
    done: VecDeque<Done>,
    /// What an answer has before it is one.
    blank: Vec<u8>,
    /// Buffers of answers that were given.
    spare: Vec<Vec<u8>>,
    journal: Option<Journal>,
    voice: Voice,
    /// Cards that were pulled out.
    removed: BTreeMap<u32, Inserted>,
}

impl<'s> Desk<'s> {
    /// Opens the bus. Cards outside of the model call `news` when they have something: see [`Desk::look_at_cards`].
    pub(super) fn new(
        mut stage: Stage<'s>,
        journal: Option<Journal>,
        news: News,
        voice: Voice,
    ) -> Result<Desk<'s>, OpenError> {
        Slot::tell_news(&mut stage.m, news)?;
        let service = Service::open_with(&mut stage.m, 0, OpenOptions::OVERLAPPED)?;
        let began = Instant::now();
        let steps = &stage.scenario.step;
        Ok(Desk {
            stage,
            steps,
            next_step: began,
            service,
            began,
            out: Vec::new(),
            done: VecDeque::new(),
            blank: Vec::new(),
            spare: Vec::new(),
            journal,
            voice,
            removed: BTreeMap::new(),
        })
    }

    /// Lets virtual time catch up.
    ///
    /// # Errors
    /// What stopped the machine, here and below.
    pub(super) fn catch_up(&mut self, now: Instant) -> Result<(), Stop> {
        let elapsed = ticks(now.saturating_duration_since(self.began));
        let m = &mut self.stage.m;
        let span = elapsed.0.saturating_sub(m.now().0);
        if span > 0 {
            m.advance(Ticks(span))?;
        }
        self.play(now)?;
        self.collect();
        Ok(())
    }

    /// Plays the scenario's steps that are due. Where virtual time passes in one of them, so does real time.
    fn play(&mut self, now: Instant) -> Result<(), Stop> {
        while let ([step, rest @ ..], true) = (self.steps, now >= self.next_step) {
            self.steps = rest;
            if let Some(span) = &step.advance {
                self.next_step = now + Duration::from_millis(span.ms);
                continue;
            }
            // A scenario that was checked has one action a step.
            let Some(action) = step.actions().next() else { continue };
            let mut outcome = StepOutcome::of(step, action);
            let stopped = run::play(&mut self.stage, step, action, false, &mut outcome);
            let status = outcome.status.map_or("stopped".to_owned(), |status| status.0.to_string());
            self.voice.step(&outcome.name, &status, &outcome.failures);
            if let Some(stop) = stopped {
                return Err(stop);
            }
        }
        Ok(())
    }

    /// When the machine or the scenario wants to go on by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        let timer = self.stage.m.next_due().map(|due| self.began + Duration::from_nanos(due.0.saturating_mul(100)));
        let step = (!self.steps.is_empty()).then_some(self.next_step);
        timer.into_iter().chain(step).min()
    }

    /// Sends a request on its way through bus, target and reader.
    pub(super) fn start(&mut self, party: PartyNumber, reader: ReaderId, order: Order) -> Result<(), Stop> {
        if let Some(journal) = &mut self.journal {
            journal.sent(&self.stage, self.began.elapsed(), reader, &order);
        }
        if self.blank.len() < order.room {
            self.blank.resize(order.room, 0);
        }
        let blank = &self.blank[..order.room];
        let started = self.service.start(&mut self.stage.m, reader, order.code, &order.payload, blank)?;
        let out = Out { party, reader, order };
        match started {
            Ok(overlapped) => self.out.push((overlapped, out)),
            Err(status) => self.finish(out, IoStatus { status, information: 0 }, Vec::new()),
        }
        self.collect();
        Ok(())
    }

    /// Whoever wanted it is gone: so are its requests, as when a process ends.
    pub(super) fn forget(&mut self, party: PartyNumber) -> Result<(), Stop> {
        let its = self.out.iter().filter(|(_, out)| out.party == party);
        let its: Vec<Overlapped> = its.map(|(overlapped, _)| *overlapped).collect();
        for overlapped in its {
            self.stage.m.cancel_io(overlapped)?;
        }
        // A reader that waits for a card outside sees it there.
        self.look_at_cards()
    }

    /// The next request that is done. [`Desk::given`] takes it back.
    pub(super) fn next_done(&mut self) -> Option<Done> {
        self.done.pop_front()
    }

    /// An answer was given.
    pub(super) fn given(&mut self, done: Done) {
        // As many as there are requests out at a time.
        if self.spare.len() <= self.out.len() {
            self.spare.push(done.output);
        }
    }

    fn collect(&mut self) {
        while let Some(overlapped) = self.stage.m.next_completion() {
            let Some(at) = self.out.iter().position(|(of, _)| *of == overlapped) else { continue };
            let (_, out) = self.out.swap_remove(at);
            let mut output = self.spare.pop().unwrap_or_default();
            output.clear();
            output.resize(out.order.room, 0);
            let result = self.stage.m.overlapped_result(overlapped, &mut output);
            let result = result.unwrap_or(IoStatus { status: STATUS_UNSUCCESSFUL, information: 0 });
            output.truncate(usize::try_from(result.information).unwrap_or(0));
            self.finish(out, result, output);
        }
    }

    fn finish(&mut self, Out { party, reader, order }: Out, result: IoStatus, output: Vec<u8>) {
        if let Some(journal) = &mut self.journal {
            journal.answered(&self.stage, self.began.elapsed(), reader, &order, result.status, &output);
        }
        self.done.push_back(Done { party, order, result, output });
    }

    /// Plugs a reader in, with a new card in it.
    pub(super) fn plug_in(&mut self, reader: u32) -> Result<NtStatus, Stop> {
        self.removed.remove(&reader);
        self.plug(|service, m| service.plug_in(m, ReaderId(reader)))
    }

    /// Pulls a reader out, whatever it is doing.
    pub(super) fn unplug(&mut self, reader: u32) -> Result<NtStatus, Stop> {
        self.plug(|service, m| service.unplug(m, ReaderId(reader)))
    }

    fn plug(
        &mut self,
        act: impl FnOnce(Service, &mut vbus_wdm::Machine) -> Result<NtStatus, Stop>,
    ) -> Result<NtStatus, Stop> {
        // A handle of its own, as the other one does not wait.
        let m = &mut self.stage.m;
        let service = match Service::open(m, 0) {
            Ok(service) => service,
            Err(OpenError::Stopped(stop)) => return Err(stop),
            Err(OpenError::Refused { status, .. }) => return Ok(status),
            Err(OpenError::NoSuchBus { .. }) => return Ok(STATUS_NO_SUCH_DEVICE),
        };
        let status = act(service, m)?;
        service.close(m)?;
        self.collect();
        Ok(status)
    }

    /// Looks which cards outside of the model came, went or answered.
    pub(super) fn look_at_cards(&mut self) -> Result<(), Stop> {
        for slot in Slot::all(&self.stage.m) {
            slot.poll(&mut self.stage.m)?;
        }
        self.collect();
        Ok(())
    }

    fn slot(&self, reader: u32) -> Option<Slot> {
        let m = &self.stage.m;
        Slot::of(m, self.stage.reader_node(0, reader)?.pdo(m)?)
    }

    /// Puts the card back that was pulled out of a reader. Returns whether there was one to put back, and room for it.
    pub(super) fn insert(&mut self, reader: u32) -> Result<bool, Stop> {
        let (Some(slot), Some(card)) = (self.slot(reader), self.removed.remove(&reader)) else { return Ok(false) };
        let inserted = slot.insert(&mut self.stage.m, card)?;
        self.collect();
        Ok(inserted.is_ok())
    }

    /// Pulls a reader's card out, whatever it is doing. Returns whether there was one.
    pub(super) fn remove(&mut self, reader: u32) -> Result<bool, Stop> {
        let Some(slot) = self.slot(reader) else { return Ok(false) };
        let card = slot.remove(&mut self.stage.m)?;
        self.collect();
        let removed = card.is_some();
        self.removed.extend(card.map(|card| (reader, card)));
        Ok(removed)
    }

    /// Closes what is open, as a service that stops does.
    pub(super) fn close(mut self) -> Result<(), Stop> {
        self.service.close(&mut self.stage.m)?;
        if let Some(journal) = &mut self.journal {
            journal.flush();
        }
        Ok(())
    }
}

fn ticks(span: Duration) -> Ticks {
    Ticks(u64::try_from(span.as_nanos() / 100).unwrap_or(u64::MAX))
}
