//! StackCount and CurrentLocation at every step of a forwarded IRP.

mod common;

use common::{READ_CARD, accounting, card_text};
use vbus::bus::{BusConfig, PreprocessStyle};
use vbus::wdm::FilterStyle::{self, Copy, Skip};
use vbus::wdm::constants::*;
use vbus::wdm::{Major, Step};
use vbus::{Setup, VirtualBus};

fn watched(setup: &Setup) -> (VirtualBus, String) {
    let mut vbus = setup.build().unwrap();
    let service = vbus.service().unwrap();
    vbus.machine.watch_irps();
    let mut output = [0; 64];
    let result = service
        .control(&mut vbus.machine, vbus::bus::ReaderId(7), vbus::bus::IOCTL_VBUS_EXCHANGE, READ_CARD, &mut output)
        .unwrap();
    assert_eq!((result.status, &output[..result.information as usize]), (STATUS_SUCCESS, &card_text(7)[..]));
    let seen = vbus.machine.take_observations();
    let table = accounting(&vbus, &seen);
    (vbus, table)
}

/// The smallest StackSize of the bus FDO that forwards, and CurrentLocation at the FDO there.
fn minimum(setup: &Setup) -> (i8, i8) {
    for extra in 0..20 {
        let mut vbus = setup.clone().bus_extra_stack(extra).build().unwrap();
        let probe = vbus.probe(7, READ_CARD).unwrap();
        if probe.result.status == STATUS_SUCCESS {
            assert_eq!(probe.output, card_text(7));
            return (vbus.bus_fdo_stack_size(), probe.current_location);
        }
        assert_eq!(probe.result.status, STATUS_REQUEST_NOT_ACCEPTED);
    }
    panic!("no size forwards");
}

fn story() -> Setup {
    Setup::default().reader(7)
}

#[test]
fn the_forwarded_irp_goes_down_to_location_three_and_leaves_the_child_pdos_unused() {
    let (_, table) = watched(&story().bus_extra_stack(3));
    approve!("accounting_forwarded", table);
}

#[test]
fn a_request_of_the_drivers_own_has_an_irp_of_its_own() {
    let config = BusConfig { sender: vbus::bus::Sender::DriverCreated, ..BusConfig::default() };
    let (_, table) = watched(&story().bus(config));
    approve!("accounting_driver_created", table);
}

#[test]
fn filters_above_the_bus_that_copy_change_nothing_and_filters_that_skip_lend_their_locations() {
    let with = |filters: &[FilterStyle]| minimum(&story().bus_filters(filters.to_vec()));
    assert_eq!(with(&[]), (5, 5));
    assert_eq!(with(&[Copy]), (5, 5));
    assert_eq!(with(&[Copy, Copy, Copy]), (5, 5));
    assert_eq!(with(&[Skip]), (4, 5));
    assert_eq!(with(&[Skip, Skip]), (3, 5));
    assert_eq!(with(&[Skip, Copy]), (4, 5));
    // Three that skip are enough for a bus that was never changed.
    assert_eq!(with(&[Skip, Skip, Skip]), (2, 5));
}

#[test]
fn each_filter_above_the_reader_costs_the_bus_one_location() {
    for (count, expected) in [(0, 4), (1, 5), (2, 6), (3, 7)] {
        for style in [Copy, Skip] {
            assert_eq!(minimum(&story().reader_filters(vec![style; count])).0, expected, "{count} filters, {style:?}");
        }
    }
}

#[test]
fn the_remove_lock_uses_the_location_that_it_costs() {
    let config = BusConfig { remove_lock_for_io: true, ..BusConfig::default() };
    // One location more in the device object, and none of it left for the target.
    assert_eq!(minimum(&story().bus(config)), (6, 6));
    let (_, table) = watched(&story().bus(BusConfig { extra_stack: 3, ..config }));
    approve!("accounting_remove_lock", table);
}

#[test]
fn a_preprocess_callback_that_skips_gives_back_what_it_costs_and_one_that_copies_does_not() {
    let with = |style| minimum(&story().bus(BusConfig { preprocess: Some(style), ..BusConfig::default() }));
    assert_eq!(with(PreprocessStyle::Skip), (5, 5));
    assert_eq!(with(PreprocessStyle::Copy), (6, 6));
}

#[test]
fn a_card_that_answers_later_leaves_the_same_steps() {
    let reader = vbus::reader::ReaderConfig { response_time: vbus::wdm::Ticks::from_millis(3), ..Default::default() };
    let (vbus, table) = watched(&story().bus_extra_stack(3).reader_config(reader));
    assert_eq!(vbus.machine.now(), vbus::wdm::Ticks::from_millis(3));
    let (_, at_once) = watched(&story().bus_extra_stack(3));
    assert_eq!(table, at_once);
}

#[test]
fn a_stack_that_no_irp_is_big_enough_for_is_refused_with_its_number() {
    let setup = vbus::Setup::default().bus_extra_stack(126);
    let refused = setup.build().err().unwrap().to_string();
    assert!(refused.contains("vbus's stack would have StackSize 128"), "{refused}");
}

#[test]
fn a_pnp_irp_takes_a_location_of_every_framework_device_on_its_way() {
    let mut vbus = story().bus_extra_stack(3).build().unwrap();
    let service = vbus.service().unwrap();
    vbus.machine.watch_irps();
    service.unplug(&mut vbus.machine, vbus::bus::ReaderId(7)).unwrap();
    let seen = vbus.machine.take_observations();
    let of_reader = |seen: &&vbus::wdm::Observation| {
        matches!(seen.step, Step::Call { major: Major::Pnp, .. }) && seen.stack_count == 4
    };
    let locations: Vec<i8> = seen.iter().filter(of_reader).map(|seen| seen.current_location).collect();
    // The filter skips its own, so that the reader's is the first: QUERY_DEVICE_RELATIONS, SURPRISE_REMOVAL, REMOVE.
    assert_eq!(locations, [4, 4, 3].repeat(3));
}
