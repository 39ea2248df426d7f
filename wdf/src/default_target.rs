//! The default I/O target of an FDO or a filter: the framework makes it with the device, and it goes with the device.
//!
//! What a target can do is the business of the layer of I/O targets, which takes the object over when a driver first asks
//! for it.
//!
//! Source: S/irphandlers/pnp/fxpkgfdo.cpp:1830-1900 (creation), S/targets/general/fxiotarget.cpp:154-240 (disposal).

use std::any::Any;

use vbus_wdm::{Machine, NtStatus};

use crate::device::Device;
use crate::framework::{fx_mut, trace};
use crate::object::{Attributes, Class, Handle, Object, create_general};
use crate::trace::sites;

/// FX_TYPE_IO_TARGET.
const TYPE_NUMBER: u16 = 0x1200;

/// Where in the target the event lies that its disposal waits for.
const DISPOSE_EVENT_OFFSET: u64 = 0xD0;

/// A target that nobody has used has no requests to wait for; it says so all the same.
static UNUSED: Class = Class { dispose: disposed, ..Class::new(TYPE_NUMBER) };

pub(crate) fn create(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    let driver = device.driver(m);
    let target = create_general(m, driver, &UNUSED, (), device, Attributes::none())?;
    device.body(m).default_target = Some(target);
    Ok(())
}

fn disposed(m: &mut Machine, target: Object) {
    let driver = target.driver(m);
    let arguments = [target.handle(), target.address() + DISPOSE_EVENT_OFFSET];
    trace(m, driver, &sites::TARGET_WAIT_DISPOSE, arguments);
}

/// The device's default target, if it has one: a PDO has nothing below, a control device no stack.
pub fn default_target(m: &mut Machine, device: Device) -> Option<Object> {
    device.body(m).default_target
}

/// Takes an object of the framework's over: from now on it has this class and this body.
pub fn take_over(m: &mut Machine, object: Object, class: &'static Class, body: impl Any) {
    if let Some(general) = fx_mut(m).general.get_mut(object.id) {
        general.class = class;
        general.body = Box::new(body);
    }
}
