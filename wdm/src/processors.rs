//! Other processors: the places where a schedule may let other code run first, and what it may let run.
//!
//! On its own a machine runs one thing after the other, and a wait runs what is ready inside itself. Somebody outside may
//! play the other processors instead: every DDI boundary then asks it, and a wait only ends when the machine comes back
//! with what was waited for. What runs next is its choice; what each processor has of its own changes with it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::machine::Machine;
use crate::schedule::{Context, Irql, Routine, Ticks};
use crate::verifier::Call;

/// Whoever plays the other processors.
pub trait Processors: Send + Sync {
    /// The code that runs pauses. Returns when it is to go on; meanwhile `m` may have been anywhere.
    fn pause(&self, m: &mut Machine, pause: Pause);
}

/// Why code pauses.
pub enum Pause {
    /// It calls this DDI, and could go on.
    Boundary(&'static str),
    /// It waits.
    Wait {
        /// What for.
        waiting_for: &'static str,
        /// Whether that is there.
        until: Until,
    },
}

/// Whether a wait is over.
pub type Until = Box<dyn Fn(&Machine) -> bool + Send>;

/// What a processor has of its own: its level, its thread, the DPCs that wait for the level to drop.
#[derive(Default)]
pub struct Processor {
    pub(crate) irql: Irql,
    pub(crate) thread: u32,
    pub(crate) dpcs: VecDeque<(Routine, Context)>,
    /// The calls that Driver Verifier follows.
    pub(crate) calls: Vec<Call>,
}

impl Processor {
    /// A processor at PASSIVE_LEVEL that runs the thread with this number.
    pub fn of_thread(thread: u32) -> Processor {
        Processor { thread, ..Processor::default() }
    }
}

/// Something that became ready and was taken to be run.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    kind: ReadyKind,
    routine: Routine,
    context: Context,
}

/// What sort of thing it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadyKind {
    /// The second stage of a completion, in a program's thread.
    Apc,
    /// A work item, in a system worker thread.
    WorkItem,
    /// A timer's DPC.
    Timer,
}

impl ReadyKind {
    /// The kind as a reader of a schedule knows it.
    pub fn name(self) -> &'static str {
        match self {
            ReadyKind::Apc => "an APC",
            ReadyKind::WorkItem => "a work item",
            ReadyKind::Timer => "a timer",
        }
    }
}

impl Ready {
    /// What sort of thing it is.
    pub fn kind(self) -> ReadyKind {
        self.kind
    }

    /// Runs it on the processor that the machine is on.
    pub fn run(self, m: &mut Machine) {
        match self.kind {
            ReadyKind::Timer => {
                // The clock interrupt took it off the timer queue, and its DPC is about to run.
                m.boundary("KeSetTimer");
                m.queue_dpc(self.routine, self.context);
            }
            ReadyKind::Apc | ReadyKind::WorkItem => (self.routine)(m, self.context),
        }
    }
}

impl Machine {
    /// Lets `processors` decide from now on what runs at every DDI boundary and in every wait; `None` goes back to one
    /// thing after the other. Costs one branch at each boundary until it is called.
    pub fn set_processors(&mut self, processors: Option<Arc<dyn Processors>>) {
        self.processors = processors;
        self.look_closer();
    }

    /// A DDI boundary: where another processor may come first.
    #[inline]
    pub fn boundary(&mut self, ddi: &'static str) {
        if self.watched {
            self.pause(Pause::Boundary(ddi));
        }
    }

    /// Whether somebody plays the other processors.
    #[inline]
    pub fn has_processors(&self) -> bool {
        self.processors.is_some()
    }

    #[cold]
    pub(crate) fn pause(&mut self, pause: Pause) {
        if let Some(processors) = self.processors.clone() {
            processors.pause(self, pause);
        }
    }

    /// Puts another processor's own state in place, and gives back that of the one that ran.
    pub fn exchange_processor(&mut self, processor: Processor) -> Processor {
        let Processor { irql, thread, dpcs, calls } = processor;
        let schedule = &mut self.schedule;
        let left = Processor {
            irql: std::mem::replace(&mut schedule.irql, irql),
            thread: std::mem::replace(&mut schedule.thread, thread),
            dpcs: std::mem::replace(&mut schedule.dpcs, dpcs),
            calls: self
                .verifier
                .as_mut()
                .map(|verifier| std::mem::replace(&mut verifier.calls, calls))
                .unwrap_or_default(),
        };
        self.look_closer();
        left
    }

    /// What is ready to run, in the order in which an undisturbed machine would run it.
    pub fn ready(&self) -> impl Iterator<Item = ReadyKind> + '_ {
        let schedule = &self.schedule;
        let apcs = schedule.apcs.iter().map(|_| ReadyKind::Apc);
        apcs.chain(schedule.work_items.iter().map(|_| ReadyKind::WorkItem))
    }

    /// Takes the `at`-th of [`Machine::ready`], to be run by the caller.
    pub fn take_ready(&mut self, at: usize) -> Option<Ready> {
        let schedule = &mut self.schedule;
        let apcs = schedule.apcs.len();
        let (kind, taken) = if at < apcs {
            (ReadyKind::Apc, schedule.apcs.remove(at))
        } else {
            (ReadyKind::WorkItem, schedule.work_items.remove(at - apcs))
        };
        taken.map(|(routine, context)| Ready { kind, routine, context })
    }

    /// When the next timer is due.
    pub fn next_timer(&self) -> Option<Ticks> {
        self.schedule.timers.first_key_value().map(|(timer, _)| timer.due)
    }

    /// Moves the clock to the next timer and takes it, to be run by the caller.
    pub fn take_timer(&mut self) -> Option<Ready> {
        let (timer, (routine, context)) = self.schedule.timers.pop_first()?;
        self.schedule.now = self.schedule.now.max(timer.due);
        Some(Ready { kind: ReadyKind::Timer, routine, context })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_may_move_to_another_thread() {
        fn moves<T: Send>() {}
        moves::<Machine>();
    }

    #[test]
    fn each_processor_keeps_its_own_level_and_dpcs() {
        let mut machine = Machine::new();
        machine.add_extension(Vec::<u64>::new());
        let note: Routine = |m, word| m.extension_mut::<Vec<u64>>().push(word.0);
        let order = machine.run(|m| {
            m.set_irql(Irql::Dispatch);
            m.queue_dpc(note, Context(1));
            let first = m.exchange_processor(Processor::of_thread(1));
            assert_eq!(m.irql(), Irql::Passive);
            m.queue_dpc(note, Context(2));
            m.exchange_processor(first);
            assert_eq!(m.irql(), Irql::Dispatch);
            m.set_irql(Irql::Passive);
            m.extension::<Vec<u64>>().clone()
        });
        assert_eq!(order, Ok(vec![2, 1]));
    }
}
