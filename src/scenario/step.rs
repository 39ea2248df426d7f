//! `[[step]]`: what happens, one thing after the other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::card::Card;
use super::expect::Expect;
use super::filter::{Filter, is_default};
use super::source::Place;
use super::value::{Bytes, Ioctl};

/// Makes the struct of a step from the actions that there are: each is a key, and a step has exactly one of them.
macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $key:ident: $variant:ident($parameters:ty),)+) => {
        /// A step: one action, and what is expected of it.
        #[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Step {
            /// What the step is for; without it the action says so.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub name: Option<String>,
            $(
                $(#[doc = $doc])+
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $key: Option<$parameters>,
            )+
            /// The thread that takes the step. Neighbouring steps with threads race in `vbus explore`, each thread's own
            /// in order; `vbus run` takes them one after the other, as they stand.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub thread: Option<String>,
            /// What must be so afterwards. Without a status here the step must succeed, unless it races: then it may end
            /// with any status.
            #[serde(skip_serializing_if = "is_default")]
            pub expect: Expect,
            /// Where it stands.
            #[serde(skip)]
            pub place: Option<Place>,
        }

        /// The action of a step.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum Action<'s> {
            $($(#[doc = $doc])+ $variant(&'s $parameters),)+
        }

        impl Step {
            /// The actions that the step has: one, in a scenario that was checked.
            pub fn actions(&self) -> impl Iterator<Item = Action<'_>> {
                [$(self.$key.as_ref().map(Action::$variant)),+].into_iter().flatten()
            }

            /// The keys of all actions.
            pub(super) const ACTIONS: &'static [&'static str] = &[$(stringify!($key)),+];
        }

        impl Action<'_> {
            /// The action's key.
            pub fn key(&self) -> &'static str {
                match self {
                    $(Action::$variant(_) => stringify!($key),)+
                }
            }
        }
    };
}

actions! {
    /// The program plugs a reader in.
    plug: Plug(OnReader),
    /// The program pulls a reader out.
    unplug: Unplug(OnReader),
    /// The program asks for a reader's orderly removal.
    eject: Eject(OnReader),
    /// A card is put into a reader's slot.
    insert: Insert(InsertParameters),
    /// The card is pulled out of a reader's slot.
    remove: Remove(OnReader),
    /// A program opens a bus, or a reader.
    open: Open(OpenParameters),
    /// The program closes a handle.
    close: Close(OnHandle),
    /// The program sends a control request.
    ioctl: Control(IoctlParameters),
    /// The program sends the bus a control request for a reader, which the bus forwards.
    forward: Forward(ForwardParameters),
    /// The program cancels a request that is out.
    cancel: Cancel(OnRequest),
    /// The program waits for a request that is out.
    wait: Wait(OnRequest),
    /// Virtual time passes.
    advance: Advance(Span),
    /// WdfIoTargetStop for a reader's target.
    stop_target: StopTarget(TargetParameters),
    /// WdfIoTargetStart for a reader's target.
    start_target: StartTarget(OnReader),
    /// WdfIoTargetPurge for a reader's target.
    purge_target: PurgeTarget(OnReader),
    /// WdfIoTargetClose for a reader's target.
    close_target: CloseTarget(OnReader),
    /// WdfIoTargetOpen for a reader's target, on the top of the reader's stack as it is now.
    open_target: OpenTarget(OnReader),
    /// WdfIoQueueStop for a bus's default queue.
    stop_queue: StopQueue(OnDevice),
    /// WdfIoQueueStart for a bus's default queue.
    start_queue: StartQueue(OnDevice),
    /// WdfIoQueuePurge for a bus's default queue.
    purge_queue: PurgeQueue(OnDevice),
    /// WdfIoQueueDrain for a bus's default queue.
    drain_queue: DrainQueue(OnDevice),
    /// The system goes to sleep, or is shut down.
    power_down: PowerDown(PowerDownParameters),
    /// The system wakes.
    power_up: PowerUp(Nothing),
    /// A filter attaches to the top of a stack that is started.
    attach: Attach(AttachParameters),
    /// The PnP manager removes a device, as Device Manager's "uninstall" asks it to.
    remove_device: RemoveDevice(OnDevice),
    /// The PnP manager disables a device.
    disable: Disable(OnDevice),
    /// The PnP manager enables a device that is disabled.
    enable: Enable(OnDevice),
}

/// A reader of a bus.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnReader {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id.
    #[schemars(with = "u32")]
    pub reader: Spanned<u32>,
}

/// A card for a reader.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InsertParameters {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id.
    #[schemars(with = "u32")]
    pub reader: Spanned<u32>,
    /// The card.
    #[serde(default, skip_serializing_if = "is_default")]
    pub card: Card,
}

/// A bus, or a reader of it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OnDevice {
    /// The bus; where there is only one it goes without saying.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id, where a reader is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u32>")]
    pub reader: Option<Spanned<u32>>,
}

/// How a program opens a device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenParameters {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id, to open the reader's own interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u32>")]
    pub reader: Option<Spanned<u32>>,
    /// How later steps name the handle.
    #[serde(rename = "as")]
    pub name: String,
    /// FILE_FLAG_OVERLAPPED: requests do not wait.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlapped: bool,
}

/// A handle that a step opened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnHandle {
    /// What the open named it.
    #[schemars(with = "String")]
    pub handle: Spanned<String>,
}

/// A request that is out.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnRequest {
    /// What the step that sent it named it.
    #[schemars(with = "String")]
    pub request: Spanned<String>,
}

/// A control request, as DeviceIoControl sends it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IoctlParameters {
    /// The handle.
    #[schemars(with = "String")]
    pub handle: Spanned<String>,
    /// The control code.
    pub code: Ioctl,
    /// The input buffer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input: Bytes,
    /// The output buffer's length.
    #[serde(default, skip_serializing_if = "is_default")]
    pub output_length: u32,
    /// On an overlapped handle: how later steps name the request.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
}

/// A control request for a reader, through its bus.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardParameters {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id, which the request's input begins with.
    #[schemars(with = "u32")]
    pub reader: Spanned<u32>,
    /// The control code.
    #[serde(default = "exchange", skip_serializing_if = "is_exchange")]
    pub ioctl: Ioctl,
    /// The input after the reader's id.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input: Bytes,
    /// The output buffer's length.
    #[serde(default = "short_response", skip_serializing_if = "is_short_response")]
    pub output_length: u32,
    /// A handle that a step opened; without it a synchronous one of the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub handle: Option<Spanned<String>>,
    /// The request does not wait, and later steps name it so.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub name: Option<Spanned<String>>,
}

/// A span of virtual time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Milliseconds.
    pub ms: u64,
}

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

/// Which sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PowerDownParameters {
    /// The system's power state.
    pub state: Sleep,
}

/// A system power state to go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub enum Sleep {
    /// Sleeping, with the processor's caches kept.
    S1,
    /// Sleeping.
    S2,
    /// Suspend to memory.
    #[default]
    S3,
    /// Hibernation.
    S4,
    /// Shutdown.
    S5,
}

/// An action without parameters: `{}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A filter that attaches late.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachParameters {
    /// The bus; where there is only one it goes without saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bus: Option<Spanned<String>>,
    /// The reader's id, to attach to its stack and not to the bus's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u32>")]
    pub reader: Option<Spanned<u32>>,
    /// The filter.
    pub filter: Filter,
}

impl ForwardParameters {
    /// The vendor IOCTL for this reader, without input: the answer is its card's ATR.
    pub fn new(reader: u32) -> ForwardParameters {
        ForwardParameters {
            bus: None,
            reader: Spanned::new(0..0, reader),
            ioctl: exchange(),
            input: Bytes::default(),
            output_length: short_response(),
            handle: None,
            name: None,
        }
    }
}

fn exchange() -> Ioctl {
    Ioctl(vbus_bus::IOCTL_VBUS_EXCHANGE)
}

fn is_exchange(code: &Ioctl) -> bool {
    *code == exchange()
}

/// Room for any answer to a short command APDU.
fn short_response() -> u32 {
    258
}

fn is_short_response(length: &u32) -> bool {
    *length == short_response()
}
