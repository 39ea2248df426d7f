//! WDFDEVICE_INIT: what a driver says of a device before it exists.

use vbus_wdm::{DeviceObject, Id, IoType, Irp, Machine, Major, NtStatus};

use crate::child_list::{ChildList, ChildListConfig, CreateChild};
use crate::device::Device;
use crate::device::per_major::PerMajor;
use crate::driver::Driver;
use crate::file::FileConfig;
use crate::io_package::InCallerContext;
use crate::object::Handle;
use crate::pnp::callbacks::{Notice, PnpCallbacks};
use crate::pnp::identity::Identity;

/// An IRP preprocess callback. It passes the IRP on with [`Device::dispatch_preprocessed`], or completes it.
pub type Preprocess = fn(&mut Machine, Device, Irp) -> NtStatus;

pub(crate) enum InitKind {
    /// A function or filter device on the stack of this PDO.
    Stack { pdo: DeviceObject },
    /// A child of a bus; `described` says which one, where a child list asked for it.
    Child { parent: Device, described: Option<(ChildList, Id)> },
    /// Beside the PnP tree.
    Control,
}

/// WDFDEVICE_INIT. It is used up by [`DeviceInit::create`].
pub struct DeviceInit {
    pub(crate) driver: Driver,
    pub(crate) kind: InitKind,
    pub(crate) filter: bool,
    pub(crate) io_type: IoType,
    pub(crate) exclusive: bool,
    pub(crate) preprocess: PerMajor<Preprocess>,
    pub(crate) remove_lock_for_io: bool,
    pub(crate) self_target: bool,
    pub(crate) forward_to_parent: bool,
    pub(crate) callbacks: PnpCallbacks,
    pub(crate) in_caller_context: Option<InCallerContext>,
    pub(crate) shutdown: Option<Notice>,
    pub(crate) files: FileConfig,
    pub(crate) children: Option<ChildListConfig>,
    pub(crate) power_pageable: bool,
    power_policy_owner: Option<bool>,
    pub(crate) identity: Identity,
    pub(crate) name: Option<String>,
}

impl DeviceInit {
    fn new(driver: Driver, kind: InitKind) -> DeviceInit {
        DeviceInit {
            driver,
            kind,
            filter: false,
            io_type: IoType::Buffered,
            exclusive: false,
            preprocess: PerMajor::default(),
            remove_lock_for_io: false,
            self_target: false,
            forward_to_parent: false,
            callbacks: PnpCallbacks::default(),
            in_caller_context: None,
            shutdown: None,
            files: FileConfig::default(),
            children: None,
            power_pageable: true,
            power_policy_owner: None,
            identity: Identity::default(),
            name: None,
        }
    }

    pub(crate) fn for_stack(driver: Driver, pdo: DeviceObject) -> DeviceInit {
        DeviceInit::new(driver, InitKind::Stack { pdo })
    }

    pub(crate) fn for_child(driver: Driver, parent: Device, list: ChildList, id: Id) -> DeviceInit {
        DeviceInit::new(driver, InitKind::Child { parent, described: Some((list, id)) })
    }

    /// `WdfPdoInitAllocate`: a PDO that the bus makes by itself, without a child list that asks for it.
    pub fn pdo_of(m: &mut Machine, parent: Device) -> DeviceInit {
        DeviceInit::new(parent.driver(m), InitKind::Child { parent, described: None })
    }

    /// `WdfControlDeviceInitAllocate`: a device beside the PnP tree, with this name.
    pub fn control(driver: Driver, name: &str) -> DeviceInit {
        DeviceInit { name: Some(name.to_owned()), ..DeviceInit::new(driver, InitKind::Control) }
    }

    /// The PDO of the stack that the device will join; `None` for a PDO or a control device.
    ///
    /// Drivers read a device's identity with it before they create their own.
    pub fn pdo(&self) -> Option<DeviceObject> {
        match self.kind {
            InitKind::Stack { pdo } => Some(pdo),
            _ => None,
        }
    }

    /// `WdfFdoInitSetFilter`: what the driver does not handle goes down the stack.
    pub fn filter(mut self) -> DeviceInit {
        self.filter = true;
        self
    }

    /// `WdfDeviceInitSetIoType`: how reads and writes carry their data.
    pub fn io_type(mut self, io_type: IoType) -> DeviceInit {
        self.io_type = io_type;
        self
    }

    /// `WdfDeviceInitAssignName`. A PDO gets no name without a security descriptor, which nothing here has: the log says
    /// so, and the PDO is named by the I/O manager as any other.
    ///
    /// Source: S/core/fxdeviceinit.cpp (ShouldCreateSecure).
    pub fn assign_name(mut self, name: &str) -> DeviceInit {
        self.name = Some(name.to_owned());
        self
    }

    /// `WdfDeviceInitSetExclusive`.
    pub fn exclusive(mut self) -> DeviceInit {
        self.exclusive = true;
        self
    }

    /// `WdfDeviceInitAssignWdmIrpPreprocessCallback`: the first one costs one stack location.
    ///
    /// Source: S/core/fxdevice.cpp:479-488.
    pub fn preprocess(mut self, major: Major, callback: Preprocess) -> DeviceInit {
        self.preprocess.set(major, callback);
        self
    }

    /// `WdfDeviceInitSetRemoveLockOptions` with ACQUIRE_FOR_IO: costs one stack location, and uses it up.
    ///
    /// Source: S/core/fxdevice.cpp:490-500.
    pub fn remove_lock_for_io(mut self) -> DeviceInit {
        self.remove_lock_for_io = true;
        self
    }

    /// `WdfDeviceInitAllowSelfIoTarget`: costs one stack location.
    ///
    /// Source: S/core/fxdevice.cpp:506-508.
    pub fn allow_self_target(mut self) -> DeviceInit {
        self.self_target = true;
        self
    }

    /// `WdfPdoInitAllowForwardingRequestToParent`: adds the parent's StackSize of the moment in which the
    /// child is created.
    ///
    /// Source: S/core/km/fxdevicekm.cpp:295-302.
    pub fn allow_forwarding_to_parent(mut self) -> DeviceInit {
        self.forward_to_parent = true;
        self
    }

    /// `WdfDeviceInitSetPnpPowerEventCallbacks` and `WdfPdoInitSetEventCallbacks`.
    pub fn callbacks(mut self, callbacks: PnpCallbacks) -> DeviceInit {
        self.callbacks = callbacks;
        self
    }

    /// `WdfDeviceInitSetIoInCallerContextCallback`: the driver sees reads, writes and control requests before any queue,
    /// in the context of whoever sent them.
    pub fn in_caller_context(mut self, callback: InCallerContext) -> DeviceInit {
        self.in_caller_context = Some(callback);
        self
    }

    /// `WdfControlDeviceInitSetShutdownNotification`: EvtDeviceShutdownNotification of a control device.
    pub fn shutdown_notification(mut self, callback: Notice) -> DeviceInit {
        self.shutdown = Some(callback);
        self
    }

    /// `WdfDeviceInitSetFileObjectConfig`.
    pub fn file_objects(mut self, config: FileConfig) -> DeviceInit {
        self.files = config;
        self
    }

    /// `WdfFdoInitSetDefaultChildListConfig`: the device is a bus, and this creates its children.
    pub fn default_child_list(self, create: CreateChild) -> DeviceInit {
        self.child_list(ChildListConfig::new(create))
    }

    /// The same, with all that can be said of the list.
    pub fn child_list(mut self, config: ChildListConfig) -> DeviceInit {
        self.children = Some(config);
        self
    }

    /// `WdfPdoInitAssignRawDevice`: the PDO works without a function driver, and owns its stack's power policy.
    pub fn raw(mut self) -> DeviceInit {
        self.identity.raw = true;
        self
    }

    /// `WdfDeviceInitSetPowerPolicyOwnership`. By default the function device of a stack owns its power policy, and the
    /// PDO of a stack that works without one.
    pub fn power_policy_owner(mut self, owner: bool) -> DeviceInit {
        self.power_policy_owner = Some(owner);
        self
    }

    /// `WdfDeviceInitSetPowerNotPageable`: power IRPs may come while nothing can be paged in.
    pub fn power_not_pageable(mut self) -> DeviceInit {
        self.power_pageable = false;
        self
    }

    /// Source: S/inc/private/common/fxdeviceinit.hpp:265-289.
    pub(crate) fn owns_power_policy(&self) -> bool {
        self.power_policy_owner.unwrap_or(match self.kind {
            InitKind::Stack { .. } => !self.filter,
            InitKind::Child { .. } => self.identity.raw,
            InitKind::Control => false,
        })
    }
}
