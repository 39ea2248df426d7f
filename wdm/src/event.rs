//! Events: what a thread waits for until somebody else signals it.

use crate::machine::Machine;
use crate::schedule::{Context, Irql, Ticks};
use crate::slab::Id;

/// A KEVENT of the notification kind: once signalled it stays so until it is cleared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Event(pub(crate) Id);

const GONE: &str = "an event is not used after the stack or pool that held it is gone";

impl Machine {
    /// `KeInitializeEvent` with NotificationEvent, on the caller's stack: not signalled. The caller lets it go with
    /// [`Event::delete`].
    pub fn create_event(&mut self) -> Event {
        let (id, signalled) = self.events.take();
        *signalled = false;
        Event(id)
    }
}

impl Event {
    /// `KeSetEvent`. IRQL <= DISPATCH_LEVEL; under Driver Verifier bug check 0xC4/0x80 above.
    ///
    /// Source: Windows driver documentation, KeSetEvent; bug check 0xC4.
    pub fn set(self, m: &mut Machine) {
        let level = m.irql();
        if level > Irql::Dispatch {
            m.verifier_violation([0x80, level as u64, 0, 0], "KeSetEvent");
            m.undefined("KeSetEvent", "KeSetEvent is called at IRQL <= DISPATCH_LEVEL");
        }
        *self.data(m) = true;
    }

    /// `KeClearEvent`.
    pub fn clear(self, m: &mut Machine) {
        *self.data(m) = false;
    }

    /// `KeReadStateEvent`.
    pub fn is_signalled(self, m: &Machine) -> bool {
        match m.events.get(self.0) {
            Some(&signalled) => signalled,
            None => m.undefined("KEVENT", GONE),
        }
    }

    /// `KeWaitForSingleObject` without a time-out. IRQL <= APC_LEVEL. What the wait is for is said if it never ends.
    pub fn wait(self, m: &mut Machine, waiting_for: &'static str) {
        m.wait(waiting_for, move |m| self.is_signalled(m));
    }

    /// `KeWaitForSingleObject` for at most `limit`. Returns whether the event was signalled; STATUS_TIMEOUT otherwise. With
    /// a limit of 0 the IRQL may be DISPATCH_LEVEL.
    pub fn wait_at_most(self, m: &mut Machine, limit: Ticks) -> bool {
        m.wait_at_most(limit, move |m| self.is_signalled(m))
    }

    /// The memory that held it is gone.
    pub fn delete(self, m: &mut Machine) {
        if !m.events.release(self.0) {
            m.undefined("KEVENT", GONE);
        }
    }

    fn data(self, m: &mut Machine) -> &mut bool {
        let exit = m.exit();
        match m.events.get_mut(self.0) {
            Some(signalled) => signalled,
            None => exit.undefined("KEVENT", GONE),
        }
    }

    /// The handle as a context word.
    pub fn to_context(self) -> Context {
        Context(self.0.to_word())
    }

    /// The event that [`Event::to_context`] made a word of.
    pub fn from_context(context: Context) -> Option<Event> {
        Id::from_word(context.0).map(Event)
    }
}
