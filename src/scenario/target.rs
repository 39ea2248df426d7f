//! The parameters of the steps that change a reader's I/O target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use vbus_iotarget::TargetState as State;

use super::filter::is_default;

/// WdfIoTargetStop.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetParameters {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id.
    #[schemars(with = "u32")]
    pub reader: Spanned<u32>,
    /// What becomes of requests that are out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sent_io: SentIo,
}

/// WDF_IO_TARGET_SENT_IO_ACTION.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SentIo {
    /// WdfIoTargetCancelSentIo.
    #[default]
    Cancel,
    /// WdfIoTargetWaitForSentIoToComplete.
    Wait,
    /// WdfIoTargetLeaveSentIoPending.
    Leave,
}

/// WdfIoTargetClose.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseTargetParameters {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id.
    #[schemars(with = "u32")]
    pub reader: Spanned<u32>,
    /// WdfIoTargetCloseForQueryRemove: the target keeps what it needs to be opened again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub for_query_remove: bool,
}

/// WdfIoTargetOpen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenTargetParameters {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id.
    #[schemars(with = "u32")]
    pub reader: Spanned<u32>,
    /// WDF_IO_TARGET_OPEN_TYPE.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: OpenType,
    /// By name: the device's name; without it that of the reader's PDO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// WDF_IO_TARGET_OPEN_TYPE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OpenType {
    /// WdfIoTargetOpenUseExistingDevice, on the top of the reader's stack as it is now.
    #[default]
    ExistingDevice,
    /// WdfIoTargetOpenByName.
    Name,
    /// WdfIoTargetOpenReopen: as it was last opened by name.
    Reopen,
    /// WdfIoTargetOpenUndefined, as in parameters that nobody initialized.
    Undefined,
    /// WdfIoTargetOpenLocalTargetByFile, which only user-mode drivers may say.
    LocalTargetByFile,
}

/// In which state a reader's target is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedTarget {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id.
    #[schemars(with = "u32")]
    pub reader: Spanned<u32>,
    /// WDF_IO_TARGET_STATE.
    pub state: TargetState,
}

/// WDF_IO_TARGET_STATE, and that there is no target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    /// Requests are sent on.
    Started,
    /// Requests wait until it is started.
    Stopped,
    /// Closed, to be opened again if the removal of its device is cancelled.
    ClosedForQueryRemove,
    /// Closed by the driver.
    Closed,
    /// Requests are refused until it is started.
    Purged,
    /// Being deleted.
    Deleted,
    /// There is none: the reader is not started.
    None,
}

impl TargetState {
    /// What a state is called here.
    pub(crate) fn of(state: Option<State>) -> TargetState {
        match state {
            None => TargetState::None,
            Some(State::Started) => TargetState::Started,
            Some(State::Stopped) => TargetState::Stopped,
            Some(State::ClosedForQueryRemove) => TargetState::ClosedForQueryRemove,
            Some(State::Closed) => TargetState::Closed,
            Some(State::Purged) => TargetState::Purged,
            Some(State::Deleted) => TargetState::Deleted,
        }
    }
}

impl std::fmt::Display for TargetState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TargetState::Started => "started",
            TargetState::Stopped => "stopped",
            TargetState::ClosedForQueryRemove => "closed for a query-remove",
            TargetState::Closed => "closed",
            TargetState::Purged => "purged",
            TargetState::Deleted => "deleted",
            TargetState::None => "not there",
        })
    }
}
