//! The states of an object on its way out, as a driver that tracks its handles has them in its log.

mod common;

use common::workbench::{Wanted, Workbench, at_dispatch, remove_device, send};
use vbus::iotarget::IoTarget;
use vbus::wdf::*;
use vbus::wdm::Machine;
use vbus::wdm::constants::*;

fn tracking() -> Workbench {
    Workbench::with(Wanted { track_handles: true, ..Wanted::default() })
}

/// The states that the code's objects go through, one a line: the object's name, from, to.
fn states(
    bench: &mut Workbench,
    code: impl FnOnce(&mut Machine, Driver, Device) -> Vec<(Object, &'static str)>,
) -> String {
    let before = bench.driver.log_sequence(&bench.machine);
    let named = bench.run(code);
    let lines = bench.driver.log_after(&bench.machine, before);
    let mut text = String::new();
    for line in lines.iter().filter(|line| line.message.contains("FxObjectState")) {
        let known = named.iter().find(|(object, _)| line.message.contains(&format!("{:016X}", object.address())));
        let Some((_, name)) = known else { continue };
        let words: Vec<&str> = line.message.split([' ', ',']).filter(|word| word.starts_with("FxObject")).collect();
        text += &format!("{name}: {}\n", words.join(" "));
    }
    text
}

#[test]
fn a_tree_that_is_deleted_goes_through_its_states_child_first() {
    let mut bench = tracking();
    let text = states(&mut bench, |m, driver, _| {
        let parent = create_object(m, driver, Attributes::none()).unwrap();
        let child = create_object(m, driver, Attributes::none().parent(parent)).unwrap();
        parent.delete(m);
        vec![(parent, "parent"), (child, "child")]
    });
    approve!("states_of_a_deleted_tree", text);
}

#[test]
fn what_is_left_to_a_work_item_says_so() {
    let mut bench = tracking();
    let text = states(&mut bench, |m, driver, device| {
        let object = create_object(m, driver, Attributes::none().parent(device)).unwrap();
        let timer = Timer::config(|_, _| {}).create(m, driver, Attributes::none().parent(object)).unwrap();
        at_dispatch(m, |m| object.delete(m));
        vec![(object, "object"), (timer.object(), "timer")]
    });
    approve!("states_of_a_deferred_deletion", text);
}

#[test]
fn what_a_devices_pnp_package_holds_is_destroyed_after_the_device() {
    let mut bench = tracking();
    let text = states(&mut bench, |m, driver, device| {
        let target = IoTarget::default_of(m, device).unwrap();
        let object = create_object(m, driver, Attributes::none().parent(device)).unwrap();
        remove_device(m, device);
        vec![(device.object(), "device"), (target.object(), "target"), (object, "object")]
    });
    approve!("states_of_a_removed_device", text);
}

#[test]
fn a_request_is_disposed_of_before_its_irp_is_completed_and_gone_after_the_last_reference() {
    let mut bench = Workbench::with(Wanted {
        track_handles: true,
        build: Some(|m, init, attributes| {
            let device = init.create(m, attributes)?;
            let config = Queue::config(Dispatch::Parallel).power_managed(false).on_default(|m, queue, request| {
                request.reference(m);
                request.complete(m, STATUS_SUCCESS);
                let driver = queue.driver(m);
                let child = create_object(m, driver, Attributes::none().parent(request));
                assert_eq!(child, Err(STATUS_DELETE_PENDING), "it is as good as deleted");
                m.add_extension(request);
            });
            config.create_default(m, device)?;
            Ok(device)
        }),
        ..Wanted::default()
    });
    let text = states(&mut bench, |m, _, device| {
        send(m, device);
        let request = *m.extension::<Request>();
        request.dereference(m);
        vec![(request.object(), "request")]
    });
    approve!("states_of_a_completed_request", text);
}

#[test]
fn without_the_setting_there_are_no_states_in_the_log() {
    let mut bench = Workbench::new();
    let text = states(&mut bench, |m, driver, _| {
        let object = create_object(m, driver, Attributes::none()).unwrap();
        object.delete(m);
        vec![(object, "object")]
    });
    assert_eq!(text, "");
}
