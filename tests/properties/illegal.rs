//! One rule broken somewhere in a random run.

use proptest::prelude::*;
use vbus::iotarget::{Data, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, IoctlCode, Machine, Stop};

use crate::layer::{Choice, lower};
use crate::stack::{Run, runs};

/// What a driver should not do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Misdeed {
    CompletesTwice,
    Loses,
    CompletesItsOwn,
    SendsTwice,
    CompletesWhatIsOut,
    FormatsWithoutIrp,
    FormatsWhatIsOut,
    UsesTheWrongType,
    UsesNull,
    UsesWhatItDeleted,
    GivesBackTooMuch,
    TakesItsLockTwice,
    CompletesWhatIsCancelable,
    MarksWhatItSends,
}

const MISDEEDS: &[Misdeed] = &[
    Misdeed::CompletesTwice,
    Misdeed::Loses,
    Misdeed::CompletesItsOwn,
    Misdeed::SendsTwice,
    Misdeed::CompletesWhatIsOut,
    Misdeed::FormatsWithoutIrp,
    Misdeed::FormatsWhatIsOut,
    Misdeed::UsesTheWrongType,
    Misdeed::UsesNull,
    Misdeed::UsesWhatItDeleted,
    Misdeed::GivesBackTooMuch,
    Misdeed::TakesItsLockTwice,
    Misdeed::CompletesWhatIsCancelable,
    Misdeed::MarksWhatItSends,
];

impl Misdeed {
    pub fn commit(self, m: &mut Machine, device: Device, request: Request) {
        match self {
            Misdeed::CompletesTwice => {
                request.complete(m, STATUS_SUCCESS);
                request.complete(m, STATUS_SUCCESS);
            }
            Misdeed::Loses => {}
            Misdeed::CompletesItsOwn => {
                let own = own(m, device);
                own.complete(m, STATUS_SUCCESS);
                request.complete(m, STATUS_SUCCESS);
            }
            Misdeed::SendsTwice => {
                let (own, target) = (own(m, device), lower(m, device));
                own.send(m, target, SendOptions::none());
                own.send(m, target, SendOptions::none());
                request.complete(m, STATUS_SUCCESS);
            }
            Misdeed::CompletesWhatIsOut => {
                send(m, device, request);
                request.complete(m, STATUS_SUCCESS);
            }
            Misdeed::FormatsWithoutIrp => {
                let driver = device.driver(m);
                let own = Request::create(m, driver, Attributes::none()).expect("there is memory");
                own.format_using_current_type(m);
            }
            Misdeed::FormatsWhatIsOut => {
                let (own, target) = (own(m, device), lower(m, device));
                own.send(m, target, SendOptions::none());
                _ = target.format_internal_ioctl(m, own, CODE, Data::None, Data::None);
                request.complete(m, STATUS_SUCCESS);
            }
            Misdeed::UsesTheWrongType => {
                let driver = device.driver(m);
                _ = IoTarget::from_handle(m, driver, request.object()).state(m);
            }
            Misdeed::UsesNull => {
                let driver = device.driver(m);
                _ = IoTarget::from_handle(m, driver, Object::null()).state(m);
            }
            Misdeed::UsesWhatItDeleted => {
                let own = own(m, device);
                own.delete(m);
                let target = lower(m, device);
                own.send(m, target, SendOptions::none());
                request.complete(m, STATUS_SUCCESS);
            }
            Misdeed::GivesBackTooMuch => {
                let driver = device.driver(m);
                create_object(m, driver, Attributes::none()).expect("there is memory").dereference(m);
            }
            Misdeed::TakesItsLockTwice => {
                device.acquire_lock(m);
                device.acquire_lock(m);
            }
            Misdeed::CompletesWhatIsCancelable => {
                request.mark_cancelable(m, |m, request| request.complete(m, STATUS_CANCELLED));
                request.complete(m, STATUS_SUCCESS);
            }
            Misdeed::MarksWhatItSends => {
                request.mark_cancelable(m, |m, request| request.complete(m, STATUS_CANCELLED));
                send(m, device, request);
            }
        }
    }

    /// The first two parameters of the WDF_VIOLATION that always follows.
    fn violation(self, verifier: bool) -> Option<[Option<u64>; 2]> {
        match self {
            Misdeed::CompletesItsOwn if !verifier => Some([Some(7), None]),
            Misdeed::FormatsWithoutIrp => Some([Some(6), Some(2)]),
            Misdeed::UsesTheWrongType => Some([Some(5), None]),
            Misdeed::UsesNull => Some([Some(5), Some(0)]),
            Misdeed::GivesBackTooMuch => Some([Some(7), None]),
            Misdeed::TakesItsLockTwice => Some([Some(2), None]),
            _ => None,
        }
    }
}

const CODE: IoctlCode = IoctlCode(0x0022_0003);

/// A request of the driver's own, ready to be sent.
fn own(m: &mut Machine, device: Device) -> Request {
    let target = lower(m, device);
    let own = target.create_request(m, Attributes::none()).expect("the target is open");
    target.format_internal_ioctl(m, own, CODE, Data::None, Data::None).expect("an IRP of its own is deep enough");
    own
}

fn send(m: &mut Machine, device: Device, request: Request) {
    let target = lower(m, device);
    request.format_using_current_type(m);
    request.set_completion_routine(
        m,
        |m, request, _, params, _| request.complete(m, params.io_status.status),
        Context(0),
    );
    request.send(m, target, SendOptions::none());
}

/// A run in which some driver breaks a rule at every request, from some choice on.
fn wrong_runs() -> impl Strategy<Value = (Run, Misdeed)> {
    let misdeed = prop::sample::select(MISDEEDS);
    (runs(), misdeed, any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(
        |(mut run, misdeed, layer, choice)| {
            let at = layer.index(run.layers.len());
            let choices = &mut run.layers[at].choices;
            let at = choice.index(choices.len());
            choices[at] = Choice::Breaks(misdeed);
            (run, misdeed)
        },
    )
}

proptest! {
    #![proptest_config(crate::cases(500))]

    /// A panic of the model would fail this by itself.
    #[test]
    fn a_driver_that_breaks_a_rule_ends_as_documented_and_the_same_way_every_time((run, misdeed) in wrong_runs()) {
        let end = || {
            let (mut m, drivers) = run.build().expect("the stack starts");
            let end = run.play(&mut m).err();
            let logs: Vec<String> =
                drivers.iter().flat_map(|driver| driver.log(&m)).map(|line| line.to_string()).collect();
            (end, logs)
        };
        let (stopped, logs) = end();
        prop_assert_eq!(&(stopped.clone(), logs), &end());
        match (&stopped, misdeed.violation(run.verifier)) {
            (Some(Stop::BugCheck(check)), Some(wanted)) => {
                prop_assert_eq!(check.code, 0x10D, "{}", check);
                for (parameter, wanted) in check.parameters.iter().zip(wanted) {
                    prop_assert!(wanted.is_none_or(|wanted| *parameter == wanted), "{}", check);
                }
            }
            (Some(other), Some(_)) => prop_assert!(false, "{} is no bug check", other),
            // Nobody came that far, or what follows is not decided by the rule alone.
            _ => {}
        }
    }
}
