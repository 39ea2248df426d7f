//! Unplug × insert, and power down × present.

use vbus::explore::{Failure, Race};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Machine, NtStatus, SystemPowerState};

use crate::stage::*;

/// A reader that tracks its card: a request waits until one is inserted. The wrong driver keeps it itself, the repaired one
/// in a manual queue.
fn build_tracker(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let callbacks = PnpCallbacks { surprise_removal: Some(unplugged), ..PnpCallbacks::default() };
    let device = init.callbacks(callbacks).create(m, attributes)?;
    let queue = Queue::config(Dispatch::Manual).power_managed(false).create(m, device)?;
    device.allocate_context(m, Attributes::none().context(Tracking(queue)))?;
    Queue::config(Dispatch::Parallel)
        .power_managed(false)
        .on_default(|m, queue, request| {
            let device = queue.device(m);
            let Tracking(waiting) = *device.context::<Tracking>(m);
            if !is_repaired(m) {
                kept(m).request = Some(request);
            } else if let Err(status) = request.forward_to(m, waiting) {
                request.complete(m, status);
            }
        })
        .create_default(m, device)?;
    Ok(device)
}

struct Tracking(Queue);

fn tell(m: &mut Machine, device: Device, status: NtStatus) {
    if is_repaired(m) {
        let Tracking(waiting) = *device.context::<Tracking>(m);
        while let Ok(request) = waiting.retrieve_next(m) {
            request.complete(m, status);
        }
    } else if let Some(request) = kept(m).request {
        request.complete(m, status);
        kept(m).request = None;
    }
}

fn unplugged(m: &mut Machine, device: Device) {
    tell(m, device, STATUS_DEVICE_REMOVED);
}

fn unplug_and_insert(race: &mut Race, twin: Twin) -> Result<(), Failure> {
    let (mut machine, Stage { device, file, .. }) = stage(twin, build_tracker);
    machine.start_io_control(file, CODE, &[], &[])?.map_err(|status| status.to_string())?;
    race.thread("the card", move |m| {
        device.reference(m);
        tell(m, device, STATUS_SUCCESS);
        device.dereference(m);
    });
    race.thread("the unplugging", move |m| device.set_failed(m, FailedAction::NoRestart));
    race.run(&mut machine)?;
    verdict(machine)
}

#[test]
fn a_card_and_an_unplugging_that_both_find_the_request_complete_it_twice() {
    approve!("race_unplug_insert", falls(unplug_and_insert));
}

#[test]
fn a_request_that_waits_in_a_manual_queue_is_taken_once() {
    survives(unplug_and_insert);
}

/// A device that must not be touched without power. The wrong driver looks whether there is power when a request comes; the
/// repaired one has a power-managed queue, which gives it requests only while there is.
fn build_powered(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let callbacks = PnpCallbacks {
        d0_entry: Some(|m, _, _| switch(m, true)),
        d0_exit: Some(|m, _, _| switch(m, false)),
        ..PnpCallbacks::default()
    };
    let device = init.callbacks(callbacks).create(m, attributes)?;
    let managed = Queue::config(Dispatch::Parallel).power_managed(true).on_default(|m, _, request| touch(m, request));
    let managed = managed.create(m, device)?;
    device.allocate_context(m, Attributes::none().context(Managed(managed)))?;
    let arrive: fn(&mut Machine, Queue, Request) = |m, queue, request| {
        if !is_repaired(m) {
            return if kept(m).powered { touch(m, request) } else { request.complete(m, STATUS_POWER_STATE_INVALID) };
        }
        let Managed(managed) = *queue.device(m).context::<Managed>(m);
        if let Err(status) = request.forward_to(m, managed) {
            request.complete(m, status);
        }
    };
    Queue::config(Dispatch::Parallel).power_managed(false).on_default(arrive).create_default(m, device)?;
    Ok(device)
}

struct Managed(Queue);

/// The device is on from its start, when nobody keeps anything yet.
fn switch(m: &mut Machine, on: bool) -> Result<(), NtStatus> {
    if m.has_processors() {
        kept(m).powered = on;
    }
    Ok(())
}

/// The request's way to the hardware is not one step.
fn touch(m: &mut Machine, request: Request) {
    if !request.is_cancelled(m) && !kept(m).powered {
        kept(m).broken = Some("the hardware was touched without power");
    }
    request.complete(m, STATUS_SUCCESS);
}

fn power_down_and_present(race: &mut Race, twin: Twin) -> Result<(), Failure> {
    let (mut machine, Stage { file, .. }) = stage(twin, build_powered);
    race.thread("the program", issue(file));
    race.thread("the system", |m| _ = m.sleep(SystemPowerState::Sleeping3));
    // What came too late waits for the device to be woken.
    race.leaves_requests();
    race.run(&mut machine)?;
    verdict(machine)
}

#[test]
fn a_device_may_lose_its_power_after_its_driver_looked() {
    approve!("race_power_present", falls(power_down_and_present));
}

#[test]
fn a_power_managed_queue_gives_its_requests_out_while_there_is_power() {
    survives(power_down_and_present);
}
