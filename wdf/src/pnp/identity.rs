//! What a PDO says of itself: ids, texts, the bus that it is on.
//!
//! Source: S/irphandlers/pnp/fxpkgpdo.cpp:1180-1440; fxpkgpnp.cpp (HandleQueryBusInformation).

use vbus_wdm::constants::*;
use vbus_wdm::{BusInformation, IdType, Irp, Machine, NtStatus, Parameters, PnpAnswer, PnpParameters, TextType};

use super::fire_and_forget;
use crate::device::Device;
use crate::device::DeviceInit;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;

/// How a PDO names itself to the PnP manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PdoIds {
    /// Device id: `VBUS\Reader`.
    pub device: String,
    /// Instance id: unique among the bus's children.
    pub instance: String,
    /// Hardware ids that drivers are installed for, the most exact one first.
    pub hardware: Vec<String>,
    /// Less exact ids.
    pub compatible: Vec<String>,
    /// Container id: a GUID that all functions of one physical device share.
    pub container: Option<String>,
}

/// What a PDO is called in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceText {
    /// What the device is.
    pub description: String,
    /// Where it is on its bus.
    pub location: String,
    /// The language: an LCID, 0x409 for US English.
    pub locale: u32,
}

/// Who a PDO is.
#[derive(Clone, Default)]
pub(crate) struct Identity {
    pub(crate) ids: PdoIds,
    pub(crate) texts: Vec<DeviceText>,
    pub(crate) default_locale: u32,
    /// `WdfPdoInitAssignRawDevice`: it needs no function driver.
    pub(crate) raw: bool,
}

impl DeviceInit {
    /// `WdfPdoInitAssignDeviceID`, `…AssignInstanceID`, `…AddHardwareID`, `…AddCompatibleID`, `…AssignContainerID`.
    pub fn ids(mut self, ids: PdoIds) -> DeviceInit {
        self.identity.ids = ids;
        self
    }

    /// `WdfPdoInitAddDeviceText`: a text in one more language.
    pub fn device_text(mut self, text: DeviceText) -> DeviceInit {
        self.identity.texts.push(text);
        self
    }

    /// `WdfPdoInitSetDefaultLocale`: the language of those whose own language the device has no text in.
    pub fn default_locale(mut self, locale: u32) -> DeviceInit {
        self.identity.default_locale = locale;
        self
    }
}

impl Device {
    /// `WdfDeviceSetBusInformationForChildren`: the bus that the device's children say they are on.
    pub fn set_bus_information_for_children(self, m: &mut Machine, bus: BusInformation) {
        self.body(m).bus_information = Some(bus);
    }
}

/// QUERY_ID.
pub(super) fn id(m: &mut Machine, device: Device, irp: Irp, parameters: Parameters) -> NtStatus {
    let Parameters::Pnp(PnpParameters::Id(kind)) = parameters else {
        return fire_and_forget(m, device, irp);
    };
    let identity = &device.body(m).identity;
    let ids = &identity.ids;
    let answer = match kind {
        IdType::Device => Some(PnpAnswer::Id(ids.device.clone())),
        IdType::Hardware => Some(PnpAnswer::Ids(ids.hardware.clone())),
        IdType::Compatible => Some(PnpAnswer::Ids(ids.compatible.clone())),
        IdType::Instance => Some(PnpAnswer::Id(ids.instance.clone())),
        IdType::Container => ids.container.clone().map(PnpAnswer::Id),
        IdType::SerialNumber => None,
    };
    let status = answer_with(m, irp, answer);
    if status == STATUS_NOT_SUPPORTED {
        let driver = device.driver(m);
        trace(m, driver, &sites::PDO_NO_ID, [device.object().handle(), kind as u64, status.0.into()]);
    }
    device.complete_irp(m, irp, status)
}

/// QUERY_DEVICE_TEXT: in the asker's language, or else in the PDO's own.
pub(super) fn text(m: &mut Machine, device: Device, irp: Irp, parameters: Parameters) -> NtStatus {
    let Parameters::Pnp(PnpParameters::Text { kind, locale }) = parameters else {
        return fire_and_forget(m, device, irp);
    };
    let identity = &device.body(m).identity;
    let in_language = |locale| identity.texts.iter().find(|text| text.locale == locale);
    let found = in_language(locale).or_else(|| in_language(identity.default_locale));
    let answer = found.map(|text| match kind {
        TextType::Description => PnpAnswer::Text(text.description.clone()),
        TextType::Location => PnpAnswer::Text(text.location.clone()),
    });
    let status = answer_with(m, irp, answer);
    device.complete_irp(m, irp, status)
}

/// QUERY_BUS_INFORMATION: what the parent's driver said.
pub(super) fn bus_information(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let parent = device.parent(m).filter(|parent| parent.object().exists(m));
    let bus = parent.and_then(|parent| parent.body(m).bus_information);
    let status = answer_with(m, irp, bus.map(PnpAnswer::BusInformation));
    device.complete_irp(m, irp, status)
}

/// A question without an answer keeps its status.
fn answer_with(m: &mut Machine, irp: Irp, answer: Option<PnpAnswer>) -> NtStatus {
    match answer {
        Some(answer) => {
            m[irp].pnp_answer = answer;
            STATUS_SUCCESS
        }
        None => m[irp].io_status.status,
    }
}
