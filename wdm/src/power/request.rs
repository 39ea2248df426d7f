//! PoRequestPowerIrp: the power IRPs that drivers ask for.

use std::collections::VecDeque;

use super::{PowerMinor, PowerParameters, PowerState, SystemPowerContext};
use crate::device::DeviceObject;
use crate::irp::{Control, IoStatus, Irp, Major, Parameters};
use crate::machine::Machine;
use crate::schedule::Context;
use crate::slab::{Id, Slab};
use crate::status::{NtStatus, constants::*};

/// REQUEST_POWER_COMPLETE: called when every driver is done with the IRP, with the device, the minor code, the state and
/// the context that were asked with. The IRP is the power manager's; it frees it afterwards.
///
/// Source: Windows driver documentation, REQUEST_POWER_COMPLETE.
pub type PowerCompletion = fn(&mut Machine, DeviceObject, PowerMinor, PowerState, Context, IoStatus);

#[derive(Default)]
pub(crate) struct Requests {
    out: Slab<Option<Request>>,
    /// The device-power IRP that each stack is busy with, by its lowest device.
    active: Vec<(DeviceObject, Irp)>,
    /// Those that wait until their stack is not, in the order of asking.
    waiting: VecDeque<(DeviceObject, Irp)>,
}

/// What a driver asked with.
struct Request {
    device: DeviceObject,
    minor: PowerMinor,
    state: PowerState,
    completion: Option<PowerCompletion>,
    context: Context,
}

impl DeviceObject {
    /// `PoRequestPowerIrp`: makes a power IRP and sends it to the top of the device's stack. `Ok` is STATUS_PENDING: the
    /// IRP is on its way, or waits for the one that the stack is busy with. Its handle is good only for cancelling a
    /// WAIT_WAKE; any other may be over by now. IRQL <= DISPATCH_LEVEL; the drivers are called at PASSIVE_LEVEL.
    ///
    /// The IRP has two locations more than the stack needs: the power manager's own.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER_2 for a minor code other than SET_POWER, QUERY_POWER and WAIT_WAKE,
    /// STATUS_INSUFFICIENT_RESOURCES if no IRP can be had.
    ///
    /// Source: Windows driver documentation, PoRequestPowerIrp; IRP_MN_SET_POWER (one at a time); ReactOS,
    /// PoRequestPowerIrp.
    pub fn request_power_irp(
        self,
        m: &mut Machine,
        minor: PowerMinor,
        state: PowerState,
        completion: Option<PowerCompletion>,
        context: Context,
    ) -> Result<Irp, NtStatus> {
        let parameters = match (minor, state) {
            (PowerMinor::PowerSequence, _) => return Err(STATUS_INVALID_PARAMETER_2),
            (PowerMinor::WaitWake, PowerState::System(state)) => PowerParameters::WaitWake(state),
            (PowerMinor::SetPower | PowerMinor::QueryPower, PowerState::Device(_)) => {
                let context = SystemPowerContext::default();
                PowerParameters::Power { state, action: m.power_action(), context }
            }
            _ => m.undefined(
                "PoRequestPowerIrp",
                "a driver asks for device states with SET_POWER and QUERY_POWER, and for a system state with WAIT_WAKE",
            ),
        };
        let top = self.top_of_stack(m);
        let irp = m.allocate_irp(m[top].stack_size.saturating_add(2))?;
        let (id, request) = m.power.requests.out.take();
        *request = Some(Request { device: self, minor, state, completion, context });
        let data = &mut m[irp];
        data.io_status.status = STATUS_NOT_SUPPORTED;
        data.set_next_location();
        data.set_next_location();
        data.current_mut().device = Some(top);
        let location = data.next_mut();
        location.major = Major::Power;
        location.minor = minor as u8;
        location.parameters = Parameters::Power(parameters);
        data.set_completion_routine(completed, Context(id.to_word()), Control::INVOKE_ALWAYS);
        present(m, minor, self.bottom_of_stack(m), irp);
        Ok(irp)
    }
}

/// Sends the IRP, or lets it wait while the stack is busy with another one. A WAIT_WAKE waits for nobody.
fn present(m: &mut Machine, minor: PowerMinor, stack: DeviceObject, irp: Irp) {
    if minor != PowerMinor::WaitWake {
        let requests = &mut m.power.requests;
        if requests.active.iter().any(|&(busy, _)| busy == stack) {
            return requests.waiting.push_back((stack, irp));
        }
        requests.active.push((stack, irp));
    }
    call(m, irp);
}

/// The power manager sends its IRPs in worker threads of its own, whoever asked for them.
///
/// Source: Windows driver documentation, IRP_MN_SET_POWER (DO_POWER_PAGABLE); !stacks of threads that handle power IRPs,
/// which begin in nt!PopIrpWorker.
fn call(m: &mut Machine, irp: Irp) {
    m.queue_work_item(send, irp.to_context());
}

fn send(m: &mut Machine, irp: Context) {
    let Some(irp) = Irp::from_context(irp) else { return };
    // A WAIT_WAKE makes no stack busy.
    if let Some(&(pdo, _)) = m.power.requests.active.iter().find(|&&(_, active)| active == irp) {
        irp.watch(m, pdo);
    }
    // The power manager's own location says whom it sends the IRP to.
    if let Some(top) = m[irp].current().device {
        irp.call_driver(m, top);
    }
}

/// The power manager's own completion routine, above all others.
fn completed(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    irp.stop_watching(m);
    let request = Id::from_word(context.0).and_then(|id| {
        let request = m.power.requests.out.get_mut(id)?.take();
        m.power.requests.out.release(id);
        request
    });
    let status = m[irp].io_status;
    if let Some(Request { device, minor, state, completion: Some(completion), context }) = request {
        completion(m, device, minor, state, context, status);
    }
    irp.free(m);
    start_next(m, irp);
    STATUS_MORE_PROCESSING_REQUIRED
}

/// The stack that was busy with `done` takes the next IRP that waits for it.
fn start_next(m: &mut Machine, done: Irp) {
    let requests = &mut m.power.requests;
    let Some(at) = requests.active.iter().position(|&(_, irp)| irp == done) else { return };
    let (stack, _) = requests.active.remove(at);
    let next = requests.waiting.iter().position(|&(waiting, _)| waiting == stack);
    if let Some(next) = next.and_then(|next| requests.waiting.remove(next)) {
        requests.active.push(next);
        call(m, next.1);
    }
}
