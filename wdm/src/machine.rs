//! The machine: one value that owns every device object, IRP, file, buffer, the clock and the schedule.

use std::any::{Any, type_name};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::allocation::AllocationPoints;
use crate::build::BuiltRequest;
use crate::device::{DeviceData, DriverData};
use crate::file::FileData;
use crate::interfaces::Interfaces;
use crate::irp::{IoStatus, IrpData};
use crate::memory::Block;
use crate::names::Names;
use crate::observe::Observer;
use crate::pnp::PnpManager;
use crate::power::PowerManager;
use crate::processors::Processors;
use crate::remove_lock::RemoveLockData;
use crate::schedule::{Irql, Schedule};
use crate::slab::Slab;
use crate::stop::{BugCheck, Stop};
use crate::thread::LoggedError;
use crate::user::UserRequest;
use crate::verifier::DriverVerifier;

/// One emulated computer, used by one thread and passed by `&mut` to everything that runs on it.
///
/// There are no globals behind it: two machines never see each other, and the same calls on a new machine give the
/// same addresses, the same order and the same log.
#[derive(Default)]
pub struct Machine {
    pub(crate) drivers: Vec<DriverData>,
    pub(crate) devices: Slab<DeviceData>,
    pub(crate) irps: Slab<IrpData>,
    pub(crate) files: Slab<FileData>,
    pub(crate) blocks: Slab<Block>,
    pub(crate) requests: Slab<UserRequest>,
    pub(crate) events: Slab<bool>,
    pub(crate) remove_locks: Slab<RemoveLockData>,
    pub(crate) status_blocks: Slab<Option<IoStatus>>,
    pub(crate) built: Slab<BuiltRequest>,
    pub(crate) cancel_lock_held: bool,
    pub(crate) error_log: Vec<LoggedError>,
    pub(crate) names: Names,
    pub(crate) interfaces: Interfaces,
    pub(crate) pnp: PnpManager,
    pub(crate) power: PowerManager,
    pub(crate) schedule: Schedule,
    pub(crate) completion_port: std::collections::VecDeque<crate::user::Overlapped>,
    pub(crate) user_apcs: std::collections::VecDeque<crate::user::Overlapped>,
    pub(crate) observer: Option<Box<Observer>>,
    pub(crate) processors: Option<Arc<dyn Processors>>,
    /// Somebody watches or plays other processors, or the level is one at which nothing of this is allowed: what the I/O path asks before it looks
    /// any closer.
    pub(crate) watched: bool,
    pub(crate) allocations: Option<Box<AllocationPoints>>,
    pub(crate) verifier: Option<Box<DriverVerifier>>,
    /// The routines whose addresses were asked for.
    pub(crate) routines: Vec<usize>,
    /// The layer above, which most calls ask for, and everybody else's state.
    layer: Layer,
    extensions: Vec<Box<dyn Any + Send>>,
    stop: Option<Box<Stop>>,
    entered: bool,
}

/// The layer above: always something, so that it is found with one look.
struct Layer(Box<dyn Any + Send>);

/// The place of a layer that nobody set.
struct NoLayer;

impl Default for Layer {
    fn default() -> Layer {
        Layer(Box::new(NoLayer))
    }
}

/// What is on a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Device objects.
    pub devices: usize,
    /// IRPs, whoever has them.
    pub irps: usize,
    /// File objects.
    pub files: usize,
    /// Blocks of memory.
    pub buffers: usize,
    /// Programs' requests whose result was not collected.
    pub requests: usize,
}

/// Taken before a part of the machine is borrowed, so that a missing part can still end the machine.
#[derive(Clone, Copy)]
pub struct Exit {
    entered: bool,
}

impl Exit {
    /// As [`Machine::stop`].
    ///
    /// # Panics
    /// As [`Machine::stop`].
    #[cold]
    pub fn stop(self, stop: Stop) -> ! {
        if !self.entered {
            panic!("{stop}\n(driver code was called outside Machine::run, which would have returned this as an error)");
        }
        resume_unwind(Box::new(stop))
    }

    /// As [`Machine::undefined`].
    #[cold]
    pub fn undefined(self, ddi: &'static str, rule: &'static str) -> ! {
        self.stop(Stop::Undefined { ddi, rule })
    }
}

impl Machine {
    /// A machine with nothing on it.
    pub fn new() -> Machine {
        Machine::default()
    }

    /// Runs `code` as kernel code on this machine, then everything it made ready (DPCs, work items, PnP work).
    ///
    /// This is the one place where a bug check ends: code that calls a DDI which does not return never comes back
    /// here as `Ok`. Inside another `run` it is an ordinary call.
    ///
    /// # Errors
    /// What stopped the machine, now or earlier: a stopped machine runs nothing any more.
    pub fn run<R>(&mut self, code: impl FnOnce(&mut Machine) -> R) -> Result<R, Stop> {
        if let Some(stop) = &self.stop {
            return Err((**stop).clone());
        }
        if self.entered {
            return Ok(code(self));
        }
        self.entered = true;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let result = code(self);
            self.run_ready();
            result
        }));
        self.entered = false;
        outcome.map_err(|payload| match payload.downcast::<Stop>() {
            Ok(stop) => (*self.stop.insert(stop)).as_ref().clone(),
            Err(panic) => {
                self.stop = Some(Box::new(Stop::Panicked));
                resume_unwind(panic)
            }
        })
    }

    /// How many of everything there are at this moment: what somebody compares who looks for what was left behind.
    pub fn census(&self) -> Census {
        Census {
            devices: self.devices.len(),
            irps: self.irps.len(),
            files: self.files.len(),
            buffers: self.blocks.len(),
            requests: self.requests.len(),
        }
    }

    pub(crate) fn look_closer(&mut self) {
        let asked = self.observer.is_some() || self.allocations.is_some() || self.verifier.is_some();
        self.watched = asked || self.processors.is_some() || self.irql() > Irql::Dispatch;
    }

    /// What stopped the machine, if something did.
    pub fn stopped(&self) -> Option<&Stop> {
        self.stop.as_deref()
    }

    /// The way out for code that finds its machine unusable while it holds a part of it.
    #[inline]
    pub fn exit(&self) -> Exit {
        Exit { entered: self.entered }
    }

    /// Ends the machine and does not return, as `KeBugCheckEx` does not: unwinds to [`Machine::run`].
    ///
    /// # Panics
    /// Outside [`Machine::run`], where there is no entry point to return to.
    pub fn stop(&self, stop: Stop) -> ! {
        self.exit().stop(stop)
    }

    /// `KeBugCheckEx`.
    #[cold]
    pub fn bug_check(&self, code: u32, parameters: [u64; 4], ddi: &'static str) -> ! {
        self.stop(Stop::BugCheck(BugCheck { code, parameters, ddi, driver: None, log: Vec::new() }))
    }

    /// Stops where the real system would go on with undefined behaviour, naming the rule that was broken.
    #[cold]
    pub fn undefined(&self, ddi: &'static str, rule: &'static str) -> ! {
        self.stop(Stop::Undefined { ddi, rule })
    }

    /// Puts the layer above on the machine: one framework, which finds its state again by its type.
    pub fn set_layer<T: Any + Send>(&mut self, state: T) {
        self.layer = Layer(Box::new(state));
    }

    /// Whether a layer is there.
    pub fn has_layer(&self) -> bool {
        !self.layer.0.is::<NoLayer>()
    }

    /// The state of the layer above.
    ///
    /// # Panics
    /// If there is none of this type: a mistake in the program that builds the machine, not in what it emulates.
    #[inline]
    pub fn layer<T: Any + Send>(&self) -> &T {
        match self.layer.0.downcast_ref() {
            Some(layer) => layer,
            None => missing::<T>(),
        }
    }

    /// The state of the layer above, to change.
    ///
    /// # Panics
    /// As [`Machine::layer`].
    #[inline]
    pub fn layer_mut<T: Any + Send>(&mut self) -> &mut T {
        match self.layer.0.downcast_mut() {
            Some(layer) => layer,
            None => missing::<T>(),
        }
    }

    /// Adds state of any driver or program to the machine, found again by its type.
    pub fn add_extension<T: Any + Send>(&mut self, state: T) {
        self.extensions.push(Box::new(state));
    }

    /// State that was added with [`Machine::add_extension`].
    ///
    /// # Panics
    /// If it was never added.
    pub fn extension<T: Any + Send>(&self) -> &T {
        let found = self.extensions.iter().find_map(|extension| extension.downcast_ref());
        found.unwrap_or_else(|| missing::<T>())
    }

    /// The same, to change.
    ///
    /// # Panics
    /// If it was never added.
    pub fn extension_mut<T: Any + Send>(&mut self) -> &mut T {
        let found = self.extensions.iter_mut().find_map(|extension| extension.downcast_mut());
        found.unwrap_or_else(|| missing::<T>())
    }
}

#[cold]
fn missing<T>() -> ! {
    panic!("no {} on this machine: it is added before it is asked for", type_name::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_check_ends_the_machine_and_every_later_call_answers_with_it() {
        let mut machine = Machine::new();
        let first = machine.run(|m| -> () { m.bug_check(0x44, [1, 2, 3, 4], "IoCompleteRequest") }).unwrap_err();
        assert!(matches!(&first, Stop::BugCheck(check) if check.code == 0x44 && check.parameters == [1, 2, 3, 4]));
        assert_eq!(machine.run(|_| 5).unwrap_err(), first);
    }

    #[test]
    fn an_ordinary_panic_ends_the_machine_as_well() {
        let mut machine = Machine::new();
        let panicked = catch_unwind(AssertUnwindSafe(|| machine.run(|_| panic!("an ordinary panic"))));
        assert!(panicked.is_err());
        assert_eq!(machine.run(|_| 5), Err(Stop::Panicked));
    }

    #[test]
    #[should_panic(expected = "an ordinary panic")]
    fn an_ordinary_panic_is_not_mistaken_for_a_bug_check() {
        let _ = Machine::new().run(|_| panic!("an ordinary panic"));
    }
}
