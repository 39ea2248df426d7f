//! The states that a device's machines travel, by the names that logs print.

macro_rules! states {
    ($(#[$doc:meta])* $name:ident $prefix:literal { $($state:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        #[allow(missing_docs)] // Each is the framework's enumerator of that name.
        pub enum $name { $($state),+ }

        impl $name {
            /// The enumerators' full names, by number.
            pub const NAMES: &'static [&'static str] = &[$(concat!($prefix, stringify!($state))),+];
        }
    };
}

states! {
    /// WDF_DEVICE_PNP_STATE: the states on a device's way through start and removal.
    ///
    /// Source: S/irphandlers/pnp/pnpstatemachine.cpp; wdfpnp state names of the public headers.
    PnpState "WdfDevStatePnp" {
        ObjectCreated, Init, InitStarting, InitSurpriseRemoved, PdoRestart, HardwareAvailable, EnableInterfaces, Started,
        QueryRemoveStaticCheck, QueryRemoveAskDriver, QueryRemoveEnsureDeviceAwake, QueryRemovePending,
        QueryCanceled, QueriedRemoving, StartedRemoving, RemovingDisableInterfaces, Removed, RemovedChildrenRemoved,
        CheckForDevicePresence, RemovedPdoWait, PdoRemoved, FdoRemoved, Final,
        SurpriseRemoveIoStarted, QueriedSurpriseRemove, FailedIoStarting, FailedOwnHardware, Failed,
        FailedPowerPolicyRemoved, FailedWaitForRemove,
    }
}

states! {
    /// WDF_DEVICE_POWER_STATE.
    ///
    /// Source: S/irphandlers/pnp/powerstatemachine.cpp.
    PowerState "WdfDevStatePower" {
        ObjectCreated, StartingCheckDeviceType, StartingChild, D0Starting, D0StartingConnectInterrupt,
        D0StartingDmaEnable, D0StartingPostHardwareEnabled, D0StartingStartSelfManagedIo, DecideD0State, D0,
        D0BusWakeOwner, D0NP, GotoD3Stopped, Stopped, InitialPowerUpFailed,
    }
}

states! {
    /// WDF_DEVICE_POWER_POLICY_STATE, for owners of the power policy and others.
    ///
    /// Source: S/irphandlers/pnp/powerpolicystatemachine.cpp, notpowerpolicyownerstatemachine.cpp.
    PowerPolicyState "WdfDevStatePwrPol" {
        ObjectCreated, Starting, StartingPoweredUp, StartingSucceeded, StartingDecideS0Wake, Started, StartingFailed,
        Stopping, StoppingWaitingForImplicitPowerDown, StoppingSendStatus, Stopped, StoppedRemoving, Removed,
    }
}

states! {
    /// The idle machine of a power policy owner.
    ///
    /// Source: S/irphandlers/pnp/poweridlestatemachine.cpp.
    IdleState "FxIdle" {
        Stopped, Started, StartedPowerUp, Disabled, GoingToDx, InDx, InDxStopped,
    }
}
