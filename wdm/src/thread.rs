//! Threads, and the requests that are in a thread's list: what becomes of them when it exits.

use crate::address::Pool;
use crate::device::DeviceObject;
use crate::irp::Irp;
use crate::machine::Machine;
use crate::schedule::Ticks;
use crate::stop::Stop;

/// An ETHREAD.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Thread(u32);

/// An entry of the system's error log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoggedError {
    /// The device that it is about: the one that owns the IRP.
    pub device: Option<DeviceObject>,
    /// The code.
    pub code: u32,
}

impl LoggedError {
    /// IO_DRIVER_CANCEL_TIMEOUT: a driver did not complete a cancelled IRP in time.
    ///
    /// Source: ntiologc.h of the public Windows headers.
    pub const DRIVER_CANCEL_TIMEOUT: u32 = 0xC004_0016;
}

/// How long an exiting thread waits for what it cancelled.
///
/// Source: Windows driver documentation, "Canceling IRPs" (5 minutes); ReactOS, IoCancelThreadIo (3,000 times 100 ms).
const CANCEL_TIMEOUT: Ticks = Ticks::from_millis(5 * 60 * 1000);

impl Thread {
    /// The thread in which everything runs that says nothing else.
    pub(crate) const FIRST: Thread = Thread(0);
    /// The system thread of work items.
    pub(crate) const WORKER: Thread = Thread(1);

    /// The thread of a processor that somebody else plays.
    pub(crate) fn numbered(number: u32) -> Thread {
        Thread(number)
    }

    /// The address that logs print.
    pub fn address(self) -> u64 {
        Pool::Thread.address(self.0)
    }

    /// Runs code in this thread, at PASSIVE_LEVEL.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn run<R>(self, m: &mut Machine, code: impl FnOnce(&mut Machine) -> R) -> Result<R, Stop> {
        m.run(|m| m.in_thread(self, code))
    }

    /// The IRPs in the thread's list, as `!thread` shows them: what it issued or built and has not heard of again, newest
    /// first.
    ///
    /// Source: ReactOS, IoQueueThreadIrp.
    pub fn irps(self, m: &Machine) -> Vec<Irp> {
        let asked = m.requests.iter().filter(|(_, request)| request.thread == self && !request.abandoned);
        let asked = asked.filter_map(|(_, request)| Some((request.number, request.irp?)));
        let built = m.built.iter().filter(|(_, request)| request.thread == self && !request.abandoned);
        let mut irps: Vec<_> = asked.chain(built.map(|(_, request)| (request.number, request.irp))).collect();
        irps.sort_by_key(|&(number, _)| std::cmp::Reverse(number));
        irps.into_iter().map(|(_, irp)| irp).collect()
    }

    /// The thread ends. Every IRP in its list is cancelled, and the thread waits for all of them. Those that are not
    /// complete after five minutes are cut off from it: an error is logged for the device that owns the IRP, and what the
    /// IRP brings back later reaches nobody.
    ///
    /// # Errors
    /// What stopped the machine.
    ///
    /// Source: Windows driver documentation, "Canceling IRPs"; ReactOS, IoCancelThreadIo and IopDisassociateThreadIrp.
    pub fn exit(self, m: &mut Machine) -> Result<(), Stop> {
        self.run(m, |m| {
            m.boundary("IoCancelThreadIo");
            for irp in self.irps(m) {
                // At APC_LEVEL: between this look and the cancelling the thread's own APC cannot free the IRP.
                if irp.exists(m) {
                    irp.cancel_now(m);
                }
            }
            if m.wait_at_most(CANCEL_TIMEOUT, move |m| self.irps(m).is_empty()) {
                return;
            }
            for irp in self.irps(m) {
                self.cut_off(m, irp);
            }
        })
    }

    fn cut_off(self, m: &mut Machine, irp: Irp) {
        // How long a driver may take is Driver Verifier's own to say; this is when the system gives up.
        m.verifier_violation([0x135, irp.address(), CANCEL_TIMEOUT.0 / 10_000, 0], "IoCancelIrp");
        let device = m[irp].current().device;
        m.error_log.push(LoggedError { device, code: LoggedError::DRIVER_CANCEL_TIMEOUT });
        m.abandon(irp);
    }
}

impl Machine {
    /// `PsCreateSystemThread`, or a program's: it does nothing until something runs in it.
    pub fn create_thread(&mut self) -> Thread {
        self.schedule.threads += 1;
        Thread(Thread::WORKER.0 + self.schedule.threads)
    }

    /// `PsGetCurrentThread`.
    #[inline]
    pub fn thread(&self) -> Thread {
        self.schedule.thread
    }

    /// The dispatcher goes on in this thread: what is asked for from now on is in its list. Returns the one that ran before.
    ///
    /// Unlike [`Thread::run`] it may be called where the machine is handed on, and the code comes from elsewhere.
    pub fn switch_thread(&mut self, to: Thread) -> Thread {
        std::mem::replace(&mut self.schedule.thread, to)
    }

    /// `KeGetCurrentThread`, as logs print it: work items have a thread of their own.
    #[inline]
    pub fn current_thread(&self) -> u64 {
        self.thread().address()
    }

    /// What was written to the system's error log.
    pub fn error_log(&self) -> &[LoggedError] {
        &self.error_log
    }

    /// The current thread, and the number of its next request.
    #[inline]
    pub(crate) fn next_of_thread(&mut self) -> (Thread, u64) {
        self.schedule.requests_issued += 1;
        (self.schedule.thread, self.schedule.requests_issued)
    }
}
