//! Opening a remote target: on a device, by name, again; and what is refused.

mod common;

use common::bench::*;
use vbus::iotarget::{Data, IoTarget, OpenParams, SendOptions, SendRequest, TargetProperty, TargetState};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{BugCheck, FilterStyle, Irql, Machine, Major, NtStatus, OpenOptions, create_filter};

const NAME: &str = "\\??\\LOWER";

fn nothing(_: &mut Machine, _: IoTarget) {}

fn open(bench: &mut Bench, params: OpenParams) -> Result<(), NtStatus> {
    let target = bench.target;
    bench.run(|m| target.open(m, params))
}

#[test]
fn every_open_that_is_refused_says_why() {
    type Params = fn(&mut Bench) -> OpenParams;
    let mut table = String::new();
    let cases: [(&str, Params); 8] = [
        ("a structure that nobody initialized", |_| OpenParams::default()),
        ("an existing device that is NULL", |_| OpenParams::existing_device(None)),
        ("a callback, and no file object to hear of the device by", |bench| {
            OpenParams::existing_device(bench.lower).on_remove_complete(nothing)
        }),
        ("no name", |_| OpenParams::by_name("", OpenOptions::OVERLAPPED)),
        ("by file, which is for user-mode drivers", |_| OpenParams::local_target_by_file()),
        ("again, though it never was", |_| OpenParams::reopen()),
        ("a name that leads nowhere", |_| OpenParams::by_name("\\??\\NOWHERE", OpenOptions::OVERLAPPED)),
        ("twice", |bench| {
            let lower = bench.lower;
            open(bench, OpenParams::existing_device(lower)).unwrap();
            bench.forget_log();
            OpenParams::existing_device(lower)
        }),
    ];
    for (what, params) in cases {
        let mut bench = Setup::default().closed();
        let params = params(&mut bench);
        let status = open(&mut bench, params).unwrap_err();
        table += &format!("{what}: {status:?}\n");
        bench.log(&[]).iter().for_each(|line| table += &format!("    {line}\n"));
    }
    approve!("refused_opens", table);
}

#[test]
fn above_passive_level_the_verifier_lets_nobody_open_or_close() {
    let mut bench = Setup { verifier: true, ..Setup::default() }.closed();
    let (target, lower) = (bench.target, bench.lower);
    bench.machine.set_irql(Irql::Dispatch);
    assert_eq!(open(&mut bench, OpenParams::existing_device(lower)), Err(STATUS_INVALID_DEVICE_REQUEST));
    bench.run(|m| target.close(m));
    assert_eq!(
        bench.messages(&[]),
        [
            "enter WDFIOTARGET <target>",
            "Called at wrong IRQL; at level 2, should be at level 0",
            "enter WDFIOTARGET <target>",
            "Called at wrong IRQL; at level 2, should be at level 0",
        ]
    );
    assert_eq!((bench.breaks(), bench.run(|m| target.state(m))), (2, TargetState::Started));
}

#[test]
fn a_target_by_name_has_a_file_of_its_own_and_its_requests_carry_it() {
    let mut bench = Setup::default().closed();
    open(&mut bench, OpenParams::by_name(NAME, OpenOptions::OVERLAPPED)).unwrap();
    let (target, lower) = (bench.target, bench.lower);
    let (file, handle) = bench.run(|m| (target.file_object(m), target.file_handle(m)));
    assert!(file.is_some());
    assert_eq!(file, handle);
    assert_eq!(bench.run(|m| (target.device_object(m), target.physical_device(m))), (Some(lower), Some(lower)));
    let request = bench.formatted();
    let irp = bench.run(|m| request.irp(m)).unwrap();
    assert_eq!(bench.machine[irp].next().file, file);
    bench.run(|m| target.close(m));
    assert_eq!(bench.world().arrived, [Major::Create, Major::Cleanup, Major::Close]);
    assert_eq!(bench.run(|m| target.file_handle(m)), None);
}

#[test]
fn a_target_on_an_existing_device_sends_it_no_create_and_has_no_handle() {
    let mut bench = bench();
    let target = bench.target;
    assert_eq!(bench.run(|m| (target.file_object(m), target.file_handle(m))), (None, None));
    assert_eq!(bench.world().arrived, []);
}

#[test]
fn a_target_that_was_never_opened_says_that_it_is_started() {
    let mut bench = Setup::default().closed();
    let target = bench.target;
    assert_eq!(bench.run(|m| (target.state(m), target.stack_size(m))), (TargetState::Started, 0));
}

#[test]
fn a_start_changes_the_state_of_a_closed_target_and_opens_nothing() {
    let mut bench = bench();
    let target = bench.target;
    bench.run(|m| target.close(m));
    assert_eq!(bench.run(|m| target.start(m)), Ok(()));
    assert_eq!(bench.run(|m| (target.state(m), target.stack_size(m))), (TargetState::Started, 0));
    let request = bench.run(|m| target.create_request(m, Attributes::none()));
    assert_eq!(request.map(|_| ()), Err(STATUS_INVALID_DEVICE_STATE));
}

#[test]
fn a_create_that_succeeds_is_a_warning() {
    let mut bench = Setup::default().closed();
    open(&mut bench, OpenParams::by_name(NAME, OpenOptions::OVERLAPPED)).unwrap();
    let line = bench.log(&[]).into_iter().find(|line| line.contains("ZwCreateFile")).unwrap();
    assert_eq!(
        line,
        "Warning FxIoTargetRemote::OpenTargetHandle - ZwCreateFile for WDFIOTARGET <target> returned status STATUS_SUCCESS, info 0x0"
    );
}

#[test]
fn a_failed_create_closes_the_target_again_with_the_status_of_the_create() {
    let mut bench = Setup::default().closed();
    let denied = OpenParams::by_name("\\??\\NOWHERE", OpenOptions::OVERLAPPED);
    assert_eq!(open(&mut bench, denied), Err(STATUS_OBJECT_NAME_NOT_FOUND));
    let target = bench.target;
    assert_eq!(bench.run(|m| (target.state(m), target.stack_size(m))), (TargetState::Closed, 0));
}

#[test]
fn a_filter_that_attaches_later_is_bypassed_and_a_reopen_sees_it() {
    let mut bench = Setup::default().closed();
    open(&mut bench, OpenParams::by_name(NAME, OpenOptions::OVERLAPPED)).unwrap();
    let (target, lower) = (bench.target, bench.lower);
    let filter = create_filter(&mut bench.machine, "later", FilterStyle::Copy);
    let above = bench.machine.create_device(filter);
    above.attach_to_stack(&mut bench.machine, lower).unwrap();
    bench.machine[above].initializing = false;
    let seen = |bench: &mut Bench| bench.run(|m| (target.device_object(m), target.stack_size(m)));
    assert_eq!(seen(&mut bench), (Some(lower), 1));
    let request = bench.formatted();
    let irp = bench.run(|m| request.irp(m)).unwrap();
    assert!(bench.run(|m| request.send(m, target, SendOptions::none())));
    assert_eq!(bench.machine[irp].stack_count(), 1, "sent past the filter, in an IRP that is too small for it");
    bench.run(|m| target.close(m));
    open(&mut bench, OpenParams::reopen()).unwrap();
    assert_eq!(seen(&mut bench), (Some(above), 2));
}

#[test]
fn a_reopen_repeats_only_an_open_by_name() {
    let mut bench = Setup::default().closed();
    let (target, lower) = (bench.target, bench.lower);
    open(&mut bench, OpenParams::by_name(NAME, OpenOptions::OVERLAPPED)).unwrap();
    bench.run(|m| target.close(m));
    open(&mut bench, OpenParams::existing_device(lower)).unwrap();
    bench.run(|m| target.close(m));
    assert_eq!(open(&mut bench, OpenParams::reopen()), Err(STATUS_INVALID_DEVICE_REQUEST));
}

#[test]
fn the_stack_is_asked_for_its_pdo_and_need_not_answer() {
    let mut bench = Setup::default().closed();
    let (target, lower) = (bench.target, bench.lower);
    lower.driver(&mut bench.machine).set_major(&mut bench.machine, Major::Pnp, common::knows_no_pnp);
    open(&mut bench, OpenParams::existing_device(lower)).unwrap();
    assert_eq!(bench.run(|m| target.physical_device(m)), None);
    assert_eq!(
        bench.run(|m| target.query_property(m, TargetProperty::HardwareId, &mut [])),
        (STATUS_INVALID_DEVICE_REQUEST, 0)
    );
    assert_eq!(
        bench.messages(&[]).last().unwrap(),
        "WDFIOTARGET <target> has no PDO (not opened yet?), 0xc0000010(STATUS_INVALID_DEVICE_REQUEST)"
    );
}

#[test]
fn a_driver_that_names_no_pdo_ends_that_query_with_no_success() {
    let bench = Setup::default().closed();
    let (target, lower) = (bench.target, bench.lower);
    let rule = bench.broken_rule(|m| {
        let plain = lower.driver(m);
        plain.set_major(m, Major::Pnp, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
        _ = target.open_existing_device(m, lower);
    });
    assert_eq!(rule, "a driver that ends a query for the target device with success answers with the PDO");
}

#[test]
fn only_a_target_that_a_driver_made_is_opened_and_closed() {
    for act in [(|m, target: IoTarget| target.close(m)) as fn(&mut Machine, IoTarget), |m, target| {
        _ = target.open(m, OpenParams::reopen());
    }] {
        let mut bench = bench();
        let device = bench.device;
        let local = bench.run(|m| IoTarget::default_of(m, device)).unwrap();
        let globals = bench.driver.globals_address();
        let handle = local.object().handle();
        let BugCheck { code, parameters, .. } = bench.bug_check(|m| act(m, local));
        assert_eq!((code, parameters), (0x10D, [5, handle, 0x1201, globals]));
    }
}

#[test]
fn a_targets_parent_belongs_to_its_device() {
    let mut bench = bench();
    let (driver, device) = (bench.driver, bench.device);
    let parents = bench.run(|m| {
        [
            create_object(m, driver, Attributes::none()).unwrap(),
            create_object(m, driver, Attributes::none().parent(device)).unwrap(),
        ]
    });
    let [stranger, child] = parents;
    let mut create = |parent| bench.run(|m| IoTarget::create(m, device, Attributes::none().parent(parent)).map(|_| ()));
    assert_eq!(create(child), Ok(()));
    assert_eq!(create(stranger), Err(STATUS_INVALID_DEVICE_REQUEST));
    let names = [(stranger.handle(), "stranger")];
    assert_eq!(
        bench.messages(&names)[3..],
        [
            "WDFDEVICE <device>",
            "WDFHANDLE <stranger> does not have a WDFDEVICE as an ancestor",
            "Attributes->ParentObject <stranger> must have WDFDEVICE as an eventual ancestor, 0xc0000010(STATUS_INVALID_DEVICE_REQUEST)",
        ]
    );
}

#[test]
fn a_target_tells_what_bus_its_device_is_on_and_what_drivers_it_wants() {
    let mut bench = bench();
    let device = bench.device;
    let local = bench.run(|m| IoTarget::default_of(m, device)).unwrap();
    let text = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let mut buffer = [0; 64];
    let wanted = text("ROOT\\SENDER\0\0");
    let asked = bench.run(|m| local.query_property(m, TargetProperty::HardwareId, &mut buffer));
    assert_eq!((asked, &buffer[..wanted.len()]), ((STATUS_SUCCESS, wanted.len()), &wanted[..]));
    let short = bench.run(|m| local.query_property(m, TargetProperty::EnumeratorName, &mut [0; 4]));
    assert_eq!(short, (STATUS_BUFFER_TOO_SMALL, 10));
    let memory =
        bench.run(|m| local.allocate_and_query_property(m, TargetProperty::EnumeratorName, Attributes::none()));
    let span = bench.run(|m| memory.unwrap().span(m)).unwrap();
    assert_eq!(bench.machine.bytes(span), text("ROOT\0"));
}

#[test]
fn the_property_of_a_device_that_no_bus_reported_is_a_bug_check() {
    let bench = bench();
    let (target, lower) = (bench.target, bench.lower.address());
    let check = bench.bug_check(|m| _ = target.query_property(m, TargetProperty::HardwareId, &mut []));
    assert_eq!((check.code, check.parameters[..2].to_vec()), (0xCA, vec![2, lower]));
}

#[test]
fn a_request_for_a_target_that_is_not_open_is_not_even_made() {
    let mut bench = Setup::default().closed();
    let target = bench.target;
    let request = bench.run(|m| target.create_request(m, Attributes::none()));
    assert_eq!(request.map(|_| ()), Err(STATUS_INVALID_DEVICE_STATE));
    approve!("request_for_a_closed_target", bench.log(&[]).join("\n"));
}

#[test]
fn a_format_for_a_target_that_is_not_open_says_that_it_is_closed() {
    let mut bench = Setup::default().closed();
    let (target, driver) = (bench.target, bench.driver);
    let request = bench.run(|m| Request::create(m, driver, Attributes::none()).unwrap());
    let formatted = bench.run(|m| target.format_read(m, request, Data::None, 0));
    assert_eq!(formatted, Err(STATUS_INVALID_DEVICE_STATE));
}
