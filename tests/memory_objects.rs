//! WDFMEMORY, WDFLOOKASIDE and WDFSTRING: what drivers keep bytes and texts in.

mod common;

use common::workbench::{Workbench, at_dispatch, named, note, violation};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Machine, Span};

/// Bytes that the driver has from elsewhere.
fn bytes_of_the_driver(m: &mut Machine) -> Span {
    m.allocate_block(b"sixteen bytes...", 16)
}

#[test]
fn copies_stay_inside_the_memory_and_are_of_something() {
    let mut bench = Workbench::new();
    let log = bench.log_of(|m, driver, _| {
        let memory = Memory::create(m, driver, 8, Attributes::none()).unwrap();
        assert_eq!(memory.copy_from(m, 4, b"four"), Ok(()));
        let mut out = [0; 8];
        assert_eq!(memory.copy_to(m, 0, &mut out), Ok(()));
        assert_eq!(&out, b"\0\0\0\0four");
        assert_eq!(memory.copy_from(m, 5, b"four"), Err(STATUS_INVALID_BUFFER_SIZE));
        assert_eq!(memory.copy_to(m, 1, &mut out), Err(STATUS_BUFFER_TOO_SMALL));
        assert_eq!(memory.copy_from(m, u32::MAX, b"x"), Err(STATUS_INVALID_BUFFER_SIZE));
        assert_eq!(memory.copy_from(m, 0, b""), Err(STATUS_INVALID_PARAMETER));
        assert_eq!(memory.copy_to(m, 8, &mut []), Err(STATUS_INVALID_PARAMETER));
    });
    assert_eq!(log.matches("Zero bytes to copy not allowed").count(), 2, "{log}");
}

#[test]
fn a_memory_has_at_least_one_byte() {
    let mut bench = Workbench::new();
    let log = bench.log_of(|m, driver, _| {
        let refused = STATUS_INVALID_PARAMETER;
        assert_eq!(Memory::create(m, driver, 0, Attributes::none()), Err(refused));
        let none = bytes_of_the_driver(m).part(0, 0).unwrap();
        assert_eq!(Memory::create_preallocated(m, driver, none, Attributes::none()), Err(refused));
        let lookaside = Lookaside::create(m, driver, 0, Attributes::none(), Attributes::none);
        assert_eq!(lookaside, Err(refused));
    });
    assert!(log.starts_with("BufferSize == 0 not allowed"), "{log}");
}

#[test]
fn a_preallocated_memory_uses_the_drivers_bytes_and_leaves_them_to_it() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, _| {
        let bytes = bytes_of_the_driver(m);
        let memory = Memory::create_preallocated(m, driver, bytes, named("memory")).unwrap();
        memory.copy_from(m, 0, b"Sixteen").unwrap();
        assert_eq!(memory.assign_buffer(m, bytes.part(8, 5).unwrap()), Ok(()));
        assert_eq!(memory.span(m), Ok(bytes.part(8, 5).unwrap()));
        assert_eq!(memory.assign_buffer(m, bytes.part(0, 0).unwrap()), Err(STATUS_INVALID_PARAMETER));
        memory.delete(m);
        assert_eq!(m.bytes(bytes), b"Sixteen bytes...");
    });
    assert_eq!(bench.notes(), ["cleanup of memory", "destroy of memory"]);
}

#[test]
fn only_a_preallocated_memory_can_be_given_other_bytes_and_never_none() {
    let mut bench = Workbench::new();
    let stop = bench.try_run(|m, driver, _| {
        let memory = Memory::create(m, driver, 8, Attributes::none()).unwrap();
        let bytes = bytes_of_the_driver(m);
        memory.assign_buffer(m, bytes)
    });
    let stop = violation(stop.unwrap_err());
    assert_eq!((stop[0], stop[2]), (5, HandleType::PreallocatedMemory as u64));
    let mut bench = Workbench::new();
    let stop = bench.try_run(|m, driver, _| {
        let bytes = bytes_of_the_driver(m);
        let memory = Memory::create_preallocated(m, driver, bytes, Attributes::none()).unwrap();
        memory.assign_buffer(m, Span::null(16))
    });
    assert_eq!(violation(stop.unwrap_err())[0], 4, "NULL");
}

#[test]
fn a_lookaside_list_stays_as_long_as_one_of_its_memories() {
    let mut bench = Workbench::new();
    let memory = bench.run(|m, driver, _| {
        let lookaside = Lookaside::create(m, driver, 8, named("lookaside"), || named("memory")).unwrap();
        let memory = lookaside.create_memory(m).unwrap();
        assert_eq!(memory.span(m).unwrap().len(), 8);
        lookaside.delete(m);
        memory
    });
    assert_eq!(bench.notes(), ["cleanup of lookaside"]);
    bench.run(|m, _, _| memory.delete(m));
    assert_eq!(bench.notes(), ["cleanup of memory", "destroy of memory", "destroy of lookaside"]);
}

#[test]
fn a_string_is_a_copy_and_is_disposed_of_at_passive_level_only() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, _| {
        let string = WdfString::create(m, driver, Some("Reader 7"), named("string")).unwrap();
        assert_eq!(string.text(m), Some("Reader 7"));
        let empty = WdfString::create(m, driver, None, Attributes::none()).unwrap();
        assert_eq!(empty.text(m), None);
        at_dispatch(m, |m| string.delete(m));
        note(m, "back at PASSIVE_LEVEL");
    });
    assert_eq!(bench.notes(), ["back at PASSIVE_LEVEL", "cleanup of string", "destroy of string"]);
}

#[test]
fn under_the_verifier_strings_are_for_passive_level() {
    let mut bench = Workbench::verified();
    bench.run(|m, driver, _| {
        let string = WdfString::create(m, driver, Some("text"), Attributes::none()).unwrap();
        at_dispatch(m, |m| {
            assert_eq!(string.text(m), None);
            let created = WdfString::create(m, driver, None, Attributes::none());
            assert_eq!(created, Err(STATUS_INVALID_DEVICE_REQUEST));
        });
    });
    assert_eq!(bench.breaks(), 2);
}
