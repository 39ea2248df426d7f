//! What happens later: DPCs, APCs, work items and timers over a virtual clock.
//!
//! Source: Windows driver documentation, KeInsertQueueDpc, IoQueueWorkItem, KeSetTimer, KeWaitForSingleObject. The order
//! between the kinds is this schedule's own: Windows promises only that a DPC runs before the IRQL drops below its own.

use std::collections::{BTreeMap, VecDeque};

use crate::address::Pool;
use crate::machine::Machine;
use crate::processors::Pause;
use crate::stop::Stop;

/// A deferred routine. It gets back the word that was queued with it, as a `PVOID` context.
pub type Routine = fn(&mut Machine, Context);

/// A driver's own word, given back to its routine: `PVOID Context`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Context(pub u64);

impl From<u32> for Context {
    fn from(word: u32) -> Self {
        Context(word.into())
    }
}

impl From<u64> for Context {
    fn from(word: u64) -> Self {
        Context(word)
    }
}

/// An interrupt request level.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u8)]
pub enum Irql {
    /// PASSIVE_LEVEL: everything is allowed.
    #[default]
    Passive = 0,
    /// APC_LEVEL: the thread gets no APC, and so no result of its own requests.
    Apc = 1,
    /// DISPATCH_LEVEL: no waiting, no paged memory.
    Dispatch = 2,
    /// A device's level, which no DDI of the request path allows.
    Device = 3,
}

/// A span of virtual time in units of 100 ns, as Windows counts it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Ticks(pub u64);

impl Ticks {
    /// `count` milliseconds.
    pub const fn from_millis(count: u64) -> Ticks {
        Ticks(count * 10_000)
    }
}

/// Names a timer that was set, so that it can be cancelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Timer {
    pub(crate) due: Ticks,
    number: u64,
}

/// The default schedule: first in, first out within a kind; DPCs before APCs before work items.
#[derive(Default)]
pub(crate) struct Schedule {
    pub(crate) irql: Irql,
    pub(crate) now: Ticks,
    timers_set: u64,
    pub(crate) dpcs: VecDeque<(Routine, Context)>,
    pub(crate) apcs: VecDeque<(Routine, Context)>,
    pub(crate) work_items: VecDeque<(Routine, Context)>,
    pub(crate) timers: BTreeMap<Timer, (Routine, Context)>,
    on_idle: Option<fn(&mut Machine) -> bool>,
    /// The number of the thread that runs: 0, or 1 in a work item. Who plays other processors numbers their threads.
    pub(crate) thread: u32,
}

impl Machine {
    /// `KeGetCurrentIrql`.
    #[inline]
    pub fn irql(&self) -> Irql {
        self.schedule.irql
    }

    /// `KeRaiseIrql` / `KeLowerIrql`: DPCs that waited run as soon as the level drops.
    pub fn set_irql(&mut self, irql: Irql) {
        self.schedule.irql = irql;
        self.look_closer();
        self.run_dpcs();
    }

    /// `KeGetCurrentThread`, as logs print it: one thread runs everything but work items, which have one of their own.
    #[inline]
    pub fn current_thread(&self) -> u64 {
        Pool::Thread.address(self.schedule.thread)
    }

    /// The virtual time since the machine was made.
    pub fn now(&self) -> Ticks {
        self.schedule.now
    }

    /// `KeInsertQueueDpc`: runs at once below DISPATCH_LEVEL, else when the level drops.
    pub fn queue_dpc(&mut self, routine: Routine, context: Context) {
        self.schedule.dpcs.push_back((routine, context));
        self.run_dpcs();
    }

    /// `KeRemoveQueueDpc`: takes back the oldest DPC that waits with this routine and context. Returns whether one did.
    pub fn remove_dpc(&mut self, routine: Routine, context: Context) -> bool {
        let dpcs = &mut self.schedule.dpcs;
        let at = dpcs.iter().position(|&(queued, word)| std::ptr::fn_addr_eq(queued, routine) && word == context);
        at.and_then(|at| dpcs.remove(at)).is_some()
    }

    /// `IoQueueWorkItem`: runs at PASSIVE_LEVEL when the current code waits or is done.
    pub fn queue_work_item(&mut self, routine: Routine, context: Context) {
        self.schedule.work_items.push_back((routine, context));
    }

    /// `KeInsertQueueApc` for the requesting thread: runs before any work item.
    pub(crate) fn queue_apc(&mut self, routine: Routine, context: Context) {
        self.schedule.apcs.push_back((routine, context));
    }

    /// `KeSetTimer` with a DPC, once, `after` from now.
    pub fn set_timer(&mut self, after: Ticks, routine: Routine, context: Context) -> Timer {
        let schedule = &mut self.schedule;
        let timer = Timer { due: Ticks(schedule.now.0.saturating_add(after.0)), number: schedule.timers_set };
        schedule.timers_set += 1;
        schedule.timers.insert(timer, (routine, context));
        timer
    }

    /// `KeCancelTimer`. Returns whether the timer had not fired yet.
    pub fn cancel_timer(&mut self, timer: Timer) -> bool {
        self.schedule.timers.remove(&timer).is_some()
    }

    /// Lets `span` of virtual time pass, firing what becomes due in order.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn advance(&mut self, span: Ticks) -> Result<(), Stop> {
        self.run(|m| {
            let end = Ticks(m.schedule.now.0.saturating_add(span.0));
            m.run_ready();
            while m.schedule.timers.first_key_value().is_some_and(|(timer, _)| timer.due <= end) {
                m.fire_next_timer();
                m.run_ready();
            }
            m.schedule.now = m.schedule.now.max(end);
        })
    }

    /// When the next timer fires, for whoever lets time pass as a clock of the world outside does.
    pub fn next_due(&self) -> Option<Ticks> {
        self.schedule.timers.first_key_value().map(|(timer, _)| timer.due)
    }

    /// Runs everything that needs no time to pass. With other processors, those do.
    #[inline]
    pub fn run_ready(&mut self) {
        while !self.has_processors() && self.run_one_ready() {}
    }

    /// `KeWaitForSingleObject` without a time-out: lets everything else run, and time pass, until `done` holds.
    ///
    /// A wait that nothing can end stops the machine with [`Stop::Hang`].
    pub fn wait(&mut self, waiting_for: &'static str, done: impl Fn(&Machine) -> bool + Send + 'static) {
        if self.has_processors() {
            return self.pause(Pause::Wait { waiting_for, until: Box::new(done) });
        }
        while !done(self) {
            self.may_block();
            if !self.run_one_ready() && !self.run_idle() && !self.fire_next_timer() {
                self.stop(Stop::Hang { waiting_for });
            }
        }
    }

    /// As [`Machine::wait`], for at most `limit`. Returns whether `done` holds.
    pub fn wait_at_most(&mut self, limit: Ticks, done: impl Fn(&Machine) -> bool + Copy + Send + 'static) -> bool {
        let end = Ticks(self.schedule.now.0.saturating_add(limit.0));
        if self.has_processors() {
            let timer = self.set_timer(limit, |_, _| {}, Context(0));
            let until = Box::new(move |m: &Machine| done(m) || m.schedule.now >= end);
            self.pause(Pause::Wait { waiting_for: "something, for a limited time", until });
            self.cancel_timer(timer);
            return done(self);
        }
        while !done(self) {
            if limit > Ticks(0) {
                self.may_block();
            }
            if self.run_one_ready() || self.run_idle() {
                continue;
            }
            match self.schedule.timers.first_key_value() {
                Some((timer, _)) if timer.due <= end => self.fire_next_timer(),
                _ => {
                    self.schedule.now = self.schedule.now.max(end);
                    return false;
                }
            };
        }
        true
    }

    /// Asks `act` whenever somebody waits and nothing can run, before time passes: the place for a thread of the world
    /// outside the model that would act now. It returns whether it did anything.
    pub fn on_idle(&mut self, act: fn(&mut Machine) -> bool) {
        self.schedule.on_idle = Some(act);
    }

    fn run_idle(&mut self) -> bool {
        let Some(act) = self.schedule.on_idle else { return false };
        self.in_thread(false, act)
    }

    fn in_thread<R>(&mut self, work_item: bool, code: impl FnOnce(&mut Machine) -> R) -> R {
        let before = std::mem::replace(&mut self.schedule.thread, work_item.into());
        let level = std::mem::replace(&mut self.schedule.irql, Irql::Passive);
        let result = code(self);
        self.schedule.irql = level;
        self.schedule.thread = before;
        result
    }

    /// A thread waits at APC_LEVEL at most: above, the dispatcher that would run another one is shut out.
    fn may_block(&self) {
        if self.schedule.irql >= Irql::Dispatch {
            self.verifier_violation([0x3B, self.schedule.irql as u64, 0, 0], "KeWaitForSingleObject");
            self.undefined("KeWaitForSingleObject", "a thread does not wait at DISPATCH_LEVEL or above");
        }
    }

    /// Moves the clock to the next timer and fires it. Returns false where none is set.
    pub fn fire_next_timer(&mut self) -> bool {
        let Some((timer, (routine, context))) = self.schedule.timers.pop_first() else { return false };
        self.schedule.now = self.schedule.now.max(timer.due);
        self.queue_dpc(routine, context);
        true
    }

    #[inline]
    fn run_one_ready(&mut self) -> bool {
        let schedule = &mut self.schedule;
        debug_assert!(schedule.dpcs.is_empty() || schedule.irql >= Irql::Dispatch, "DPCs run when they are queued");
        let next_apc = if schedule.irql < Irql::Apc { schedule.apcs.pop_front() } else { None };
        let (work_item, (routine, context)) = match next_apc {
            Some(next) => (false, next),
            None => match schedule.work_items.pop_front() {
                Some(next) => (true, next),
                None => return false,
            },
        };
        self.in_thread(work_item, |m| routine(m, context));
        true
    }

    fn run_dpcs(&mut self) {
        while self.schedule.irql < Irql::Dispatch {
            let Some((routine, context)) = self.schedule.dpcs.pop_front() else { return };
            let level = std::mem::replace(&mut self.schedule.irql, Irql::Dispatch);
            routine(self, context);
            self.schedule.irql = level;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(m: &mut Machine, context: Context) {
        m.extension_mut::<Vec<u64>>().push(context.0);
    }

    fn noting_machine() -> Machine {
        let mut machine = Machine::new();
        machine.add_extension(Vec::<u64>::new());
        machine
    }

    #[test]
    fn a_dpc_runs_as_soon_as_the_level_drops_and_a_work_item_when_the_code_is_done() {
        let mut machine = noting_machine();
        machine
            .run(|m| {
                m.queue_work_item(note, Context(3));
                m.set_irql(Irql::Dispatch);
                m.queue_dpc(note, Context(1));
                note(m, Context(0));
                m.set_irql(Irql::Passive);
                note(m, Context(2));
            })
            .unwrap();
        assert_eq!(machine.extension::<Vec<u64>>(), &[0, 1, 2, 3]);
    }

    #[test]
    fn a_dpc_that_was_taken_back_does_not_run() {
        let mut machine = noting_machine();
        let removed = machine.run(|m| {
            m.set_irql(Irql::Dispatch);
            m.queue_dpc(note, Context(1));
            m.queue_dpc(note, Context(2));
            let removed = (m.remove_dpc(note, Context(1)), m.remove_dpc(note, Context(1)));
            m.set_irql(Irql::Passive);
            removed
        });
        assert_eq!(removed, Ok((true, false)));
        assert_eq!(machine.extension::<Vec<u64>>(), &[2]);
    }

    #[test]
    fn time_that_passed_while_a_work_item_waited_does_not_come_back() {
        let mut machine = noting_machine();
        fn wait_a_while(m: &mut Machine, _: Context) {
            m.wait_at_most(Ticks(1000), |_| false);
        }
        machine.set_timer(Ticks(10), |m, _| m.queue_work_item(wait_a_while, Context(0)), Context(0));
        machine.advance(Ticks(50)).unwrap();
        assert_eq!(machine.now(), Ticks(1010));
        machine.advance(Ticks(50)).unwrap();
        assert_eq!(machine.now(), Ticks(1060));
    }

    #[test]
    fn timers_fire_in_the_order_of_their_times_and_a_cancelled_one_does_not() {
        let mut machine = noting_machine();
        machine.set_timer(Ticks::from_millis(20), note, Context(2));
        machine.set_timer(Ticks::from_millis(10), note, Context(1));
        let cancelled = machine.set_timer(Ticks::from_millis(15), note, Context(9));
        assert!(machine.cancel_timer(cancelled));
        machine.advance(Ticks::from_millis(10)).unwrap();
        assert_eq!(machine.extension::<Vec<u64>>(), &[1]);
        machine.advance(Ticks::from_millis(10)).unwrap();
        assert_eq!(machine.extension::<Vec<u64>>(), &[1, 2]);
        assert_eq!(machine.now(), Ticks::from_millis(20));
    }

    #[test]
    fn a_wait_that_nothing_can_end_is_a_hang_and_not_an_endless_loop() {
        let mut machine = noting_machine();
        let stop = machine.run(|m| m.wait("the answer", |_| false)).unwrap_err();
        assert_eq!(stop, Stop::Hang { waiting_for: "the answer" });
    }
}
