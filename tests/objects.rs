//! Framework objects: StackSize of devices, the object tree, typed contexts, handles, the log.

mod common;

use vbus::iotarget::IoTarget;
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Installation, Machine, Major, NtStatus, Stop};

#[derive(Clone, Copy, Default, Debug)]
struct Options {
    filter: bool,
    preprocess: u8,
    remove_lock: bool,
    self_target: bool,
    manual: i8,
}

fn device_add(m: &mut Machine, driver: Driver, mut init: DeviceInit) -> Result<(), NtStatus> {
    let options = *driver.context::<Options>(m);
    if options.filter {
        init = init.filter();
    }
    for major in [Major::DeviceControl, Major::Pnp].into_iter().take(options.preprocess.into()) {
        init = init.preprocess(major, |m, device, irp| {
            m[irp].skip_current_location();
            device.dispatch_preprocessed(m, irp)
        });
    }
    if options.remove_lock {
        init = init.remove_lock_for_io();
    }
    if options.self_target {
        init = init.allow_self_target();
    }
    let device = init.create(m, Attributes::none())?;
    let device_object = device.device_object(m);
    m[device_object].stack_size += options.manual;
    Ok(())
}

fn framework_driver(m: &mut Machine, name: &str, options: Options) -> Driver {
    let config = DriverConfig { device_add: Some(device_add), ..DriverConfig::default() };
    Driver::create(m, name, config, Attributes::none().context(options))
}

/// StackSizes of a stack of framework devices on a root PDO, from the top.
fn stack_sizes(drivers: &[Options]) -> Vec<i8> {
    let mut m = Machine::new();
    let mut loaded: Vec<_> = drivers
        .iter()
        .map(|&options| {
            let driver = framework_driver(&mut m, "d", options);
            driver.driver_object(&m)
        })
        .collect();
    let function = Some(loaded.remove(0));
    let hardware_id = "ROOT\\S".to_owned();
    m.install(Installation { hardware_id, function, upper_filters: loaded, ..Installation::default() });
    let node = m.add_root_device("ROOT\\S").unwrap();
    assert_eq!(node.state(&m), Some(vbus::wdm::NodeState::Started));
    node.pdo(&m).unwrap().stack(&m).into_iter().map(|device| m[device].stack_size).collect()
}

#[test]
fn the_stack_size_is_one_more_than_below_and_one_for_each_option_that_costs() {
    let plain = Options::default();
    let filter = Options { filter: true, ..plain };
    assert_eq!(stack_sizes(&[plain]), [2, 1]);
    for preprocess in 0..=2 {
        // However many major functions have a callback, they cost one location together.
        let options = Options { preprocess, ..plain };
        assert_eq!(stack_sizes(&[options]), [2 + i8::from(preprocess > 0), 1]);
    }
    assert_eq!(stack_sizes(&[Options { remove_lock: true, ..plain }]), [3, 1]);
    assert_eq!(stack_sizes(&[Options { self_target: true, ..plain }]), [3, 1]);
    let everything = Options { preprocess: 1, remove_lock: true, self_target: true, manual: 1, filter: false };
    assert_eq!(stack_sizes(&[everything]), [6, 1]);
    // All of it happens before anybody attaches above.
    assert_eq!(stack_sizes(&[everything, filter, Options { manual: 2, ..filter }]), [10, 7, 6, 1]);
}

/// Names of objects in the order in which their callbacks ran.
#[derive(Default)]
struct Seen(Vec<String>);

struct Name(&'static str);

fn named(name: &'static str) -> Attributes {
    fn note(m: &mut Machine, what: &str, object: Object) {
        let name = object.context::<Name>(m).0;
        m.extension_mut::<Seen>().0.push(format!("{what} {name}"));
    }
    Attributes::none()
        .context(Name(name))
        .on_cleanup(|m, object| note(m, "cleanup", object))
        .on_destroy(|m, object| note(m, "destroy", object))
}

fn with_driver() -> (Machine, Driver) {
    let mut m = Machine::new();
    m.add_extension(Seen::default());
    let driver = framework_driver(&mut m, "d", Options::default());
    (m, driver)
}

#[test]
fn a_subtree_is_cleaned_up_children_first_and_oldest_first_before_anything_of_it_is_destroyed() {
    let (mut m, driver) = with_driver();
    m.run(|m| {
        let root = create_object(m, driver, named("root")).unwrap();
        let first = create_object(m, driver, named("first").parent(root)).unwrap();
        create_object(m, driver, named("second").parent(root)).unwrap();
        create_object(m, driver, named("first's child").parent(first)).unwrap();
        root.delete(m);
    })
    .unwrap();
    approve!("object_tree_deletion", m.extension::<Seen>().0.join("\n"));
}

#[test]
fn a_reference_holds_back_the_destruction_and_not_the_cleanup() {
    let (mut m, driver) = with_driver();
    let object = m.run(|m| create_object(m, driver, named("held")).unwrap()).unwrap();
    m.run(|m| {
        object.reference(m);
        object.delete(m);
    })
    .unwrap();
    assert_eq!(m.extension::<Seen>().0, ["cleanup held"]);
    assert!(object.exists(&m));
    m.run(|m| object.dereference(m)).unwrap();
    assert_eq!(m.extension::<Seen>().0, ["cleanup held", "destroy held"]);
    assert!(!object.exists(&m));
}

#[test]
fn dropping_the_reference_of_an_object_that_was_not_deleted_is_wdf_violation_7() {
    let (mut m, driver) = with_driver();
    let stop = m.run(|m| create_object(m, driver, Attributes::none()).unwrap().dereference(m)).unwrap_err();
    assert!(matches!(stop, Stop::BugCheck(check) if (check.code, check.parameters[0]) == (0x10D, 7)));
}

#[test]
fn using_a_handle_after_its_object_is_gone_is_undefined_and_the_rule_is_named() {
    let (mut m, driver) = with_driver();
    let request = m
        .run(|m| {
            let request = Request::create(m, driver, Attributes::none()).unwrap();
            request.delete(m);
            request
        })
        .unwrap();
    let stop = m.run(|m| request.status(m)).unwrap_err();
    assert!(stop.to_string().contains("a handle is not used after its object is gone"), "{stop}");
}

#[test]
fn a_handle_of_the_wrong_type_is_wdf_violation_5_and_names_the_handle_and_the_type() {
    let (mut m, driver) = with_driver();
    let request = m.run(|m| Request::create(m, driver, Attributes::none()).unwrap()).unwrap();
    let Stop::BugCheck(check) = m.run(|m| IoTarget::from_handle(m, driver, request.object())).unwrap_err() else {
        panic!()
    };
    assert_eq!((check.code, check.parameters[..3].to_vec()), (0x10D, vec![5, request.object().handle(), 0x1200]));
    assert!(check.log.last().unwrap().contains("Object Type Mismatch"), "{:?}", check.log);
}

#[test]
fn a_null_handle_is_wdf_violation_5_with_nothing_but_the_type() {
    let (mut m, driver) = with_driver();
    let Stop::BugCheck(check) = m.run(|m| IoTarget::from_handle(m, driver, Object::null())).unwrap_err() else {
        panic!()
    };
    assert_eq!((check.code, check.parameters[..3].to_vec()), (0x10D, vec![5, 0, 0x1200]));
}

#[test]
fn a_context_is_found_by_its_type_and_added_only_once() {
    let (mut m, driver) = with_driver();
    m.run(|m| {
        let object = create_object(m, driver, Attributes::none().context(5u32)).unwrap();
        *object.context::<u32>(m) += 1;
        assert_eq!(object.allocate_context(m, Attributes::none().context("text")), Ok(()));
        assert_eq!(object.allocate_context(m, Attributes::none().context(9u32)), Err(STATUS_OBJECT_NAME_EXISTS));
        assert_eq!((*object.context::<u32>(m), *object.context::<&str>(m)), (6, "text"));
        assert_eq!(object.find_context::<u8>(m), None);
    })
    .unwrap();
}

#[test]
fn a_handle_prints_as_the_objects_address_with_all_but_three_bits_turned_over() {
    let (mut m, driver) = with_driver();
    let object = m.run(|m| create_object(m, driver, Attributes::none()).unwrap()).unwrap();
    assert_eq!(object.handle() ^ object.address(), 0xFFFF_FFFF_FFFF_FFF8);
    assert_eq!(object.handle() >> 48, 0, "which is how a handle is told from a pointer in a log");
}

#[test]
fn a_quiet_log_holds_no_verbose_record_and_its_numbers_have_no_gap() {
    let sequence = |verbose: bool| {
        let vbus = vbus::Setup::default().verbose(verbose).log_pages(16).reader(7).build().unwrap();
        let log = vbus.bus_driver.log(&vbus.machine);
        assert_eq!(log[0].to_string(), "1: FxIFRStart - FxIFR logging started");
        assert!(log.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence));
        log.into_iter().map(|line| line.level).collect::<Vec<_>>()
    };
    assert!(sequence(true).contains(&Level::Verbose));
    assert!(!sequence(false).contains(&Level::Verbose));
}

#[test]
fn the_life_of_a_reader_leaves_the_log_that_was_approved() {
    let mut vbus = vbus::Setup::default().verbose(false).log_pages(16).reader(7).build().unwrap();
    let service = vbus.service().unwrap();
    service.unplug(&mut vbus.machine, vbus::bus::ReaderId(7)).unwrap();
    let log = vbus.reader_driver.log(&vbus.machine);
    approve!("log_of_a_readers_life", log.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
fn giving_back_a_reference_that_is_not_there_goes_unnoticed_in_evt_destroy() {
    let (mut m, driver) = with_driver();
    let attributes = Attributes::none().context(0u8).on_destroy(|m, object| object.dereference(m));
    let object = m.run(|m| {
        let object = create_object(m, driver, attributes).unwrap();
        object.delete(m);
        object
    });
    assert!(!object.unwrap().exists(&m), "a count below zero is not zero");
}

#[test]
fn a_memory_object_keeps_its_bytes_until_its_last_reference() {
    let (mut m, driver) = with_driver();
    m.run(|m| {
        let memory = Memory::create(m, driver, 4, Attributes::none()).unwrap();
        let span = memory.span(m).unwrap();
        let Memory::Own(object) = memory else { unreachable!("it was created") };
        object.reference(m);
        object.delete(m);
        m.bytes_mut(span).copy_from_slice(b"here");
        assert_eq!(m.bytes(span), b"here");
        object.dereference(m);
    })
    .unwrap();
}

#[test]
fn what_a_driver_may_not_delete_stays_and_the_log_says_so() {
    let (mut m, driver) = with_driver();
    m.run(|m| driver.delete(m)).unwrap();
    let log = driver.log(&m);
    let line = log.last().unwrap().message.clone();
    assert!(line.starts_with("Attempt to Delete an Object Which does not allow WdfDeleteObject Handle 0x"), "{line}");
    assert!(line.ends_with("0xc0000121(STATUS_CANNOT_DELETE)"), "{line}");
}

#[test]
fn a_filter_whose_device_add_fails_is_left_out_and_the_stack_starts_without_it() {
    fn fails(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
        let options = *driver.context::<Options>(m);
        let init = if options.filter { init.filter() } else { init };
        init.create(m, Attributes::none())?;
        Err(STATUS_UNSUCCESSFUL)
    }
    for (filter, expected) in [(true, Some(vec!["function", "PnpManager"])), (false, None)] {
        let mut m = Machine::new();
        let function = framework_driver(&mut m, "function", Options::default()).driver_object(&m);
        let config = DriverConfig { device_add: Some(fails), ..DriverConfig::default() };
        let options = Attributes::none().context(Options { filter, ..Options::default() });
        let failing = Driver::create(&mut m, "failing", config, options).driver_object(&m);
        m.install(Installation {
            hardware_id: "ROOT\\S".to_owned(),
            function: Some(function),
            upper_filters: vec![failing],
            ..Installation::default()
        });
        let node = m.add_root_device("ROOT\\S").unwrap();
        let started = node.state(&m) == Some(vbus::wdm::NodeState::Started);
        let stack = node.pdo(&m).unwrap().stack(&m);
        let names: Vec<&str> = stack.iter().map(|device| device.driver_name(&m)).collect();
        assert_eq!(started.then_some(names), expected, "filter: {filter}");
    }
}

#[test]
fn a_child_that_could_not_be_created_is_taken_apart_and_one_to_be_retried_is_asked_for_again() {
    #[derive(Default)]
    struct Tries(Vec<NtStatus>);
    fn create_child(m: &mut Machine, _: ChildList, _: u64, init: DeviceInit) -> Result<(), NtStatus> {
        init.create(
            m,
            Attributes::none().context(()).on_cleanup(|m, _| m.extension_mut::<Seen>().0.push("gone".into())),
        )?;
        m.extension_mut::<Tries>().0.pop().map_or(Ok(()), Err)
    }
    fn bus(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
        let device = init.default_child_list(create_child).create(m, Attributes::none())?;
        device.default_child_list(m).unwrap().add_or_update(m, 1)
    }
    for (tries, gone, children) in [(vec![STATUS_UNSUCCESSFUL], 1, 0), (vec![STATUS_RETRY, STATUS_RETRY], 2, 1)] {
        let (mut m, _) = with_driver();
        m.add_extension(Tries(tries));
        let config = DriverConfig { device_add: Some(bus), ..DriverConfig::default() };
        let function = Some(Driver::create(&mut m, "bus", config, Attributes::none()).driver_object(&m));
        m.install(Installation { hardware_id: "ROOT\\B".to_owned(), function, ..Installation::default() });
        let node = m.add_root_device("ROOT\\B").unwrap();
        assert_eq!((m.extension::<Seen>().0.len(), node.children(&m).len()), (gone, children));
    }
}
