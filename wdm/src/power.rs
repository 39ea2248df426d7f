//! Power IRPs: system and device power states, and a driver's request for one.
//!
//! Source: Windows driver documentation, IRP_MN_SET_POWER, IRP_MN_QUERY_POWER, PoRequestPowerIrp.

use crate::device::DeviceObject;
use crate::irp::{IoStatus, Irp, Major, Parameters};
use crate::machine::Machine;
use crate::schedule::Context;
use crate::status::{NtStatus, constants::*};

macro_rules! power_states {
    ($(#[$doc:meta])* $name:ident $prefix:literal { $($state:ident = $number:literal $suffix:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        #[allow(missing_docs)] // The names are the enumerators'.
        pub enum $name { $($state = $number),+ }

        impl $name {
            /// The enumerator's name, as logs print it.
            pub const fn name(self) -> &'static str {
                match self { $($name::$state => concat!($prefix, $suffix)),+ }
            }

            /// The state with this number.
            pub const fn from_number(number: u64) -> Option<$name> {
                match number { $($number => Some($name::$state),)+ _ => None }
            }
        }
    };
}

power_states! {
    /// SYSTEM_POWER_STATE: S0 is the working state, S5 is off.
    SystemPowerState "PowerSystem" {
        S0 = 1 "Working", S1 = 2 "Sleeping1", S2 = 3 "Sleeping2", S3 = 4 "Sleeping3", S4 = 5 "Hibernate",
        S5 = 6 "Shutdown",
    }
}

power_states! {
    /// DEVICE_POWER_STATE.
    DevicePowerState "PowerDevice" { D0 = 1 "D0", D1 = 2 "D1", D2 = 3 "D2", D3 = 4 "D3" }
}

/// IRP_MN_ codes of IRP_MJ_POWER.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // The names are the IRP_MN_ codes'.
pub enum PowerMinor {
    WaitWake = 0,
    PowerSequence = 1,
    SetPower = 2,
    QueryPower = 3,
}

impl PowerMinor {
    /// The minor function with this code.
    pub const fn from_code(code: u8) -> Option<PowerMinor> {
        match code {
            0 => Some(PowerMinor::WaitWake),
            1 => Some(PowerMinor::PowerSequence),
            2 => Some(PowerMinor::SetPower),
            3 => Some(PowerMinor::QueryPower),
            _ => None,
        }
    }

    /// The code's name, as logs print it.
    pub const fn name(self) -> &'static str {
        match self {
            PowerMinor::WaitWake => "IRP_MN_WAIT_WAKE",
            PowerMinor::PowerSequence => "IRP_MN_POWER_SEQUENCE",
            PowerMinor::SetPower => "IRP_MN_SET_POWER",
            PowerMinor::QueryPower => "IRP_MN_QUERY_POWER",
        }
    }
}

/// POWER_STATE with its POWER_STATE_TYPE: what a power IRP is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PowerState {
    /// SystemPowerState.
    System(SystemPowerState),
    /// DevicePowerState.
    Device(DevicePowerState),
}

/// REQUEST_POWER_COMPLETE: called when a requested power IRP is complete, with the device it was requested for.
pub type PowerComplete = fn(&mut Machine, DeviceObject, Context, IoStatus);

/// A power IRP that a driver asked for.
#[derive(Default)]
pub(crate) struct PowerRequest {
    device: Option<DeviceObject>,
    state: Option<PowerState>,
    done: Option<PowerComplete>,
    context: Context,
}

impl Machine {
    /// `PoRequestPowerIrp` for IRP_MN_SET_POWER: the power manager sends the IRP to the top of the device's stack, later
    /// and in a thread of its own. The answer is STATUS_PENDING.
    pub fn request_power_irp(
        &mut self,
        device: DeviceObject,
        state: DevicePowerState,
        done: PowerComplete,
        context: Context,
    ) -> NtStatus {
        let (id, request) = self.power_requests.take();
        *request =
            PowerRequest { device: Some(device), state: Some(PowerState::Device(state)), done: Some(done), context };
        self.queue_work_item(send_requested, Context(id.to_word()));
        STATUS_PENDING
    }

    /// An IRP of this power minor function for the top of a device's stack, which is returned with it. IoStatus is
    /// preset to STATUS_NOT_SUPPORTED.
    ///
    /// # Errors
    /// As [`Machine::allocate_irp`].
    pub fn power_irp(
        &mut self,
        device: DeviceObject,
        minor: PowerMinor,
        state: PowerState,
    ) -> Result<(Irp, DeviceObject), NtStatus> {
        let top = device.top_of_stack(self);
        let irp = self.allocate_irp(self[top].stack_size)?;
        self[irp].io_status.status = STATUS_NOT_SUPPORTED;
        let location = self[irp].next_mut();
        location.major = Major::Power;
        location.minor = minor as u8;
        location.parameters = Parameters::Power(state);
        Ok((irp, top))
    }
}

fn send_requested(m: &mut Machine, context: Context) {
    let Some((device, state)) = requested(m, context).and_then(|request| Some((request.device?, request.state?)))
    else {
        return;
    };
    match m.power_irp(device, PowerMinor::SetPower, state) {
        Ok((irp, top)) => {
            m[irp].set_completion_routine(completed, context, crate::irp::Control::INVOKE_ALWAYS);
            irp.call_driver(m, top);
        }
        Err(status) => answer(m, context, IoStatus { status, information: 0 }),
    }
}

fn completed(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    let status = m[irp].io_status;
    answer(m, context, status);
    irp.free(m);
    STATUS_MORE_PROCESSING_REQUIRED
}

fn answer(m: &mut Machine, context: Context, status: IoStatus) {
    let Some(request) = requested(m, context) else { return };
    let PowerRequest { device, done, context: word, .. } = std::mem::take(request);
    if let Some(id) = crate::slab::Id::from_word(context.0) {
        m.power_requests.release(id);
    }
    if let (Some(device), Some(done)) = (device, done) {
        done(m, device, word, status);
    }
}

fn requested(m: &mut Machine, context: Context) -> Option<&mut PowerRequest> {
    crate::slab::Id::from_word(context.0).and_then(|id| m.power_requests.get_mut(id))
}
