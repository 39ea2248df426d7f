//! The power policy of a device that does not own it: it follows what it sees, and says so to the PnP machine.
//!
//! Source: S/irphandlers/pnp/notpowerpolicyownerstatemachine.cpp.

use vbus_wdm::Machine;

use super::events::{PnpEvent, PolicyEvent, PowerEvent};
use super::machine::{Row, post};
use super::pnp_machine::Pnp;
use super::power_machine::Power;
use super::states::PowerPolicyState::{self, *};
use crate::device::Device;

type Next = Option<PowerPolicyState>;

pub(super) fn row(state: PowerPolicyState) -> Row<PowerPolicyState, PolicyEvent> {
    use PolicyEvent as E;
    match state {
        ObjectCreated => Row::open(&[(E::Start, Starting), (E::Remove, Removed)]),
        Starting => Row::locked(
            |m, device| tell_power(m, device, PowerEvent::ImplicitD0),
            &[(E::PowerUp, Started), (E::PowerUpFailed, StartingFailed)],
        ),
        Started => Row::passing(|m, device| tell_pnp(m, device, PnpEvent::PwrPolStarted, Some(StartingSucceeded))),
        StartingSucceeded => Row::open(&[
            (E::PowerDownIoStopped, GotoDx),
            (E::Stop, Stopping),
            (E::SurpriseRemove, Stopping),
            (E::PowerUpHwStarted, GotoD0InD0),
        ]),
        StartingFailed => Row::open(&[(E::Remove, Removed)])
            .entering(|m, device| tell_pnp(m, device, PnpEvent::PwrPolStartFailed, None)),
        GotoDx => Row::locked(
            |m, device| tell_power(m, device, PowerEvent::CompleteDx),
            &[(E::PowerDown, Dx), (E::PowerDownFailed, StartingSucceeded)],
        ),
        GotoDxInDx => Row::locked(
            |m, device| tell_power(m, device, PowerEvent::CompleteDx),
            &[(E::PowerDown, Dx), (E::PowerDownFailed, Dx)],
        ),
        Dx => Row::open(&[
            (E::PowerUpHwStarted, GotoD0),
            (E::Stop, Stopping),
            (E::SurpriseRemove, Stopping),
            (E::PowerDownIoStopped, GotoDxInDx),
        ]),
        GotoD0 | GotoD0InD0 => Row::locked(
            |m, device| tell_power(m, device, PowerEvent::CompleteD0),
            &[(E::PowerUp, StartingSucceeded), (E::PowerUpFailed, StartingSucceeded)],
        ),
        Stopping => Row::passing(|m, device| {
            tell_power(m, device, PowerEvent::ImplicitD3);
            Some(StoppingWaitingForImplicitPowerDown)
        }),
        StoppingWaitingForImplicitPowerDown => Row::open(&[
            (E::ImplicitPowerDown, StoppingSendStatus),
            (E::ImplicitPowerDownFailed, StoppingFailed),
            (E::PowerDownIoStopped, StoppingPoweringDown),
            (E::PowerUpHwStarted, StoppingPoweringUp),
        ]),
        StoppingPoweringUp => Row::locked(
            |m, device| tell_power(m, device, PowerEvent::CompleteD0),
            &[
                (E::PowerUp, StoppingWaitingForImplicitPowerDown),
                (E::PowerUpFailed, StoppingWaitingForImplicitPowerDown),
            ],
        ),
        StoppingPoweringDown => Row::locked(
            |m, device| tell_power(m, device, PowerEvent::CompleteDx),
            &[
                (E::PowerDown, StoppingWaitingForImplicitPowerDown),
                (E::PowerDownFailed, StoppingWaitingForImplicitPowerDown),
            ],
        ),
        StoppingSendStatus => Row::passing(|m, device| tell_pnp(m, device, PnpEvent::PwrPolStopped, Some(Stopped))),
        StoppingFailed => Row::passing(|m, device| tell_pnp(m, device, PnpEvent::PwrPolStopFailed, Some(Stopped))),
        Stopped => Row::open(&[(E::Start, Starting), (E::Remove, Removed)]),
        Removed => Row::open(&[(E::Start, Starting), (E::Remove, Removed)])
            .entering(|m, device| tell_pnp(m, device, PnpEvent::PwrPolRemoved, None)),
        // The owner's.
        _ => Row::open(&[]),
    }
}

fn tell_power(m: &mut Machine, device: Device, event: PowerEvent) -> Next {
    post::<Power>(m, device, event);
    None
}

fn tell_pnp(m: &mut Machine, device: Device, event: PnpEvent, next: Next) -> Next {
    post::<Pnp>(m, device, event);
    next
}
