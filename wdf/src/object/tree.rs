//! The object tree: parents and children, oldest first.
//!
//! Source: S/object/fxobject.cpp:830-960 (AddChildObjectInternal, RemoveChildObjectInternal).

use vbus_wdm::constants::STATUS_DELETE_PENDING;
use vbus_wdm::{Machine, NtStatus};

use super::state::{Dropped, State};
use super::{Kind, Object};
use crate::device::Device;
use crate::framework::{fx, trace};
use crate::trace::sites;

impl Object {
    /// Puts the object below `parent`, as its youngest child.
    pub(super) fn assign_parent(self, m: &mut Machine, parent: Object) -> Result<(), NtStatus> {
        if parent.header(m).state != State::Created {
            parent.dropped(m, Dropped::AddChild);
            return Err(STATUS_DELETE_PENDING);
        }
        let device = parent.device_above(m).map(|device| device.0.id);
        let elder = parent.header(m).last_child.replace(self);
        match elder {
            Some(elder) => elder.header(m).next = Some(self),
            None => parent.header(m).first_child = Some(self),
        }
        let header = self.header(m);
        header.parent = Some(parent);
        header.previous = elder;
        header.device = header.device.or(device);
        Ok(())
    }

    /// Takes the object away from its parent, unless that goes itself and settles the matter.
    pub(super) fn leave_parent(self, m: &mut Machine) -> Result<(), NtStatus> {
        let Some(parent) = self.header(m).parent else { return Ok(()) };
        if parent.header(m).state != State::Created {
            parent.dropped(m, Dropped::RemoveChild);
            return Err(STATUS_DELETE_PENDING);
        }
        self.unlink(m, parent);
        Ok(())
    }

    fn unlink(self, m: &mut Machine, parent: Object) {
        let header = self.header(m);
        header.parent = None;
        let (previous, next) = (header.previous.take(), header.next.take());
        match previous {
            Some(previous) => previous.header(m).next = next,
            None => parent.header(m).first_child = next,
        }
        match next {
            Some(next) => next.header(m).previous = previous,
            None => parent.header(m).last_child = previous,
        }
    }

    /// Takes the oldest child away from the object.
    pub(super) fn take_first_child(self, m: &mut Machine) -> Option<Object> {
        let child = self.header(m).first_child?;
        child.unlink(m, self);
        Some(child)
    }

    pub(super) fn first_child(self, m: &mut Machine) -> Option<Object> {
        self.header(m).first_child
    }

    pub(super) fn next_sibling(self, m: &mut Machine) -> Option<Object> {
        self.header(m).next
    }

    /// `WdfXxxGetParentObject` for the objects that have such a call.
    pub(crate) fn parent(self, m: &mut Machine) -> Option<Object> {
        self.header(m).parent
    }

    /// The device that the object is, or is below: its device base.
    pub(crate) fn device_above(self, m: &Machine) -> Option<Device> {
        let state = fx(m);
        let id = match self.kind {
            Kind::Device | Kind::IoPackage => Some(self.id),
            Kind::Queue => return state.queues.get(self.id)?.device(),
            Kind::Request => {
                let body = state.requests.get(self.id)?;
                return body.header.device.map(Device::from_id).or(body.device());
            }
            _ => state.header(self)?.device,
        };
        id.map(Device::from_id)
    }

    /// The device that the object is, or is below; a line in the log says if there is none.
    ///
    /// Source: S/core/fxdevicebase.cpp:263-390 (_SearchForDevice).
    pub fn search_for_device(self, m: &mut Machine) -> Option<Device> {
        let device = self.device_above(m);
        if device.is_none() {
            let driver = self.header(m).driver();
            trace(m, driver, &sites::NO_DEVICE_ABOVE, [self.handle()]);
        }
        device
    }
}
