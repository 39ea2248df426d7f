//! Contexts that come later, contexts that know their object, and the custom types of extension libraries.

mod common;
#[allow(dead_code)] // The example's main.
#[path = "../examples/counter_object.rs"]
mod counter_object;

use common::workbench::{Workbench, named, note};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Machine, Stop};

struct Counter;

impl CustomType for Counter {
    type Data = u32;
}

struct Gauge;

impl CustomType for Gauge {
    type Data = &'static str;
}

fn object(bench: &mut Workbench) -> Object {
    bench.run(|m, driver, _| create_object(m, driver, named("object")).unwrap())
}

fn added_context_ends(attributes: Attributes) -> Attributes {
    attributes.on_cleanup(|m, _| note(m, "cleanup of a context")).on_destroy(|m, _| note(m, "destroy of a context"))
}

#[test]
fn the_objects_own_callbacks_come_first_and_those_of_added_contexts_in_the_order_of_adding() {
    let mut bench = Workbench::new();
    let object = object(&mut bench);
    bench.run(|m, _, _| {
        object.allocate_context(m, added_context_ends(Attributes::none().context(1u8))).unwrap();
        let library: [Option<ObjectCallback>; 2] =
            [Some(|m, _| note(m, "cleanup of a custom type")), Some(|m, _| note(m, "destroy of a custom type"))];
        object.add_custom_type_with_data::<Counter>(m, 5, library[0], library[1]).unwrap();
        object.delete(m);
    });
    let order = ["object", "a context", "a custom type"];
    let [cleanup, destroy] = ["cleanup", "destroy"].map(|what| order.map(|of| format!("{what} of {of}")));
    assert_eq!(bench.notes(), [cleanup, destroy].concat());
}

#[test]
fn a_context_can_keep_the_handle_of_its_own_object() {
    struct OfItself(Object, u32);
    let mut bench = Workbench::new();
    bench.run(|m, driver, _| {
        let object = create_object(m, driver, Attributes::none().context_of(|object| OfItself(object, 7))).unwrap();
        let OfItself(owner, number) = object.context(m);
        assert_eq!((*owner, *number), (object, 7));
    });
}

#[test]
fn nothing_is_added_to_an_object_that_is_being_deleted_and_what_is_there_can_still_be_read() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, _| {
        let attributes = Attributes::none().context(1u8).on_cleanup(|m, object| {
            let refused = Err(STATUS_DELETE_PENDING);
            assert_eq!(object.allocate_context(m, Attributes::none().context(2u16)), refused);
            assert_eq!(object.add_custom_type::<Counter>(m), refused);
            let driver = object.driver(m);
            assert_eq!(create_object(m, driver, Attributes::none().parent(object)).err(), refused.err());
            assert_eq!(*object.context::<u8>(m), 1);
            note(m, "refused");
        });
        create_object(m, driver, attributes).unwrap().delete(m);
    });
    assert_eq!(bench.notes(), ["refused"]);
}

#[test]
fn an_added_context_has_a_type_and_no_parent() {
    let mut bench = Workbench::new();
    let object = object(&mut bench);
    bench.run(|m, driver, _| {
        assert_eq!(object.allocate_context(m, Attributes::none()), Err(STATUS_OBJECT_NAME_INVALID));
        let with_parent = Attributes::none().context(1u8).parent(driver);
        assert_eq!(object.allocate_context(m, with_parent), Err(STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED));
    });
}

#[test]
fn any_object_can_be_of_several_custom_types_each_with_data_of_its_own() {
    let mut bench = Workbench::new();
    bench.run(|m, _, device| {
        device.add_custom_type_with_data::<Counter>(m, 5, None, None).unwrap();
        device.add_custom_type::<Gauge>(m).unwrap();
        *device.custom_type_data::<Counter>(m).unwrap() += 1;
        assert_eq!(device.custom_type_data::<Counter>(m), Some(&mut 6));
        assert_eq!(device.custom_type_data::<Gauge>(m), None, "it was added without");
        assert!(device.is_custom_type::<Gauge>(m));
    });
}

#[test]
fn adding_a_type_again_says_so_and_replaces_the_data_all_the_same() {
    let mut bench = Workbench::new();
    let object = object(&mut bench);
    bench.run(|m, _, _| {
        object.add_custom_type_with_data::<Counter>(m, 5, None, None).unwrap();
        let again = object.add_custom_type_with_data::<Counter>(m, 9, Some(|m, _| note(m, "ignored")), None);
        assert_eq!(again, Err(STATUS_OBJECT_NAME_EXISTS));
        assert_eq!(object.custom_type_data::<Counter>(m), Some(&mut 9));
        assert_eq!(object.add_custom_type::<Counter>(m), Err(STATUS_OBJECT_NAME_EXISTS));
        assert_eq!(object.custom_type_data::<Counter>(m), None);
        object.delete(m);
    });
    assert_eq!(bench.notes(), ["cleanup of object", "destroy of object"]);
}

#[test]
fn an_object_of_another_type_is_told_by_a_warning_that_names_the_type() {
    let mut bench = Workbench::new();
    let object = object(&mut bench);
    let log = bench.log_of(|m, _, _| assert!(!object.is_custom_type::<Counter>(m)));
    let expected =
        format!("Attempting to get context type WdfCustomType_Counter from FxObject 0x{:016X}\n", object.address());
    assert_eq!(log, expected);
    let log = bench.log_of(|m, _, _| assert!(object.find_context::<Counter>(m).is_none()));
    assert!(log.starts_with("Attempting to get context type Counter from"), "{log}");
}

#[test]
fn data_of_a_type_that_the_object_is_not_of_is_undefined() {
    let mut bench = Workbench::new();
    let object = object(&mut bench);
    let stop = bench.try_run(|m: &mut Machine, _, _| object.custom_type_data::<Counter>(m).copied()).unwrap_err();
    assert!(matches!(stop, Stop::Undefined { ddi: "WdfObjectGetCustomTypeData", .. }), "{stop}");
}

#[test]
fn an_extension_librarys_counter_calls_its_user_at_every_tenth_increment_and_goes_with_its_device() {
    approve!("counter_object", counter_object::demonstrate().unwrap());
}
