//! The user-mode side: a service that opens the bus and plugs readers in.

use thiserror::Error;
use vbus_wdm::{FileObject, IoStatus, IoctlCode, Machine, NtStatus, OpenOptions, Overlapped, Stop};

use crate::ioctl::{GUID_DEVINTERFACE_VBUS, IOCTL_VBUS_EJECT, IOCTL_VBUS_PLUG_IN, IOCTL_VBUS_UNPLUG, ReaderId};

/// Why a bus could not be opened.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum OpenError {
    /// There are fewer buses than that.
    #[error("bus {wanted} was asked for, but {found} bus interface(s) are enabled: is the bus started?")]
    NoSuchBus {
        /// Which one was asked for, from 0.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// The create failed.
    #[error("opening {link} failed with {status}")]
    Refused {
        /// The interface's link.
        link: String,
        /// The create's status.
        status: NtStatus,
    },
    /// The machine is stopped.
    #[error(transparent)]
    Stopped(#[from] Stop),
}

/// A program's handle to a bus.
///
/// What a request returns is what DeviceIoControl returned: a status and a number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Service {
    file: FileObject,
}

/// A request's input on the stack: the id and a short payload.
const INLINE: usize = 4 + 261;

impl Service {
    /// Opens the bus that was started `index`-th, for synchronous requests.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(m: &mut Machine, index: usize) -> Result<Service, OpenError> {
        Service::open_with(m, index, OpenOptions::READ_WRITE)
    }

    /// As [`Service::open`], with these options.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(m: &mut Machine, index: usize, options: OpenOptions) -> Result<Service, OpenError> {
        let links = m.interfaces(GUID_DEVINTERFACE_VBUS);
        let Some(link) = links.get(index) else {
            return Err(OpenError::NoSuchBus { wanted: index, found: links.len() });
        };
        match m.create_file(link, options)? {
            Ok(file) => Ok(Service { file }),
            Err(status) => Err(OpenError::Refused { link: link.clone(), status }),
        }
    }

    /// A bus that was opened in another way.
    pub fn of_file(file: FileObject) -> Service {
        Service { file }
    }

    /// The file handle.
    pub fn file(self) -> FileObject {
        self.file
    }

    /// Plugs a reader in; it is enumerated and started before this returns.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn plug_in(self, m: &mut Machine, id: ReaderId) -> Result<NtStatus, Stop> {
        Ok(self.control(m, id, IOCTL_VBUS_PLUG_IN, &[], &mut [])?.status)
    }

    /// Plugs several readers in, of which the PnP manager hears at once.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn plug_in_all(self, m: &mut Machine, ids: &[ReaderId]) -> Result<NtStatus, Stop> {
        let input: Vec<u8> = ids.iter().flat_map(|id| id.0.to_le_bytes()).collect();
        Ok(m.device_io_control(self.file, IOCTL_VBUS_PLUG_IN, &input, &mut [])?.status)
    }

    /// Pulls a reader out.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn unplug(self, m: &mut Machine, id: ReaderId) -> Result<NtStatus, Stop> {
        Ok(self.control(m, id, IOCTL_VBUS_UNPLUG, &[], &mut [])?.status)
    }

    /// Ejects a reader.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn eject(self, m: &mut Machine, id: ReaderId) -> Result<NtStatus, Stop> {
        Ok(self.control(m, id, IOCTL_VBUS_EJECT, &[], &mut [])?.status)
    }

    /// Sends a control code for a reader and waits for the answer.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn control(
        self,
        m: &mut Machine,
        id: ReaderId,
        code: IoctlCode,
        payload: &[u8],
        output: &mut [u8],
    ) -> Result<IoStatus, Stop> {
        with_id(id, payload, |input| m.device_io_control(self.file, code, input, output))
    }

    /// Sends a control code for a reader without waiting; for handles opened overlapped.
    ///
    /// # Errors
    /// What stopped the machine; inside, the status of a request that never was pending.
    pub fn start(
        self,
        m: &mut Machine,
        id: ReaderId,
        code: IoctlCode,
        payload: &[u8],
        output: &[u8],
    ) -> Result<Result<Overlapped, NtStatus>, Stop> {
        with_id(id, payload, |input| m.start_io_control(self.file, code, input, output))
    }

    /// Closes the handle.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn close(self, m: &mut Machine) -> Result<NtStatus, Stop> {
        m.close_handle(self.file)
    }
}

/// Puts the id in front of a payload, on the stack where it fits.
fn with_id<R>(id: ReaderId, payload: &[u8], use_it: impl FnOnce(&[u8]) -> R) -> R {
    let length = 4 + payload.len();
    if length > INLINE {
        return use_it(&[&id.0.to_le_bytes(), payload].concat());
    }
    let mut input = [0; INLINE];
    input[..4].copy_from_slice(&id.0.to_le_bytes());
    input[4..length].copy_from_slice(payload);
    use_it(&input[..length])
}
