//! Where memory can be short: every place is counted, and each can be made to fail in turn.

use crate::machine::Machine;
use crate::status::{NtStatus, constants::*};

/// Which allocations fail.
#[derive(Clone, Copy)]
enum Shortage {
    None,
    Nth(u64),
    Every(&'static str),
}

/// The allocation points that were passed since counting began.
pub(crate) struct AllocationPoints {
    passed: u64,
    shortage: Shortage,
    failed: Option<&'static str>,
}

impl Machine {
    /// Begins to count allocation points, from 0. Nothing is counted, and nothing costs anything, before.
    pub fn count_allocations(&mut self) {
        self.run_short(Shortage::None);
    }

    /// Makes the `n`-th allocation from now on fail, counting from 1, and none after it: what Driver Verifier's systematic
    /// low resources simulation does run by run.
    ///
    /// Source: Windows driver documentation, "Low Resources Simulation" and "Systematic Low Resources Simulation".
    pub fn fail_allocation(&mut self, n: u64) {
        self.run_short(Shortage::Nth(n));
    }

    /// Makes every allocation by this DDI fail from now on.
    pub fn fail_allocations_of(&mut self, ddi: &'static str) {
        self.run_short(Shortage::Every(ddi));
    }

    /// How many allocation points were passed since counting began.
    pub fn allocation_points(&self) -> u64 {
        self.allocations.as_ref().map_or(0, |points| points.passed)
    }

    /// The DDI whose allocation failed last because it was to.
    pub fn failed_allocation(&self) -> Option<&'static str> {
        self.allocations.as_ref().and_then(|points| points.failed)
    }

    fn run_short(&mut self, shortage: Shortage) {
        self.allocations = Some(Box::new(AllocationPoints { passed: 0, shortage, failed: None }));
        self.look_closer();
    }

    /// A place where Windows would allocate memory for `ddi`, and may have none.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES if this allocation is to fail.
    #[inline]
    pub fn allocation_point(&mut self, ddi: &'static str) -> Result<(), NtStatus> {
        if self.watched { self.pass_allocation_point(ddi) } else { Ok(()) }
    }

    #[cold]
    fn pass_allocation_point(&mut self, ddi: &'static str) -> Result<(), NtStatus> {
        self.allocations.as_mut().map_or(Ok(()), |points| points.pass(ddi))
    }
}

impl AllocationPoints {
    fn pass(&mut self, ddi: &'static str) -> Result<(), NtStatus> {
        self.passed += 1;
        let fails = match self.shortage {
            Shortage::None => false,
            Shortage::Nth(n) => n == self.passed,
            Shortage::Every(short) => short == ddi,
        };
        if fails {
            self.failed = Some(ddi);
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_allocation_fails_and_no_other() {
        let mut machine = Machine::new();
        machine.fail_allocation(2);
        let outcomes = [(); 3].map(|()| machine.allocate_irp(1).is_ok());
        assert_eq!(outcomes, [true, false, true]);
        assert_eq!((machine.allocation_points(), machine.failed_allocation()), (3, Some("IoAllocateIrp")));
    }

    #[test]
    fn counting_alone_changes_nothing() {
        let mut machine = Machine::new();
        assert!(machine.allocate_irp(1).is_ok());
        machine.count_allocations();
        assert!(machine.allocate_irp(1).is_ok() && machine.allocate_pool(&[], 8).is_ok());
        assert_eq!(machine.allocation_points(), 2);
        machine.fail_allocations_of("ExAllocatePool2");
        assert_eq!(machine.allocate_pool(&[], 8), Err(STATUS_INSUFFICIENT_RESOURCES));
        assert!(machine.allocate_irp(1).is_ok());
    }
}
