//! IoRegisterPlugPlayNotification: who hears of what, and when.

use vbus::wdm::constants::*;
use vbus::wdm::{
    CapabilityFlags, Context, FileObject, Irql, Machine, Major, NodeState, NotificationEntry, NtStatus, OpenOptions,
    PnpMinor, PnpNotification, RequestorMode, Stop, TargetEvent, VetoType,
};

use crate::bench::{self, Bench, bench, bus_node, child, note, plug, take_table};
use crate::function::GUID_CHILD;

/// What the registered driver does with its file.
#[derive(Default)]
struct Client {
    file: Option<FileObject>,
    entry: Option<NotificationEntry>,
    keeps_its_handle: bool,
    refuses: bool,
    link: String,
}

/// A machine with child 1, which a client holds open and is registered for.
fn with_client(client: Client) -> Machine {
    let mut m = bench();
    m.extension_mut::<Bench>().capabilities = CapabilityFlags::EJECT_SUPPORTED;
    plug(&mut m, &[1]);
    let link = m.interfaces(GUID_CHILD).remove(0);
    m.add_extension(Client { link, ..client });
    take_table(&mut m);
    m.run(open).unwrap();
    m
}

fn open(m: &mut Machine) {
    let link = m.extension::<Client>().link.clone();
    let file = m.open(&link, OpenOptions::READ_WRITE, RequestorMode::Kernel).unwrap();
    let driver = m.create_driver("client");
    let entry = m.register_target_notification(file, driver, told, Context(7)).unwrap();
    let client = m.extension_mut::<Client>();
    (client.file, client.entry) = (Some(file), Some(entry));
}

/// A client as the documentation wants it.
fn told(m: &mut Machine, notification: &PnpNotification, context: Context) -> NtStatus {
    assert_eq!(context, Context(7));
    let PnpNotification::Target { event, .. } = *notification else { return STATUS_SUCCESS };
    note(m, format!("the client is told: {event:?}"));
    let client = m.extension_mut::<Client>();
    match event {
        TargetEvent::QueryRemove if client.refuses => STATUS_UNSUCCESSFUL,
        TargetEvent::QueryRemove => {
            if let Some(file) = client.file.take_if(|_| !client.keeps_its_handle) {
                file.close(m);
            }
            STATUS_SUCCESS
        }
        TargetEvent::RemoveCancelled | TargetEvent::RemoveComplete => {
            let (entry, file) = (client.entry.take().unwrap(), client.file.take());
            m.unregister_notification(entry);
            if let Some(file) = file {
                file.close(m);
            }
            if event == TargetEvent::RemoveCancelled {
                open(m);
            }
            STATUS_SUCCESS
        }
    }
}

#[test]
fn a_client_that_closes_its_handle_when_asked_lets_the_device_go() {
    let mut m = with_client(Client::default());
    let node = child(&m, 1);
    m.eject_device(node).unwrap().unwrap();
    assert_eq!(node.state(&m), Some(NodeState::HeldForEject));
    approve!("pnp_notified_of_an_eject", take_table(&mut m));
}

#[test]
fn a_client_hears_that_the_removal_is_cancelled_after_the_irps_and_opens_the_device_again() {
    let mut m = with_client(Client::default());
    bench::refuse(&mut m, "function", PnpMinor::QueryRemoveDevice, STATUS_UNSUCCESSFUL);
    let node = child(&m, 1);
    assert_eq!(m.remove_device(node).unwrap(), Err(STATUS_UNSUCCESSFUL));
    assert!(m.extension::<Client>().file.is_some());
    approve!("pnp_notified_of_a_refused_removal", take_table(&mut m));
}

#[test]
fn a_client_that_refuses_or_keeps_its_handle_keeps_the_device() {
    let mut m = with_client(Client { refuses: true, ..Client::default() });
    let bus = bus_node(&m);
    assert_eq!(m.remove_device(bus).unwrap(), Err(STATUS_UNSUCCESSFUL));
    let veto = m.last_veto().unwrap();
    assert_eq!((veto.kind, &*veto.name), (VetoType::Driver, "client"));
    assert!(!take_table(&mut m).contains("QUERY_REMOVE_DEVICE"), "no driver is asked any more");

    let mut m = with_client(Client { keeps_its_handle: true, ..Client::default() });
    let node = child(&m, 1);
    assert_eq!(m.remove_device(node).unwrap(), Err(STATUS_DEVICE_BUSY));
    assert_eq!(m.last_veto().unwrap().kind, VetoType::OutstandingOpen);
    assert_eq!(node.state(&m), Some(NodeState::Started));
}

#[test]
fn a_client_of_a_pulled_device_hears_only_that_it_is_gone_between_the_two_irps() {
    let mut m = with_client(Client::default());
    plug(&mut m, &[]);
    assert_eq!(m.devnode_count(), 1, "it closed its handle in time");
    approve!("pnp_notified_of_a_pulled_device", take_table(&mut m));
}

#[test]
fn those_who_agreed_before_somebody_refused_hear_that_it_is_cancelled() {
    fn agrees(m: &mut Machine, notification: &PnpNotification, _: Context) -> NtStatus {
        if let PnpNotification::Target { event, .. } = notification {
            note(m, format!("somebody else is told: {event:?}"));
        }
        STATUS_SUCCESS
    }
    let mut m = with_client(Client { refuses: true, ..Client::default() });
    let node = child(&m, 1);
    let file = m.extension::<Client>().file.unwrap();
    let refuser = m.extension::<Client>().entry.unwrap();
    m.run(|m| {
        // Registered anew, it comes after the one who agrees.
        m.unregister_notification(refuser);
        let driver = m.create_driver("agreeable");
        m.register_target_notification(file, driver, agrees, Context(0)).unwrap();
        m.register_target_notification(file, driver, told, Context(7)).unwrap();
    })
    .unwrap();
    take_table(&mut m);
    assert_eq!(m.remove_device(node).unwrap(), Err(STATUS_UNSUCCESSFUL));
    approve!("pnp_notified_of_a_refusal", take_table(&mut m));
}

#[test]
fn a_registration_is_taken_back_once() {
    let mut m = with_client(Client::default());
    let entry = m.extension::<Client>().entry.unwrap();
    let stop = m.run(|m| [entry; 2].map(|entry| m.unregister_notification(entry))).unwrap_err();
    assert!(stop.to_string().contains("IoUnregisterPlugPlayNotificationEx"), "{stop}");
}

#[test]
fn a_callback_that_comes_back_at_dispatch_level_is_bug_check_0xca_a() {
    let mut m = with_client(Client::default());
    let file = m.extension::<Client>().file.unwrap();
    let driver = m.create_driver("careless");
    m.run(|m| {
        let raise = |m: &mut Machine, _: &PnpNotification, _: Context| {
            m.set_irql(Irql::Dispatch);
            STATUS_SUCCESS
        };
        m.register_target_notification(file, driver, raise, Context(0)).unwrap();
    })
    .unwrap();
    let node = child(&m, 1);
    let Err(Stop::BugCheck(check)) = m.remove_device(node) else { panic!("it went on") };
    assert_eq!((check.code, check.parameters), (0xCA, [0xA, driver.address(), 2, 0]));
}

/// The interface notifications so far.
#[derive(Default)]
struct Heard(Vec<(bool, String)>);

fn hear(m: &mut Machine, notification: &PnpNotification, _: Context) -> NtStatus {
    if let PnpNotification::Interface { arrival, class, link } = notification.clone() {
        assert_eq!(class, GUID_CHILD);
        let openable = m.interfaces(GUID_CHILD).contains(&link);
        assert_eq!(openable, arrival, "it is told of what is so");
        m.extension_mut::<Heard>().0.push((arrival, link));
    }
    STATUS_SUCCESS
}

#[test]
fn interfaces_are_announced_when_the_start_is_through_and_when_they_go() {
    let mut m = bench();
    m.add_extension(Heard::default());
    plug(&mut m, &[1]);
    let first = m.interfaces(GUID_CHILD).remove(0);
    let driver = m.create_driver("listener");
    let entry = m.run(|m| m.register_interface_notification(GUID_CHILD, true, driver, hear, Context(0))).unwrap();
    let heard = |m: &mut Machine| std::mem::take(&mut m.extension_mut::<Heard>().0);
    assert_eq!(heard(&mut m), [(true, first.clone())], "what is there already");

    plug(&mut m, &[1, 2]);
    let second = m.interfaces(GUID_CHILD).remove(1);
    assert_eq!(heard(&mut m), [(true, second.clone())]);
    plug(&mut m, &[2]);
    assert_eq!(heard(&mut m), [(false, first)]);
    // Its function driver disables the interface only when it is surprised: on REMOVE the PnP manager does it.
    let node = child(&m, 2);
    m.remove_device(node).unwrap().unwrap();
    assert_eq!(heard(&mut m), [(false, second)]);

    m.run(|m| m.unregister_notification(entry)).unwrap();
    plug(&mut m, &[2, 3]);
    assert_eq!(heard(&mut m), []);
}

#[test]
fn a_device_whose_drivers_are_still_starting_it_cannot_be_opened() {
    /// Looks around when the drivers below it have started the device.
    fn start_last(m: &mut Machine, device: vbus::wdm::DeviceObject, irp: vbus::wdm::Irp) -> NtStatus {
        let start = m[irp].current().minor == PnpMinor::StartDevice as u8;
        let status = bench::pass_down(m, device, irp);
        if start {
            let by_link = m.create_file("\\\\.\\Child", OpenOptions::READ_WRITE).unwrap();
            let opened = [m.interfaces(GUID_CHILD).len(), usize::from(by_link.is_ok())];
            note(m, format!("while it starts: {opened:?} ways in"));
        }
        status
    }
    let mut m = bench();
    let slow = m.create_driver("slow");
    slow.set_all_majors(&mut m, bench::pass_down);
    slow.set_major(&mut m, Major::Pnp, start_last);
    slow.set_add_device(&mut m, |m, driver, pdo| {
        m.create_symbolic_link("\\??\\Child", pdo).unwrap();
        bench::add_device(m, driver, pdo)
    });
    let function = crate::function::driver(&mut m, "function");
    m.install(vbus::wdm::Installation {
        hardware_id: "BUS\\Child".into(),
        function: Some(function),
        upper_class_filters: vec![slow],
        ..Default::default()
    });
    take_table(&mut m);
    plug(&mut m, &[1]);
    assert!(take_table(&mut m).contains("while it starts: [0, 0] ways in"));
    assert_eq!(m.interfaces(GUID_CHILD).len(), 1);
    assert!(m.create_file("\\\\.\\Child", OpenOptions::READ_WRITE).unwrap().is_ok());
}
