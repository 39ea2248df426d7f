//! File objects: create, cleanup, close.

use crate::address::Pool;
use crate::device::DeviceObject;
use crate::ioctl::Access;
use crate::irp::{Irp, Major, Origin, RequestorMode};
use crate::machine::Machine;
use crate::pnp::{self, DevNode, NodeState};
use crate::slab::Id;
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;

/// A FILE_OBJECT, and for a program the handle to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileObject(pub(crate) Id);

/// What a file object holds.
#[derive(Debug)]
pub(crate) struct FileData {
    /// The device that carries the name; requests go to the top of its stack, found anew for each.
    pub(crate) device: Option<DeviceObject>,
    pub(crate) access: Access,
    pub(crate) overlapped: bool,
    /// Finished overlapped requests are announced at the machine's completion port.
    pub(crate) completion_port: bool,
    handle_open: bool,
    /// Requests in flight; the last one lets IRP_MJ_CLOSE go.
    references: u32,
    pub(crate) mode: RequestorMode,
}

impl Default for FileData {
    fn default() -> Self {
        FileData {
            device: None,
            access: Access::ANY,
            overlapped: false,
            completion_port: false,
            handle_open: false,
            references: 0,
            mode: RequestorMode::User,
        }
    }
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenOptions {
    /// The rights asked for; IOCTL codes are checked against them.
    pub access: Access,
    /// FILE_FLAG_OVERLAPPED.
    pub overlapped: bool,
    /// Overlapped requests are announced at the completion port (`CreateIoCompletionPort`).
    pub completion_port: bool,
}

impl OpenOptions {
    /// GENERIC_READ | GENERIC_WRITE, synchronous.
    pub const READ_WRITE: OpenOptions =
        OpenOptions { access: Access::READ_WRITE, overlapped: false, completion_port: false };
    /// GENERIC_READ | GENERIC_WRITE, overlapped, with the completion port.
    pub const OVERLAPPED: OpenOptions =
        OpenOptions { access: Access::READ_WRITE, overlapped: true, completion_port: true };
}

impl Machine {
    /// `CreateFile` by a program. The inner result is the create's status.
    ///
    /// # Errors
    /// What stopped the machine. Inside: STATUS_OBJECT_NAME_NOT_FOUND, STATUS_NO_SUCH_DEVICE for a device that is
    /// initializing or going, STATUS_ACCESS_DENIED for an exclusive one that is open, or what the driver answered.
    pub fn create_file(&mut self, path: &str, options: OpenOptions) -> Result<Result<FileObject, NtStatus>, Stop> {
        self.run(|m| m.open(path, options, RequestorMode::User))
    }

    /// `ZwCreateFile` by a driver: as [`Machine::create_file`], with kernel mode as the requestor.
    ///
    /// # Errors
    /// The create's status.
    ///
    /// Source: ReactOS, IopParseDevice and IopCheckDeviceAndDriver; Windows driver documentation, IRP_MJ_CREATE, and
    /// "Starting a Device" (no create succeeds before START does).
    pub fn open(&mut self, path: &str, options: OpenOptions, mode: RequestorMode) -> Result<FileObject, NtStatus> {
        self.limit_irql("ZwCreateFile");
        let device = self.resolve(path)?;
        let named = &self[device];
        let top = device.top_of_stack(self);
        // A device whose drivers are still starting it cannot be opened.
        let starting = DevNode::of_stack(self, device).and_then(|node| node.state(self)) == Some(NodeState::Starting);
        if named.removing || self[top].initializing || self[top].removing || starting {
            return Err(STATUS_NO_SUCH_DEVICE);
        }
        if named.exclusive && named.open_files > 0 {
            return Err(STATUS_ACCESS_DENIED);
        }
        let (id, file) = self.files.take();
        let OpenOptions { access, overlapped, completion_port } = options;
        let device = Some(device);
        *file = FileData { device, access, overlapped, completion_port, handle_open: true, references: 0, mode };
        let file = FileObject(id);
        file.named_device(self, |data| data.open_files += 1);
        match file.send_major(self, Major::Create) {
            status if status.is_success() => Ok(file),
            status => {
                // A failed create has no cleanup and no close.
                file.forget(self);
                Err(status)
            }
        }
    }

    /// `CloseHandle`: IRP_MJ_CLEANUP now, IRP_MJ_CLOSE when no request is out any more.
    ///
    /// # Errors
    /// What stopped the machine. The inner status is STATUS_INVALID_HANDLE for a handle that is closed already.
    pub fn close_handle(&mut self, file: FileObject) -> Result<NtStatus, Stop> {
        self.run(|m| file.close(m))
    }
}

impl FileObject {
    /// `ZwClose`.
    pub fn close(self, m: &mut Machine) -> NtStatus {
        m.limit_irql("ZwClose");
        match m.files.get_mut(self.0) {
            Some(file) if file.handle_open => file.handle_open = false,
            _ => return STATUS_INVALID_HANDLE,
        }
        self.send_major(m, Major::Cleanup);
        self.close_if_unused(m);
        STATUS_SUCCESS
    }

    /// The file's data while its handle is open.
    #[inline]
    pub(crate) fn data(self, m: &Machine) -> Result<&FileData, NtStatus> {
        m.files.get(self.0).filter(|file| file.handle_open).ok_or(STATUS_INVALID_HANDLE)
    }

    /// `IoGetRelatedDeviceObject`: the top of the stack at this moment.
    #[inline]
    pub fn related_device(self, m: &Machine) -> Option<DeviceObject> {
        m.files.get(self.0)?.device.map(|device| device.top_of_stack(m))
    }

    #[inline]
    pub(crate) fn add_reference(self, m: &mut Machine) {
        if let Some(file) = m.files.get_mut(self.0) {
            file.references += 1;
        }
    }

    #[inline]
    pub(crate) fn release_reference(self, m: &mut Machine) {
        if let Some(file) = m.files.get_mut(self.0) {
            file.references -= 1;
            if file.references == 0 && !file.handle_open {
                self.close_if_unused(m);
            }
        }
    }

    fn close_if_unused(self, m: &mut Machine) {
        if m.files.get(self.0).is_some_and(|file| file.references == 0) {
            self.send_major(m, Major::Close);
            self.forget(m);
        }
    }

    fn forget(self, m: &mut Machine) {
        let device = m.files.get(self.0).and_then(|file| file.device);
        self.named_device(m, |data| data.open_files -= 1);
        m.files.release(self.0);
        if let Some(device) = device {
            pnp::file_closed(m, device);
        }
    }

    fn named_device(self, m: &mut Machine, change: impl FnOnce(&mut crate::device::DeviceData)) {
        let device = m.files.get(self.0).and_then(|file| file.device);
        if let Some(data) = device.and_then(|device| m.devices.get_mut(device.0)) {
            change(data);
        }
    }

    /// Sends one of the three file IRPs to the top of the stack and waits for it.
    fn send_major(self, m: &mut Machine, major: Major) -> NtStatus {
        let mode = m.files.get(self.0).map_or(RequestorMode::Kernel, |file| file.mode);
        let Some(top) = self.related_device(m).filter(|top| top.exists(m)) else { return STATUS_NO_SUCH_DEVICE };
        let irp = match m.allocate_irp_for(m[top].stack_size, Origin::System) {
            Ok(irp) => irp,
            Err(status) => return status,
        };
        m[irp].requestor_mode = mode;
        let location = m[irp].next_mut();
        location.major = major;
        location.file = Some(self);
        let status = irp.send_and_wait(m, top, "a create, cleanup or close to complete").status;
        irp.free(m);
        status
    }

    /// The address that logs print.
    pub fn address(self) -> u64 {
        Pool::File.address(self.0.index())
    }
}

impl Irp {
    /// The file object of the current location.
    pub fn file(self, m: &Machine) -> Option<FileObject> {
        m[self].current().file
    }
}
