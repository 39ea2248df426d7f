//! The framework's part of a machine: where its objects live.

use vbus_wdm::{Machine, Slab};

use crate::device::DeviceBody;
use crate::driver::{Driver, DriverBody};
use crate::object::GeneralBody;
use crate::queue::QueueBody;
use crate::request::RequestBody;
use crate::trace::Site;

/// Everything that the framework keeps on a machine.
#[derive(Default)]
pub(crate) struct Framework {
    pub(crate) drivers: Slab<DriverBody>,
    pub(crate) devices: Slab<DeviceBody>,
    pub(crate) queues: Slab<QueueBody>,
    pub(crate) requests: Slab<RequestBody>,
    pub(crate) general: Slab<GeneralBody>,
}

/// The framework's state on a machine that has a framework driver.
#[inline]
pub(crate) fn fx(m: &Machine) -> &Framework {
    m.extension::<Framework>()
}

/// The same, to change.
#[inline]
pub(crate) fn fx_mut(m: &mut Machine) -> &mut Framework {
    m.extension_mut::<Framework>()
}

/// Writes a record into a driver's trace log. Verbose records are dropped unless the driver's VerboseOn is set.
///
/// For the framework's own layers; a driver has no access to the recorder, as in Windows.
#[inline]
pub fn trace<const N: usize>(m: &mut Machine, driver: Driver, site: &'static Site, arguments: [u64; N]) {
    fx_mut(m).trace(driver, site, arguments);
}

impl Framework {
    #[inline]
    pub(crate) fn trace<const N: usize>(&mut self, driver: Driver, site: &'static Site, arguments: [u64; N]) {
        if let Some(body) = self.drivers.get_mut(driver.id()) {
            body.trace(site, arguments);
        }
    }
}
