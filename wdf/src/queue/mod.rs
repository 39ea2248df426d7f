//! WDFQUEUE: where requests wait, and how many the driver is given at once.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp; the parts say which lines.

mod config;
mod present;
mod state;

use std::collections::VecDeque;

use vbus_wdm::Machine;

use crate::device::Device;
use crate::driver::Driver;
use crate::framework::take_fx;
use crate::object::{Handle, Header, Object};
use crate::request::Request;

use config::Callbacks;
pub use config::{Dispatch, IoControl, QueueConfig, StopAction};

/// A WDFQUEUE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Queue(pub(crate) Object);

impl Handle for Queue {
    #[inline]
    fn object(self) -> Object {
        self.0
    }

    #[inline]
    fn driver(self, m: &mut Machine) -> Driver {
        self.body(m).header.driver()
    }
}

#[derive(Default)]
pub(crate) struct QueueBody {
    pub(crate) header: Header,
    device: Option<Device>,
    dispatch: Dispatch,
    presented_limit: u32,
    callbacks: Callbacks,
    power_managed: bool,
    /// Power managed and the device is in D0, or not power managed.
    powered: bool,
    accepting: bool,
    /// Requests that were not presented yet, oldest first.
    waiting: VecDeque<Request>,
    /// Requests that the driver was given and has not completed or handed on, oldest first.
    owned: Vec<Request>,
    /// Marked cancelable, cancelled, and the driver's routine was not called yet.
    cancelled: VecDeque<Request>,
    /// How many DispatchEvents loops are on the call stack.
    depth: u32,
}

impl Queue {
    #[inline]
    fn body(self, m: &mut Machine) -> &mut QueueBody {
        take_fx(m).into_queue(self)
    }

    /// `WdfIoQueueGetDevice`.
    #[inline]
    pub fn device(self, m: &mut Machine) -> Device {
        // Every queue is created for a device.
        self.body(m).device.expect("a queue belongs to a device")
    }

    /// `WdfIoQueueGetState`: how many requests wait, and how many the driver holds.
    pub fn counts(self, m: &mut Machine) -> (usize, usize) {
        let body = self.body(m);
        (body.waiting.len(), body.owned.len())
    }
}
