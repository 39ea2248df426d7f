//! `[bus.driver]`: what a bus driver does with a request for a reader, call by call. Where drivers have bugs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::is_default;

/// What the bus driver does with a request that is for a reader.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriverCode {
    /// The calls that it makes in EvtIoDeviceControl, one after the other.
    pub forward: Vec<Call>,
    /// What it does when the format call fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_format_failed: Failed,
    /// What it does when WdfRequestSend returns FALSE.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_send_failed: Failed,
    /// What its completion routine does, where `set-completion-routine` sets it.
    #[serde(default = "Call::only_complete", skip_serializing_if = "Call::is_only_complete")]
    pub on_completion: Vec<Call>,
    /// What its EvtRequestCancel does, where `mark-cancelable` sets it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_cancel: Cancelled,
}

/// One call of a driver on the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// WdfIoTargetFormatRequestForInternalIoctl, or what the bus's `format` says, for the reader's target.
    Format,
    /// The same for the target of another reader of the bus: the next higher id, or else the lowest.
    FormatForAnother,
    /// WdfRequestSetCompletionRoutine.
    SetCompletionRoutine,
    /// WdfRequestSend to the reader's target, with the bus's `send` options.
    Send,
    /// WdfRequestComplete: with what came back in a completion routine, else with STATUS_SUCCESS.
    Complete,
    /// WdfRequestMarkCancelable.
    MarkCancelable,
    /// WdfRequestUnmarkCancelable.
    UnmarkCancelable,
    /// WdfRequestCancelSentRequest.
    CancelSent,
    /// WdfRequestRequeue.
    Requeue,
    /// WdfRequestForwardToIoQueue, to the default queue of the next bus.
    ForwardToAnotherBus,
    /// WdfRequestStopAcknowledge.
    StopAcknowledge,
}

/// What a driver does after a call failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Failed {
    /// Completes the request with the call's status, as it must.
    #[default]
    Complete,
    /// Returns, and forgets the request.
    Forget,
    /// Did not look at the result, and makes its next call.
    GoOn,
}

/// What EvtRequestCancel does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cancelled {
    /// Completes the request with STATUS_CANCELLED.
    #[default]
    Complete,
    /// Asks the target to cancel it, and lets the completion routine complete it.
    CancelSent,
    /// Nothing.
    Nothing,
}

impl DriverCode {
    /// A driver that makes these calls, and does nothing wrong when one fails.
    pub fn new(forward: impl IntoIterator<Item = Call>) -> DriverCode {
        DriverCode {
            forward: forward.into_iter().collect(),
            on_format_failed: Failed::default(),
            on_send_failed: Failed::default(),
            on_completion: Call::only_complete(),
            on_cancel: Cancelled::default(),
        }
    }
}

impl Call {
    fn only_complete() -> Vec<Call> {
        vec![Call::Complete]
    }

    fn is_only_complete(calls: &Vec<Call>) -> bool {
        *calls == Call::only_complete()
    }
}
