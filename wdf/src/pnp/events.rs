//! The events that the machines of a device send each other, by the names that logs print.

macro_rules! events {
    ($(#[$doc:meta])* $name:ident $prefix:literal { $($event:ident = $bit:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub(crate) enum $name { $($event = $bit),+ }

        impl $name {
            /// The full name of the enumerator with this number.
            pub(crate) fn name_of(word: u64) -> Option<&'static str> {
                match word {
                    0 => Some(concat!($prefix, "Invalid")), $($bit => Some(concat!($prefix, stringify!($event))),)+ _ => None }
            }

            /// A set of events as one number.
            pub(super) fn mask(events: &[$name]) -> u64 {
                events.iter().fold(0, |mask, &event| mask | event as u64)
            }
        }
    };
}

events! {
    /// Events of the PnP machine.
    ///
    /// Source: S/inc/private/common/fxpnpstatemachine.hpp:22-75.
    PnpEvent "PnpEvent" {
        AddDevice = 0x1, StartDevice = 0x2, StartDeviceComplete = 0x4, StartDeviceFailed = 0x8, QueryRemove = 0x10,
        QueryStop = 0x20, CancelRemove = 0x40, CancelStop = 0x80, Stop = 0x100, Remove = 0x200, SurpriseRemove = 0x400,
        Eject = 0x800, PwrPolStopped = 0x1000, PwrPolStopFailed = 0x2000, PowerUpFailed = 0x4000,
        PowerDownFailed = 0x8000, ParentRemoved = 0x1_0000, ChildrenRemovalComplete = 0x2_0000,
        PwrPolStarted = 0x4_0000, PwrPolStartFailed = 0x8_0000, DeviceInD0 = 0x10_0000, PwrPolRemoved = 0x20_0000,
    }
}

impl PnpEvent {
    /// Those that go to the head of the queue.
    pub(super) fn is_priority(self) -> bool {
        use PnpEvent::*;
        matches!(
            self,
            PwrPolStarted | PwrPolStartFailed | PwrPolStopped | PwrPolStopFailed | DeviceInD0 | PwrPolRemoved
        )
    }

    /// Those whose sender waits for its IRP: dropping the event must complete it.
    pub(super) fn has_irp(self) -> bool {
        use PnpEvent::*;
        matches!(
            self,
            StartDeviceComplete | QueryRemove | QueryStop | CancelRemove | CancelStop | Stop | SurpriseRemove | Eject
        )
    }
}

events! {
    /// Events of the power machine. Those about waking are there because many states know them; nothing here arms a
    /// device for it.
    ///
    /// Source: S/inc/private/common/fxpowerstatemachine.hpp:18-50.
    PowerEvent "Power" {
        D0 = 0x1, Dx = 0x2, WakeArrival = 0x4, WakeSucceeded = 0x8, WakeFailed = 0x10, WakeCanceled = 0x20,
        ImplicitD0 = 0x40, ImplicitD3 = 0x80, ParentToD0 = 0x100, MarkPageable = 0x200, MarkNonpageable = 0x400,
        CompleteD0 = 0x800, CompleteDx = 0x1000,
    }
}

impl PowerEvent {
    /// Those that go to the head of the queue.
    pub(super) fn is_priority(self) -> bool {
        matches!(self, PowerEvent::ParentToD0 | PowerEvent::CompleteD0 | PowerEvent::CompleteDx)
    }
}

events! {
    /// Events of the power policy machine. Those of USB selective suspend, wake and the power framework are left out.
    ///
    /// Source: S/inc/private/common/fxpowerpolicystatemachine.hpp:14-105.
    PolicyEvent "PwrPol" {
        Start = 0x1, Stop = 0x2, Sx = 0x4, S0 = 0x8, PowerDown = 0x10, PowerUp = 0x20, PowerDownIoStopped = 0x40,
        PowerUpHwStarted = 0x80, WakeArrived = 0x100, WakeSuccess = 0x200, WakeFailed = 0x400, IoPresent = 0x800,
        PowerTimeoutExpired = 0x1000, S0IdlePolicyChanged = 0x2000, SurpriseRemove = 0x4000,
        UsbSelectiveSuspendCompleted = 0x1_0000, PowerDownFailed = 0x2_0000, PowerUpFailed = 0x4_0000,
        ImplicitPowerDown = 0x8_0000, ImplicitPowerDownFailed = 0x10_0000, PowerUpNotSeen = 0x20_0000,
        DevicePowerNotRequired = 0x40_0000, DevicePowerRequired = 0x80_0000, Remove = 0x100_0000,
        DeviceDirectedPowerUp = 0x800_0000,
    }
}

impl PolicyEvent {
    /// Those that go to the head of a power policy owner's queue.
    pub(super) fn is_priority_of_owner(self) -> bool {
        use PolicyEvent::*;
        self.is_priority_of_others()
            || matches!(
                self,
                PowerDownIoStopped
                    | PowerUpHwStarted
                    | ImplicitPowerDown
                    | ImplicitPowerDownFailed
                    | WakeArrived
                    | WakeSuccess
                    | WakeFailed
                    | PowerUpNotSeen
                    | UsbSelectiveSuspendCompleted
                    | DeviceDirectedPowerUp
            )
    }

    /// Those that go to the head of the queue of a device that does not own its stack's power policy.
    pub(super) fn is_priority_of_others(self) -> bool {
        use PolicyEvent::*;
        matches!(self, PowerUp | PowerUpFailed | PowerDown | PowerDownFailed)
    }
}
