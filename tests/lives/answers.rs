//! What a PDO answers to whoever asks who it is and what it can do, with and without a driver that knows more.

use std::fmt::Write;

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    BusInformation, CapabilityFlags, Context, Control, DevNode, DeviceCapabilities, DeviceObject, Guid, IdType,
    Installation, Interface, InterfaceQuery, Irp, Machine, Major, NodeState, NtStatus, OpenOptions, Parameters,
    PnpAnswer, PnpMinor, PnpParameters, RelationType, Resource, ResourceKind, Stop, TextType,
};

/// What the bus driver gives its one child.
#[derive(Clone, Copy, PartialEq)]
enum Knows {
    /// The ids, and no callback.
    Little,
    /// Texts, capabilities, what it uses, and how it is ejected and locked.
    Much,
}

/// Where the child is in its life when it is asked.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// No driver is installed for it.
    NeverStarted,
    Started,
    /// It was pulled out while a handle is open.
    SurpriseRemoved,
}

struct Scene {
    knows: Knows,
    stage: Stage,
    /// The bus and its child.
    bus: Option<Device>,
    child: Option<Device>,
    notes: Vec<String>,
}

struct Bus {
    m: Machine,
    node: DevNode,
}

fn bus(knows: Knows, stage: Stage) -> Bus {
    let mut m = Machine::new();
    m.add_extension(Scene { knows, stage, bus: None, child: None, notes: Vec::new() });
    let config = DriverConfig { device_add: Some(device_add), ..DriverConfig::default() };
    let driver = Driver::create(&mut m, "bus", config, Attributes::none());
    let function = Some(driver.driver_object(&m));
    m.install(Installation { hardware_id: "ROOT\\BUS".into(), function, ..Installation::default() });
    let node = m.add_root_device("ROOT\\BUS").unwrap();
    let list = |m: &mut Machine| m.extension::<Scene>().bus.unwrap().default_child_list(m).unwrap();
    m.run(|m| list(m).add_or_update(m, 7)).unwrap().unwrap();
    if stage == Stage::SurpriseRemoved {
        let pdo = m.extension::<Scene>().child.unwrap();
        let pdo = pdo.device_object(&mut m);
        m.create_symbolic_link("\\??\\CHILD", pdo).unwrap();
        m.create_file("\\\\.\\CHILD", OpenOptions::OVERLAPPED).unwrap().unwrap();
        m.run(|m| list(m).update_as_missing(m, 7)).unwrap().unwrap();
    }
    m.extension_mut::<Scene>().notes.clear();
    Bus { m, node }
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let bus = init.default_child_list(create_child).create(m, Attributes::none())?;
    m.extension_mut::<Scene>().bus = Some(bus);
    if m.extension::<Scene>().knows == Knows::Much {
        let information = BusInformation { bus_type: Guid(0x1111), legacy_type: 15, number: 3 };
        bus.set_bus_information_for_children(m, information);
    }
    Ok(())
}

fn note(m: &mut Machine, what: &str) {
    m.extension_mut::<Scene>().notes.push(what.to_owned());
}

fn create_child(m: &mut Machine, _: ChildList, id: u64, init: DeviceInit) -> Result<(), NtStatus> {
    let &Scene { knows, stage, .. } = m.extension::<Scene>();
    let ids = PdoIds {
        device: "BUS\\Child".into(),
        instance: id.to_string(),
        hardware: vec!["BUS\\Child&Rev_1".into(), "BUS\\Child".into()],
        compatible: vec!["BUS\\Generic".into()],
        container: (knows == Knows::Much).then(|| "{00000000-0000-0000-0000-000000000007}".into()),
    };
    let mut init = init.ids(ids);
    if stage != Stage::NeverStarted {
        init = init.raw();
    }
    if knows == Knows::Much {
        let text = |description: &str, locale| DeviceText {
            description: description.into(),
            location: "slot 7".into(),
            locale,
        };
        let callbacks = PnpCallbacks {
            resources_query: Some(|m, _, list| {
                note(m, "EvtDeviceResourcesQuery");
                list.push(Resource { kind: ResourceKind::Port, start: 0x378, length: 8 });
                Ok(())
            }),
            resource_requirements_query: Some(|m, _, _| {
                note(m, "EvtDeviceResourceRequirementsQuery, which adds nothing");
                Ok(())
            }),
            eject: Some(|m, _| {
                note(m, "EvtDeviceEject");
                Ok(())
            }),
            set_lock: Some(|m, _, lock| {
                note(m, if lock { "EvtDeviceSetLock: lock" } else { "EvtDeviceSetLock: unlock" });
                Ok(())
            }),
            ..PnpCallbacks::default()
        };
        let texts = init.device_text(text("a child", 0x409)).device_text(text("ein Kind", 0x407));
        init = texts.default_locale(0x409).callbacks(callbacks);
    }
    let child = init.create(m, Attributes::none())?;
    if knows == Knows::Much {
        let has = CapabilityFlags::REMOVABLE | CapabilityFlags::UNIQUE_ID;
        let (address, ui_number) = (Some(7), Some(3));
        child.set_pnp_capabilities(m, PnpCapabilities { has, address, ui_number, ..PnpCapabilities::default() });
    }
    m.extension_mut::<Scene>().child = Some(child);
    Ok(())
}

fn keep(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
    STATUS_MORE_PROCESSING_REQUIRED
}

static GUID_NOTHING: Guid = Guid(0x0011);

/// Sends the child's PDO a PnP IRP. Returns it when it is back.
fn ask(m: &mut Machine, minor: PnpMinor, parameters: PnpParameters) -> Result<Irp, Stop> {
    m.run(|m| {
        let pdo = m.extension::<Scene>().child.unwrap().device_object(m);
        let irp = m.allocate_irp(m[pdo].stack_size).unwrap();
        m[irp].io_status.status = STATUS_NOT_SUPPORTED;
        if minor == PnpMinor::QueryInterface {
            m[irp].pnp_answer = PnpAnswer::Interface(Interface::default());
        }
        let location = m[irp].next_mut();
        (location.major, location.minor) = (Major::Pnp, minor as u8);
        location.parameters = Parameters::Pnp(parameters);
        m[irp].set_completion_routine(keep, Context(0), Control::INVOKE_ALWAYS);
        irp.call_driver(m, pdo);
        irp
    })
}

fn shown(m: &mut Machine, answer: &PnpAnswer) -> String {
    let pdo = m.extension::<Scene>().child.unwrap().device_object(m);
    match answer {
        PnpAnswer::None | PnpAnswer::Interface(_) => String::new(),
        PnpAnswer::Relations(related) if *related == [pdo] => "itself".to_owned(),
        PnpAnswer::Relations(related) => format!("{} devices", related.len()),
        PnpAnswer::Id(id) => id.clone(),
        PnpAnswer::Ids(ids) => ids.join(", "),
        PnpAnswer::Text(text) => text.clone(),
        PnpAnswer::BusInformation(bus) => format!("bus {} of type {}", bus.number, bus.legacy_type),
        PnpAnswer::Capabilities(DeviceCapabilities { flags, address, ui_number, .. }) => {
            let raw = CapabilityFlags::RAW_DEVICE_OK | CapabilityFlags::SILENT_INSTALL;
            let marked = if flags.contains(raw) { " (raw)" } else { "" };
            format!("{:?}, address {address:x}, UI number {ui_number:x}{marked}", *flags - raw)
        }
        PnpAnswer::Resources(resources) => format!("{resources:?}"),
    }
}

/// Every question, with the answer.
fn questions(m: &mut Machine) -> String {
    use PnpMinor::*;
    let text = |kind, locale| PnpParameters::Text { kind, locale };
    let interface = InterfaceQuery { interface: &GUID_NOTHING, size: 40, version: 1, specific_data: Context(0) };
    let asked = [
        (QueryId, PnpParameters::Id(IdType::Device)),
        (QueryId, PnpParameters::Id(IdType::Instance)),
        (QueryId, PnpParameters::Id(IdType::Hardware)),
        (QueryId, PnpParameters::Id(IdType::Compatible)),
        (QueryId, PnpParameters::Id(IdType::SerialNumber)),
        (QueryId, PnpParameters::Id(IdType::Container)),
        (QueryCapabilities, PnpParameters::None),
        (QueryDeviceText, text(TextType::Description, 0x409)),
        (QueryDeviceText, text(TextType::Description, 0x407)),
        (QueryDeviceText, text(TextType::Description, 0x40C)),
        (QueryDeviceText, text(TextType::Location, 0x409)),
        (QueryBusInformation, PnpParameters::None),
        (QueryResources, PnpParameters::None),
        (QueryResourceRequirements, PnpParameters::None),
        (SetLock, PnpParameters::Lock(true)),
        (SetLock, PnpParameters::Lock(false)),
        (QueryPnpDeviceState, PnpParameters::None),
        (QueryDeviceRelations, PnpParameters::Relations(RelationType::Bus)),
        (QueryDeviceRelations, PnpParameters::Relations(RelationType::Ejection)),
        (QueryDeviceRelations, PnpParameters::Relations(RelationType::Power)),
        (QueryDeviceRelations, PnpParameters::Relations(RelationType::Removal)),
        (QueryDeviceRelations, PnpParameters::Relations(RelationType::Target)),
        (QueryInterface, PnpParameters::Interface(interface)),
    ];
    let mut table = String::new();
    for (minor, parameters) in asked {
        let irp = ask(m, minor, parameters).unwrap();
        assert!(m[irp].current_location() <= m[irp].stack_count() + 1, "it is back");
        let details = match parameters {
            PnpParameters::Text { kind, locale } => format!("{} {locale:#x}", kind.name()),
            PnpParameters::Interface(_) => "an interface".to_owned(),
            other => other.to_string(),
        };
        let status = m[irp].io_status.status.name().unwrap_or("?");
        let answer = std::mem::take(&mut m[irp].pnp_answer);
        let (answer, notes) = (shown(m, &answer), std::mem::take(&mut m.extension_mut::<Scene>().notes));
        let name = format!("{} {details}", minor.name().trim_start_matches("IRP_MN_"));
        let line = format!("{name:<54} {status:<20} {answer}");
        writeln!(table, "{}", line.trim_end()).unwrap();
        notes.iter().for_each(|note| writeln!(table, "    {note}").unwrap());
    }
    table
}

#[test]
fn a_pdo_answers_the_same_before_it_starts_while_it_runs_and_after_it_was_pulled_out() {
    for (knows, name) in [(Knows::Little, "answers_of_a_pdo"), (Knows::Much, "answers_of_a_pdo_that_knows_more")] {
        let of = |stage| questions(&mut bus(knows, stage).m);
        let started = of(Stage::Started);
        approve!(name, started);
        assert_eq!(of(Stage::SurpriseRemoved), started);
        // Here this one has no driver because it cannot do without.
        assert_eq!(of(Stage::NeverStarted), started.replace(" (raw)", ""));
    }
}

#[test]
fn an_ejected_pdo_is_missing_with_the_next_question_for_its_buss_children() {
    for (knows, notes) in [(Knows::Little, &[][..]), (Knows::Much, &["EvtDeviceEject"])] {
        let Bus { mut m, node } = bus(knows, Stage::NeverStarted);
        let child = node.children(&m)[0];
        assert_eq!(child.state(&m), Some(NodeState::Present));
        let irp = ask(&mut m, PnpMinor::Eject, PnpParameters::None).unwrap();
        assert_eq!(m[irp].io_status.status, STATUS_SUCCESS);
        assert_eq!(m.extension::<Scene>().notes, notes);
        let bus = node.pdo(&m).unwrap();
        m.run(|m| m.invalidate_device_relations(bus)).unwrap();
        assert_eq!((node.children(&m), child.exists(&m)), (vec![], false));
    }
}

#[test]
fn an_eject_in_the_middle_of_a_pdos_life_waits_for_an_end_that_does_not_come() {
    let mut bus = bus(Knows::Much, Stage::Started);
    let stop = ask(&mut bus.m, PnpMinor::Eject, PnpParameters::None).unwrap_err();
    assert!(matches!(stop, Stop::Hang { .. }), "{stop}");
}
