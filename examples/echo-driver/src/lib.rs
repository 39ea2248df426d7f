//! A driver that gives back what it is sent, and can be asked to wait: small enough to read in a minute, with enough in it
//! to be tested.

use vbus::wdf::{Attributes, DeviceInit, Dispatch, Driver, DriverConfig, IoControl, Queue, Request};
use vbus::wdm::constants::*;
use vbus::wdm::{Access, Guid, IoctlCode, Machine, Method, NtStatus};

/// The driver's device interface.
pub const GUID_DEVINTERFACE_ECHO: Guid = Guid(0x0E2C_7A10_1B55_4C0D_9D5E_6A1B_2C3D_4E5F);

/// Gives the input back.
pub const IOCTL_ECHO: IoctlCode = IoctlCode::new(0x8000, 0x800, Method::Buffered, Access::ANY);

/// DriverEntry.
pub fn driver_entry(m: &mut Machine, config: DriverConfig) -> Driver {
    let config = DriverConfig { device_add: Some(device_add), ..config };
    Driver::create(m, "echo", config, Attributes::none())
}

/// EvtDriverDeviceAdd.
fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none())?;
    Queue::config(Dispatch::Sequential).on_device_control(control).create_default(m, device)?;
    device.create_interface(m, GUID_DEVINTERFACE_ECHO, None)
}

/// EvtIoDeviceControl.
fn control(m: &mut Machine, _: Queue, request: Request, control: IoControl) {
    let result = match control.code {
        IOCTL_ECHO => echo(m, request, control.input_length),
        _ => Err(STATUS_INVALID_DEVICE_REQUEST),
    };
    match result {
        Ok(length) => request.complete_with_information(m, STATUS_SUCCESS, length.into()),
        Err(status) => request.complete(m, status),
    }
}

/// The input and the output of a buffered request are one buffer: what was sent is there already.
fn echo(m: &mut Machine, request: Request, length: u32) -> Result<u32, NtStatus> {
    request.input_buffer(m, 1)?;
    request.output_buffer(m, length)?;
    Ok(length)
}
