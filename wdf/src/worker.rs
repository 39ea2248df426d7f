//! System worker threads, as far as the framework needs them.

use vbus_wdm::{Irql, Machine};

/// Runs `code` as a system worker thread does: at PASSIVE_LEVEL, whatever the level of the code that waits for it.
pub(crate) fn at_passive_level(m: &mut Machine, code: impl FnOnce(&mut Machine)) {
    let waiting_at = m.irql();
    if waiting_at > Irql::Passive {
        m.set_irql(Irql::Passive);
    }
    code(m);
    if waiting_at > Irql::Passive {
        m.set_irql(waiting_at);
    }
}
