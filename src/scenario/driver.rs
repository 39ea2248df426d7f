//! `[bus.driver]`: what a bus driver does with its requests, call by call. Where drivers have bugs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::is_default;

/// What the bus driver does with a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriverCode {
    /// The calls that it makes in EvtIoDeviceControl for a request that is for a reader, one after the other.
    #[serde(default = "Call::only_forward", skip_serializing_if = "Call::is_only_forward")]
    pub forward: Vec<Call>,
    /// The calls that it makes in EvtIoRead; without it there is no such callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Vec<Call>>,
    /// The calls that it makes in EvtIoWrite; without it there is no such callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Vec<Call>>,
    /// The calls that it makes in EvtIoDefault of the readers' PDOs, for what came down to them. Without it, and without
    /// `forward_to_parent`, those have no queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<Vec<Call>>,
    /// What it does when a call fails that asks for one of the request's buffers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_retrieve_failed: Failed,
    /// What it does when the format call fails, or another that prepares the request or hands it on.
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

/// One call of a driver on the request. After a `create-request`, those that format, send, cancel or reuse are about the
/// driver's own request, and the others still about the program's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// WdfIoTargetFormatRequestForInternalIoctl, or what the bus's `format` says, for the reader's target; of a read or
    /// write WdfIoTargetFormatRequestForRead or -Write.
    Format,
    /// The same for the target of another reader of the bus: the next higher id, or else the lowest.
    FormatForAnother,
    /// The same with a BufferOffset beyond the end of the memory.
    FormatBeyondMemory,
    /// WdfRequestFormatRequestUsingCurrentType: passed on as it came.
    FormatCurrentType,
    /// WdfRequestSetCompletionRoutine.
    SetCompletionRoutine,
    /// WdfRequestSend to the reader's target, with the bus's `send` options.
    Send,
    /// WdfRequestCompleteWithInformation: with what came back in a completion routine, else with STATUS_SUCCESS and as many
    /// bytes as `keep-input` or `give-output` moved.
    Complete,
    /// WdfRequestComplete: the same, but nobody hears how many bytes there are.
    CompleteWithoutInformation,
    /// WdfRequestCompleteWithInformation, with one byte more than the output buffer has.
    CompleteTooLong,
    /// WdfRequestRetrieveInputBuffer, and the driver keeps a copy of the bytes.
    KeepInput,
    /// WdfRequestRetrieveOutputBuffer, and the driver puts the bytes there that it keeps.
    GiveOutput,
    /// WdfRequestRetrieveInputWdmMdl.
    RetrieveInputMdl,
    /// WdfRequestRetrieveOutputWdmMdl.
    RetrieveOutputMdl,
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
    /// WdfRequestForwardToParentDeviceIoQueue, of a PDO's request: the bus answers it.
    ForwardToParent,
    /// WdfRequestStopAcknowledge.
    StopAcknowledge,
    /// WdfRequestCreate for the reader's target: the driver's own request, with the program's buffers when it is formatted.
    CreateRequest,
    /// WdfRequestCreate without a target: it has no IRP until it is formatted.
    CreateRequestWithoutTarget,
    /// WdfRequestReuse.
    Reuse,
    /// WdfObjectDelete of the driver's own request.
    DeleteRequest,
    /// WdfRequestComplete of the driver's own request, which is not for that.
    CompleteRequest,
    /// WdfRequestMarkCancelable of the driver's own request, which is in no queue.
    MarkRequestCancelable,
    /// WdfRequestComplete with the device's handle in place of the request's.
    CompleteWrongHandle,
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
            read: None,
            write: None,
            child: None,
            on_retrieve_failed: Failed::default(),
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

    /// What a correct driver does.
    fn only_forward() -> Vec<Call> {
        vec![Call::Format, Call::SetCompletionRoutine, Call::Send]
    }

    fn is_only_forward(calls: &Vec<Call>) -> bool {
        *calls == Call::only_forward()
    }
}
