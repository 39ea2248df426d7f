//! `[bus.queue]`: the bus's default queue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vbus_bus::{OnStop, QueueOptions};
use vbus_wdf::Dispatch;

use super::filter::is_default;

/// The queue that hands a bus's requests to its driver.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// WDF_IO_QUEUE_DISPATCH_TYPE.
    #[serde(skip_serializing_if = "is_default")]
    pub dispatch: DispatchType,
    /// NumberOfPresentedRequests of a parallel queue; without it there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presented_limit: Option<u32>,
    /// PowerManaged; without it yes, as for every function device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_managed: Option<bool>,
    /// What EvtIoStop does; without it the driver has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_stop: Option<Stopping>,
}

/// WDF_IO_QUEUE_DISPATCH_TYPE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DispatchType {
    /// One request at a time.
    Sequential,
    /// Every request as it comes.
    #[default]
    Parallel,
    /// The driver takes requests when it is told that there are some.
    Manual,
}

/// What the bus does in EvtIoStop with a request that it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stopping {
    /// WdfRequestStopAcknowledge, and keeps the request.
    Acknowledge,
    /// WdfRequestCancelSentRequest.
    CancelSent,
    /// Neither: the power transition waits for the request.
    Nothing,
}

impl Queue {
    pub(crate) fn options(&self) -> QueueOptions {
        QueueOptions {
            dispatch: match self.dispatch {
                DispatchType::Sequential => Dispatch::Sequential,
                DispatchType::Parallel => Dispatch::Parallel,
                DispatchType::Manual => Dispatch::Manual,
            },
            presented_limit: self.presented_limit,
            power_managed: self.power_managed,
            on_stop: self.on_stop.map(|on_stop| match on_stop {
                Stopping::Acknowledge => OnStop::Acknowledge,
                Stopping::CancelSent => OnStop::CancelSent,
                Stopping::Nothing => OnStop::Nothing,
            }),
        }
    }
}
