//! `[[step]]`: what happens, one thing after the other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::card::Card;
use super::expect::Expect;
use super::filter::{Filter, is_default};
use super::program::{
    ForwardParameters, IoctlParameters, OnHandle, OnRequest, OnThread, OpenParameters, ReadParameters, WriteParameters,
};
use super::source::Place;
use super::target::{CloseTargetParameters, OpenTargetParameters, TargetParameters};

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
            /// The program's thread that takes the step; without it its first one. What a thread asked for is cancelled
            /// when it exits. Neighbouring steps of several threads race in `vbus explore`, each thread's own in order;
            /// `vbus run` takes them one after the other, as they stand.
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
    /// The program reads.
    read: Read(ReadParameters),
    /// The program writes.
    write: Write(WriteParameters),
    /// The program cancels a request that is out.
    cancel: Cancel(OnRequest),
    /// The program waits for a request that is out.
    wait: Wait(OnRequest),
    /// A thread of the program ends: every request of its own that is out is cancelled, and it waits for them.
    exit_thread: ExitThread(OnThread),
    /// Virtual time passes.
    advance: Advance(Span),
    /// WdfIoTargetStop for a reader's target.
    stop_target: StopTarget(TargetParameters),
    /// WdfIoTargetStart for a reader's target.
    start_target: StartTarget(OnReader),
    /// WdfIoTargetPurge for a reader's target.
    purge_target: PurgeTarget(OnReader),
    /// WdfIoTargetClose, or WdfIoTargetCloseForQueryRemove, for a reader's target.
    close_target: CloseTarget(CloseTargetParameters),
    /// WdfIoTargetOpen for a reader's target: on the top of the reader's stack as it is now, or in another way.
    open_target: OpenTarget(OpenTargetParameters),
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
    /// Memory runs short once: this allocation from now on fails.
    fail_allocation: FailAllocation(FailAllocationParameters),
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

/// A span of virtual time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Milliseconds.
    pub ms: u64,
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

/// Which allocation fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailAllocationParameters {
    /// Which one from now on, counted from 1; `vbus faults` says which there are.
    pub nth: u64,
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
