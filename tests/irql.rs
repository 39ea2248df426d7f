//! The highest IRQL at which each DDI may be called, and what becomes of who calls it above.

mod common;

use std::fmt::Write;

use vbus::wdm::{
    ControlRequest, Guid, IRQL_LIMITS, Irql, Machine, Major, OpenOptions, RemoveLockLimits, Stop, Ticks,
    TransferRequest, VerifierOptions, constants::STATUS_SUCCESS,
};

/// Calls a DDI at a level, with everything else as it should be.
fn call(m: &mut Machine, ddi: &str, level: Irql) {
    let driver = m.create_driver("driver");
    driver.set_all_majors(m, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
    let [device, other] = [(); 2].map(|()| {
        let device = m.create_device(driver);
        m[device].initializing = false;
        device
    });
    m.create_symbolic_link("\\??\\DEVICE", device).unwrap();
    let file = m.create_file("\\??\\DEVICE", OpenOptions::READ_WRITE).unwrap().unwrap();
    let (irp, event, block) = (m.allocate_irp(2).unwrap(), m.create_event(), m.create_status_block());
    let lock = m.create_remove_lock(RemoveLockLimits::default());
    lock.acquire(m, 1_u64).unwrap();
    if ddi == "IoDetachDevice" {
        other.attach_to_stack(m, device).unwrap();
    }
    m.set_irql(level);
    let read = TransferRequest { major: Major::Read, ..TransferRequest::default() };
    match ddi {
        "ExAllocatePool2" => _ = m.allocate_pool(&[], 4),
        "IoAcquireCancelSpinLock" => _ = m.acquire_cancel_spin_lock(),
        "IoAcquireRemoveLock" => lock.acquire(m, 2_u64).unwrap(),
        "IoAllocateIrp" => _ = m.allocate_irp(1),
        "IoAttachDevice" => _ = other.attach_by_name(m, "\\??\\DEVICE"),
        "IoAttachDeviceToDeviceStack" => _ = other.attach_to_stack(m, device),
        "IoBuildAsynchronousFsdRequest" => _ = m.build_asynchronous_fsd_request(device, read),
        "IoBuildDeviceIoControlRequest" => {
            _ = m.build_device_io_control_request(device, ControlRequest::default(), None, block);
        }
        "IoBuildSynchronousFsdRequest" => _ = m.build_synchronous_fsd_request(device, read, None, block),
        "IoCallDriver" => {
            m[irp].next_mut().major = Major::Read;
            irp.call_driver(m, device);
        }
        "IoCancelIrp" => _ = irp.cancel(m),
        "IoCompleteRequest" => irp.complete(m),
        "IoCreateDevice" => _ = m.create_device(driver),
        "IoCreateSymbolicLink" => _ = m.create_symbolic_link("\\??\\OTHER", other),
        "IoDeleteDevice" => other.delete(m),
        "IoDetachDevice" => other.detach(m),
        "IoFreeIrp" => irp.free(m),
        "IoInitializeRemoveLock" => _ = m.create_remove_lock(RemoveLockLimits::default()),
        "IoMakeAssociatedIrp" => _ = m.make_associated_irp(irp, 1),
        "IoQueueWorkItem" => m.queue_work_item(|_, _| (), 0_u64.into()),
        "IoRegisterDeviceInterface" => _ = m.register_interface(device, Guid(1), ""),
        "IoReleaseRemoveLock" => lock.release(m, 1_u64),
        "IoReleaseRemoveLockAndWait" => lock.release_and_wait(m, 1_u64),
        "IoReuseIrp" => irp.reuse(m, STATUS_SUCCESS),
        "IoSetDeviceInterfaceState" => _ = m.set_interface_state("\\??\\none", true),
        "KeSetEvent" => event.set(m),
        "KeSetTimer" => _ = m.set_timer(Ticks(1), |_, _| (), 0_u64.into()),
        "KeWaitForSingleObject" => _ = event.wait_at_most(m, Ticks(1)),
        "ZwClose" => _ = file.close(m),
        "ZwCreateFile" => {
            _ = m.open("\\??\\DEVICE", OpenOptions::READ_WRITE, vbus::wdm::RequestorMode::Kernel);
        }
        unknown => panic!("{unknown} is not called here"),
    }
    m.set_irql(Irql::Passive);
}

const LEVELS: [Irql; 4] = [Irql::Passive, Irql::Apc, Irql::Dispatch, Irql::Device];

fn outcome(ddi: &str, level: Irql, verified: bool) -> Result<(), Stop> {
    let mut m = Machine::new();
    if verified {
        m.verify_drivers(VerifierOptions::default());
    }
    m.run(|m| call(m, ddi, level))
}

#[test]
fn a_ddi_works_up_to_its_limit_and_not_above() {
    let mut table = String::new();
    for &(ddi, limit) in IRQL_LIMITS {
        // A create IRP, which IoAttachDevice sends, is for PASSIVE_LEVEL anyway.
        let allowed = LEVELS.into_iter().filter(|&level| level <= limit);
        for level in allowed {
            assert_eq!(outcome(ddi, level, false), Ok(()), "{ddi} at {level:?}");
        }
        let Some(above) = LEVELS.into_iter().find(|&level| level > limit) else { continue };
        let told = |verified| match outcome(ddi, above, verified) {
            Err(Stop::BugCheck(check)) => {
                let [code, level, ..] = check.parameters;
                format!("{:#X} ({code:#x}, {level:#x})", check.code)
            }
            Err(Stop::Undefined { .. }) => "undefined".to_owned(),
            other => panic!("{ddi} at {above:?}: {other:?}"),
        };
        let limit = format!("{limit:?}");
        writeln!(table, "{ddi:<32} {limit:<9} verified {:<22} plain {}", told(true), told(false)).unwrap();
    }
    approve!("irql_limits", table);
}
