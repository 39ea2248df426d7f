//! What is left when everything was closed and removed.

use vbus_wdf::object_count;
use vbus_wdm::{Census, Ticks};

use crate::explore::Failure;
use crate::run::Stage;

/// What is left on a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Remains {
    census: Census,
    objects: usize,
}

/// How long what still runs has for its end.
const SETTLE: Ticks = Ticks::from_millis(10_000);

/// The programs close their handles, and all buses are removed.
///
/// # Errors
/// What stopped the machine, or a bus that cannot be removed.
pub(super) fn remove_everything(mut stage: Stage<'_>) -> Result<Remains, Failure> {
    stage.m.advance(SETTLE)?;
    for handle in stage.take_handles() {
        stage.m.close_handle(handle)?;
    }
    for bus in std::mem::take(&mut stage.buses) {
        if !bus.exists(&stage.m) {
            continue;
        }
        if let Err(status) = stage.m.remove_device(bus)? {
            return Err(format!("a bus cannot be removed any more: {status}").into());
        }
    }
    stage.m.advance(SETTLE)?;
    match stage.m.irps_out() {
        0 => Ok(Remains { census: stage.m.census(), objects: object_count(&stage.m) }),
        out => Err(Failure::Lost(out)),
    }
}

impl Remains {
    /// What there is more of than in `normal`, as a sentence.
    pub(super) fn more_than(&self, normal: &Remains) -> Option<String> {
        let (now, then) = (self.census, normal.census);
        let counts = [
            ("device objects", now.devices, then.devices),
            ("IRPs", now.irps, then.irps),
            ("file objects", now.files, then.files),
            ("blocks of memory", now.buffers, then.buffers),
            ("framework objects", self.objects, normal.objects),
        ];
        let more = counts.iter().filter(|(_, now, then)| now > then);
        let more: Vec<String> = more.map(|(what, now, then)| format!("{now} {what} instead of {then}")).collect();
        (!more.is_empty())
            .then(|| format!("something leaked: when everything is removed there are {}", more.join(", ")))
    }
}
