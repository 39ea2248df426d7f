//! The I/O targets of an FDO or a filter that the framework makes with the device, and that go with it: the one for the
//! device below, and the one for the device itself where the driver asked for it.
//!
//! What a target can do is the business of the layer of I/O targets, which takes an object over when a driver first asks
//! for it.
//!
//! Source: S/irphandlers/pnp/fxpkgfdo.cpp:1534-1583 (creation), S/targets/general/fxiotarget.cpp:154-240 (disposal).

use std::any::Any;

use vbus_wdm::{Machine, NtStatus};

use super::Device;
use crate::framework::{fx_mut, trace};
use crate::object::{Attributes, Class, Handle, Object, create_general};
use crate::trace::sites;

/// FX_TYPE_IO_TARGET and FX_TYPE_IO_TARGET_SELF. A target that nobody has used has no requests to wait for when it goes,
/// and says so all the same.
static UNUSED: Class = Class { dispose: disposed, ..Class::new(0x1200) };
static UNUSED_SELF: Class = Class { dispose: disposed, ..Class::new(0x1205) };

/// Where on the stack of a call that disposes of a device's target the event lies that it waits for.
pub const DISPOSE_EVENT: u64 = 0xFFFF_F38A_2C61_7620;

/// A device's targets: a PDO has nothing below, a control device no stack.
#[derive(Clone, Copy, Default)]
pub(crate) struct DeviceTargets {
    default: Option<Object>,
    to_self: Option<Object>,
}

impl DeviceTargets {
    pub(super) fn all(self) -> impl Iterator<Item = Object> {
        self.default.into_iter().chain(self.to_self)
    }
}

/// The targets are the device's children, and the device holds a reference on each.
pub(super) fn create(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    let driver = device.driver(m);
    let default = create_general(m, driver, &UNUSED, (), device, Attributes::none())?;
    default.add_reference(m);
    device.body(m).targets.default = Some(default);
    if device.allows_self_target(m) {
        let to_self = create_general(m, driver, &UNUSED_SELF, (), device, Attributes::none())?;
        to_self.add_reference(m);
        device.body(m).targets.to_self = Some(to_self);
    }
    Ok(())
}

fn disposed(m: &mut Machine, target: Object) {
    let driver = target.driver(m);
    trace(m, driver, &sites::TARGET_WAIT_DISPOSE, [target.handle(), DISPOSE_EVENT]);
}

/// The target for the device below, if the device has one.
pub fn default_target(m: &mut Machine, device: Device) -> Option<Object> {
    device.body(m).targets.default
}

/// The target for the device itself, if the device has one.
pub fn self_target(m: &mut Machine, device: Device) -> Option<Object> {
    device.body(m).targets.to_self
}

/// Takes an object of the framework's over: from now on it has this class and this body.
pub fn take_over(m: &mut Machine, object: Object, class: &'static Class, body: impl Any + Send) {
    if let Some(general) = fx_mut(m).general.get_mut(object.id) {
        general.class = class;
        general.body = Box::new(body);
    }
}
