//! Which log line is which step of a request's or a target's life.

use std::borrow::Cow;

use vbus_wdf::{Site, sites};
use vbus_wdm::NtStatus;

/// A step of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::explain) enum Step {
    /// Came to a queue as an IRP.
    Arrived,
    /// Was given to the driver.
    Presented,
    /// Was made by the driver.
    Created,
    /// A format call for a target begins.
    Formatting,
    /// A format call has ended.
    Formatted,
    /// Waits at a stopped target.
    Waits,
    /// Was sent.
    Sent,
    /// Its cancellation was asked for.
    Cancelled,
    /// Its timeout is over.
    TimedOut,
    /// Came back from the target.
    Back,
    /// Was put back into its queue.
    Requeued,
    /// Was completed.
    Completed,
    /// Something of the causes' table.
    Failed(&'static str),
}

impl Step {
    /// What happened, as part of a list.
    pub(in crate::explain) fn text(self) -> Cow<'static, str> {
        let text = match self {
            Step::Arrived => "arrived in a queue",
            Step::Presented => "given to the driver",
            Step::Created => "created",
            Step::Formatting => "being formatted",
            Step::Formatted => "format call returned",
            Step::Waits => "sent, and waits at the stopped target",
            Step::Sent => "sent",
            Step::Cancelled => "cancellation asked for",
            Step::TimedOut => "timed out",
            Step::Back => "came back from the target",
            Step::Requeued => "put back into its queue",
            Step::Completed => "completed",
            Step::Failed(cause) => return format!("fails, {cause}").into(),
        };
        text.into()
    }

    /// Who has the request after this step, when nothing follows.
    pub(in crate::explain) fn holder(self, status: Option<NtStatus>) -> &'static str {
        match self {
            Step::Formatted if status.is_some_and(NtStatus::is_error) => "with the driver",
            Step::Arrived | Step::Requeued => "waiting in a queue",
            Step::Waits => "waiting at a stopped target",
            Step::Sent | Step::Cancelled | Step::TimedOut => "out at a target",
            // A send that goes out at once leaves no line.
            Step::Formatted | Step::Formatting => "out at a target, or with the driver if it never sent it",
            Step::Presented | Step::Created | Step::Back | Step::Failed(_) => "with the driver",
            Step::Completed => "done",
        }
    }
}

pub(super) fn of_request(site: &Site) -> Option<Step> {
    let steps: [(Step, &[&Site]); 12] = [
        (Step::Arrived, &[&sites::QUEUE_REQUEST]),
        (
            Step::Presented,
            &[
                &sites::QUEUE_CALL_DEVICE_CONTROL,
                &sites::QUEUE_CALL_INTERNAL,
                &sites::QUEUE_CALL_READ,
                &sites::QUEUE_CALL_WRITE,
                &sites::QUEUE_CALL_DEFAULT,
            ],
        ),
        (Step::Formatting, &[&sites::FORMAT_IOCTL_ENTER, &sites::FORMAT_IO_ENTER, &sites::OTHERS_ENTER]),
        (Step::Formatted, &[&sites::FORMAT_IOCTL_EXIT, &sites::FORMAT_IO_EXIT, &sites::OTHERS_EXIT]),
        (Step::Completed, &[&sites::REQUEST_COMPLETE, &sites::REQUEST_COMPLETE_BOOST]),
        (Step::Back, &[&sites::COMPLETION]),
        (Step::Waits, &[&sites::PENDING]),
        (
            Step::Sent,
            &[&sites::PENDED_SENDING, &sites::SUBMIT_SYNC_SENDING, &sites::STARTING_TIMER, &sites::IGNORING_STATE],
        ),
        (Step::Cancelled, &[&sites::CANCEL_REQUEST, &sites::PENDED_CANCELLED]),
        (Step::TimedOut, &[&sites::TIMER_FIRED]),
        (Step::Requeued, &[&sites::REQUEUE]),
        (Step::Created, &[]),
    ];
    let is = |(_, shown): &&(Step, &[&Site])| shown.iter().any(|shown| std::ptr::eq(*shown, site));
    steps.iter().find(is).map(|(step, _)| *step)
}

/// A step of a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::explain) enum TargetStep {
    Opening,
    Opened,
    NotOpened,
    Started,
    Stopped,
    Purged,
    ClosedForQueryRemove,
    Closed,
    Deleted,
    QueryRemove,
    RemoveComplete,
    RemoveCanceled,
}

impl TargetStep {
    pub(in crate::explain) fn text(self) -> &'static str {
        match self {
            TargetStep::Opening => "being opened",
            TargetStep::Opened => "opened",
            TargetStep::NotOpened => "not opened: the open failed",
            TargetStep::Started => "started",
            TargetStep::Stopped => "stopped",
            TargetStep::Purged => "purged",
            TargetStep::ClosedForQueryRemove => "closed, as its device is asked whether it may be removed",
            TargetStep::Closed => "closed",
            TargetStep::Deleted => "closed, as it is deleted",
            TargetStep::QueryRemove => "told that its device may be removed",
            TargetStep::RemoveComplete => "told that its device is gone",
            TargetStep::RemoveCanceled => "told that its device stays",
        }
    }

    /// Whether the target has no stack size after it.
    pub(in crate::explain) fn is_closed(self) -> bool {
        matches!(
            self,
            TargetStep::Closed | TargetStep::Deleted | TargetStep::ClosedForQueryRemove | TargetStep::NotOpened
        )
    }
}

pub(super) fn of_target(site: &Site, status: Option<NtStatus>) -> Option<TargetStep> {
    if std::ptr::eq(site, &sites::TARGET_OPEN_EXIT) {
        let is_open = status.is_some_and(NtStatus::is_success);
        return Some(if is_open { TargetStep::Opened } else { TargetStep::NotOpened });
    }
    let steps: [(TargetStep, &Site); 12] = [
        (TargetStep::Opening, &sites::TARGET_OPEN_ENTER),
        (TargetStep::Started, &sites::TARGET_STARTED),
        (TargetStep::Stopped, &sites::TARGET_STOPPED),
        (TargetStep::Purged, &sites::TARGET_PURGED),
        (TargetStep::ClosedForQueryRemove, &sites::REMOTE_CLOSE_QUERY_REMOVE),
        (TargetStep::Closed, &sites::REMOTE_CLOSE_CLOSE),
        (TargetStep::Closed, &sites::REMOTE_CLOSE_NOT_OPEN),
        (TargetStep::Closed, &sites::REMOTE_CLEARED),
        (TargetStep::Deleted, &sites::REMOTE_CLOSE_DELETE),
        (TargetStep::QueryRemove, &sites::NOTIFIED_QUERY_REMOVE),
        (TargetStep::RemoveComplete, &sites::NOTIFIED_REMOVE_COMPLETE),
        (TargetStep::RemoveCanceled, &sites::NOTIFIED_REMOVE_CANCELED),
    ];
    steps.iter().find(|(_, shown)| std::ptr::eq(*shown, site)).map(|(step, _)| *step)
}
