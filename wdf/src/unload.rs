//! Unloading a driver: its EvtDriverUnload, the end of its object tree, and what the verifier finds left over.
//!
//! Source: S/core/fxdriver.cpp:170-215 (Unload); S/object/globals.cpp:750-767, 940-1009.

use vbus_wdm::Machine;

use crate::driver::Driver;
use crate::framework::{fx, fx_mut, trace};
use crate::object::Object;
use crate::pool;
use crate::trace::sites;

impl Driver {
    /// DriverUnload, which the I/O manager calls when the last device of the driver is gone: EvtDriverUnload, then every
    /// object that the driver still has is deleted, then the driver. Its log can be read afterwards.
    ///
    /// Under the verifier the log says what of the framework's pool is left: objects that somebody holds a reference on.
    /// They are destroyed when that goes.
    pub fn unload(self, m: &mut Machine) {
        let driver_object = self.driver_object(m).address();
        trace(m, self, &sites::DRIVER_UNLOADING, [self.0.handle(), driver_object]);
        let Some(unload) = fx(m).drivers.get(self.id()).map(|body| body.unload) else { return };
        if let Some(unload) = unload {
            unload(m, self);
            trace(m, self, &sites::DRIVER_UNLOADED, [self.0.handle(), driver_object]);
        }
        self.0.delete_object(m);
        pool::destroy(m, self);
        if self.verifier_on(m) {
            let still = fx(m).drivers.iter().filter(|(_, body)| body.verifier && !body.unloaded).count();
            trace(m, self, &sites::VERIFIER_SECTION_UNLOCKED, [still as u64, self.globals_address()]);
        }
    }
}

/// The driver's last reference is gone. What its log needs stays.
pub(crate) fn destroyed(m: &mut Machine, object: Object) {
    if let Some(body) = fx_mut(m).drivers.get_mut(object.id) {
        body.unloaded = true;
    }
}
