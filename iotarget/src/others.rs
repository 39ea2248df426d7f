//! Internal I/O controls with three arguments of their own: those of a private interface between drivers.
//!
//! Source: S/targets/general/fxiotargetapi.cpp:1381-1500; S/targets/general/fxiotarget.cpp:2455-2530.

use vbus_wdf::layer::{sites, trace};
use vbus_wdf::{Handle, Request, Transfer};
use vbus_wdm::{IoctlCode, Machine, Major, NtStatus, Parameters};

use crate::buffers::{Argument, Buffer, Data};
use crate::context;
use crate::state::{ContextKind, Heard, SentKind};
use crate::target::IoTarget;
use crate::validate::{arguments_refused, validate};

impl IoTarget {
    /// `WdfIoTargetFormatRequestForInternalIoctlOthers`: the first, second and fourth argument. The control code is the
    /// third.
    ///
    /// # Errors
    /// As [`IoTarget::format_internal_ioctl`].
    pub fn format_internal_ioctl_others(
        self,
        m: &mut Machine,
        request: Request,
        code: IoctlCode,
        arguments: [Data; 3],
    ) -> Result<(), NtStatus> {
        let (driver, target, handle) = (self.body(m).driver, self.object().handle(), request.object().handle());
        let memories = arguments.map(|data| data.argument(m, Some(request), Transfer::Input));
        let [first, second, fourth] = memories.map(Argument::handle);
        trace(m, driver, &sites::OTHERS_ENTER, [target, handle, code.0.into(), first, second, fourth]);
        let mut buffers = [Buffer::default(); 3];
        for (number, (&memory, buffer)) in (1..).zip(memories.iter().zip(&mut buffers)) {
            *buffer = Argument::buffer(memory, m).inspect_err(|&status| {
                trace(m, driver, &sites::OTHERS_OFFSETS, [number, status.0.into()]);
                arguments_refused(m, request, self, status);
            })?;
        }
        let heard = Heard { kind: SentKind::Other, ..Heard::default() };
        let result = self.fill_others(m, request, code, buffers, heard);
        let status = NtStatus::from(result).0.into();
        trace(m, driver, &sites::OTHERS_EXIT, [target, handle, code.0.into(), first, second, fourth, status]);
        result
    }

    /// FormatInternalIoctlOthersRequest. The IRP's own buffers stay as they are.
    pub(crate) fn fill_others(
        self,
        m: &mut Machine,
        request: Request,
        code: IoctlCode,
        arguments: [Buffer; 3],
        heard: Heard,
    ) -> Result<(), NtStatus> {
        let irp = validate(m, request, self)?;
        let memories = arguments.map(|argument| argument.memory);
        let ownership = context::begin(m, request, irp, ContextKind::Others, memories, heard);
        let [argument1, argument2, argument4] = arguments.map(|argument| argument.span);
        let parameters = Parameters::Others { argument1, argument2, code, argument4 };
        self.fill_next(m, irp, ownership, Major::InternalDeviceControl, parameters);
        Ok(())
    }
}
