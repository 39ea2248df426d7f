//! Which queue gets an IRP, and what becomes of one that none wants.

use std::fmt::Write;

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Machine, Major, NtStatus};

use crate::bench::{self, Bench, Handles, IO, Plan, Scene, Sent};

const OTHERS: [Major; 7] = [
    Major::Create,
    Major::Cleanup,
    Major::Close,
    Major::Shutdown,
    Major::FlushBuffers,
    Major::QueryInformation,
    Major::SystemControl,
];

fn table(plan: Plan, majors: &[Major]) -> String {
    let mut table = String::new();
    for &major in majors {
        let line = plan.open().send(Sent::of(major));
        writeln!(table, "    {:<24} {line}", major.name().trim_start_matches("IRP_MJ_")).unwrap();
    }
    table
}

/// The same device as a function driver's and as a filter's.
fn both(plan: Plan, majors: &[Major]) -> String {
    let of = |filter| table(Plan { filter, ..plan }, majors);
    format!("  function driver\n{}  filter\n{}", of(false), of(true))
}

#[test]
fn a_request_goes_to_the_default_queue_if_that_can_take_it() {
    use Handles::*;
    let mut page = String::new();
    for handles in [Some(Everything), Some(EachKind), Some(Read), Some(Manual), None] {
        match handles {
            Some(handles) => writeln!(page, "default queue with {handles:?}").unwrap(),
            None => writeln!(page, "no queue").unwrap(),
        }
        page += &both(Plan { default_queue: handles, ..Plan::default() }, &IO);
    }
    approve!("callers_default_queue", page);
}

#[test]
fn a_kind_that_a_queue_is_configured_for_goes_there_and_the_others_as_before() {
    let plan = Plan { second_queue: Some(Handles::Read), configured: Some(Major::Read), ..Plan::default() };
    let mut page = format!("a queue for reads\n{}", both(plan, &IO));
    let plan = Plan { default_queue: Some(Handles::EachKind), ..plan };
    page += &format!("the same and a default queue\n{}", both(plan, &IO));
    approve!("callers_configured_queue", page);
}

#[test]
fn what_is_no_request_is_the_frameworks_own_or_passes_a_filter() {
    let everything = Plan { default_queue: Some(Handles::Everything), ..Plan::default() };
    let mut page = format!("default queue with Everything\n{}", both(everything, &OTHERS));
    let creates = Plan { second_queue: Some(Handles::Everything), configured: Some(Major::Create), ..Plan::default() };
    page += &format!("a queue for creates\n{}", both(creates, &[Major::Create]));
    approve!("callers_other_majors", page);
}

#[test]
fn a_manual_queue_gives_its_request_to_whoever_asks_for_it() {
    for filter in [false, true] {
        let mut bench = Plan { filter, default_queue: Some(Handles::Manual), ..Plan::default() }.open();
        assert_eq!(bench.send(Sent::of(Major::Write)), "a queue: waits (dispatch: PENDING)");
        let (request, done) = bench.retrieve();
        let major = bench.machine.run(|m| request.unwrap().parameters(m).major);
        assert_eq!((major, done), (Ok(Major::Write), None));
    }
}

/// What `WdfDeviceConfigureRequestDispatching` says in EvtDriverDeviceAdd of a driver with this queue beside its default
/// one, and when it is called again with another queue.
fn configure(handles: Handles, major: Major) -> (NtStatus, NtStatus) {
    type Answers = Vec<NtStatus>;
    struct Asked(Handles, Major);
    fn add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
        let Asked(handles, major) = *m.extension::<Asked>();
        let device = init.create(m, Attributes::none())?;
        bench::queue(Handles::Everything, false, "default").create_default(m, device)?;
        for _ in 0..2 {
            let queue = bench::queue(handles, false, "second").create(m, device)?;
            let status = device.configure_request_dispatching(m, queue, major).into();
            m.extension_mut::<Answers>().push(status);
        }
        Ok(())
    }
    let mut m = Machine::new();
    m.add_extension(Answers::new());
    m.add_extension(Asked(handles, major));
    let config = DriverConfig { device_add: Some(add), ..DriverConfig::default() };
    let driver = Driver::create(&mut m, "driver", config, Attributes::none());
    let function = Some(driver.driver_object(&m));
    m.install(vbus::wdm::Installation { hardware_id: "ROOT\\CALLERS".into(), function, ..Default::default() });
    m.add_root_device("ROOT\\CALLERS").unwrap();
    let answers = m.extension::<Answers>();
    (answers[0], answers[1])
}

#[test]
fn a_kind_is_configured_once_for_a_queue_that_has_a_callback_for_it() {
    let first = |handles, major| configure(handles, major).0;
    for major in IO {
        assert_eq!(configure(Handles::Everything, major), (STATUS_SUCCESS, STATUS_WDF_BUSY), "{major:?}");
    }
    assert_eq!(configure(Handles::Everything, Major::Create), (STATUS_SUCCESS, STATUS_INVALID_PARAMETER));
    assert_eq!(first(Handles::Read, Major::Read), STATUS_SUCCESS);
    assert_eq!(first(Handles::Manual, Major::Read), STATUS_SUCCESS);
    for (handles, major) in [
        (Handles::Read, Major::Write),
        (Handles::DeviceControl, Major::InternalDeviceControl),
        (Handles::EachKind, Major::Create),
    ] {
        assert_eq!(first(handles, major), STATUS_INVALID_DEVICE_REQUEST, "{handles:?} {major:?}");
    }
    assert_eq!(first(Handles::Everything, Major::Shutdown), STATUS_INVALID_PARAMETER);
    let mut late: Bench = Plan { second_queue: Some(Handles::Read), ..Plan::default() }.open();
    let status = late.machine.run(|m| {
        let &Scene { device, second, .. } = m.extension::<Scene>();
        device.unwrap().configure_request_dispatching(m, second.unwrap(), Major::Read)
    });
    assert_eq!(status, Ok(Err(STATUS_INVALID_DEVICE_STATE)), "a device that is started keeps its queues");
}
