//! Machines as parts of machines: a part's effects restated as its owner's, an owner's inputs narrowed to its part's.

use crate::effect::{Effect, OpId};
use crate::machine::{Input, Machine, OpInput};

/// What of a part's effects concerns its owner rather than the driver.
#[derive(Debug)]
pub enum Own<C: Machine> {
    /// The part tells something.
    Event(Option<OpId>, C::Event),
    /// The part ends an operation.
    Finish(OpId, Result<(), C::Error>),
    /// The part is done.
    Halt,
}

impl<C: Machine> Effect<C> {
    /// A part's effect, restated as its owner's: timers are wrapped, handles stay as they are (they come from the same
    /// counter), and what concerns the owner goes to `own`.
    pub fn lift<P: Machine>(
        self,
        timer: impl FnOnce(C::Timer) -> P::Timer,
        own: impl FnOnce(Own<C>) -> Option<Effect<P>>,
    ) -> Option<Effect<P>> {
        Some(match self {
            Self::Listen(id, at, security) => Effect::Listen(id, at, security),
            Self::Unlisten(id) => Effect::Unlisten(id),
            Self::Connect(id, to, security) => Effect::Connect(id, to, security),
            Self::Secure(id, security, unread) => Effect::Secure(id, security, unread),
            Self::Send(id, data) => Effect::Send(id, data),
            Self::Pause(id, paused) => Effect::Pause(id, paused),
            Self::Close(id) => Effect::Close(id),
            Self::Abort(id) => Effect::Abort(id),
            Self::Bind(id, at) => Effect::Bind(id, at),
            Self::Unbind(id) => Effect::Unbind(id),
            Self::JoinGroup(id, group) => Effect::JoinGroup(id, group),
            Self::LeaveGroup(id, group) => Effect::LeaveGroup(id, group),
            Self::SendTo(id, datagram) => Effect::SendTo(id, datagram),
            Self::Resolve(id, host, port) => Effect::Resolve(id, host, port),
            Self::SetTimer(name, at) => Effect::SetTimer(timer(name), at),
            Self::ClearTimer(name) => Effect::ClearTimer(timer(name)),
            Self::Run(id, job) => Effect::Run(id, job),
            Self::Event(op, event) => return own(Own::Event(op, event)),
            Self::Finish(op, result) => return own(Own::Finish(op, result)),
            Self::Halt => return own(Own::Halt),
        })
    }
}

impl<P: Machine> Input<P> {
    /// An owner's input, narrowed to its part's: `timer` and `command` say what of the owner's is the part's. `None`
    /// where they do.
    pub fn narrow<C: Machine>(
        self,
        timer: impl FnOnce(P::Timer) -> Option<C::Timer>,
        command: impl FnOnce(P::Command) -> Option<C::Command>,
    ) -> Option<Input<C>> {
        Some(match self {
            Self::Start => Input::Start,
            Self::Op(op, OpInput::Ask(asked)) => Input::Op(op, OpInput::Ask(command(asked)?)),
            Self::Op(op, OpInput::Full) => Input::Op(op, OpInput::Full),
            Self::Op(op, OpInput::Ready) => Input::Op(op, OpInput::Ready),
            Self::Op(op, OpInput::Cancel) => Input::Op(op, OpInput::Cancel),
            Self::Timer(name) => Input::Timer(timer(name)?),
            Self::Stream(id, input) => Input::Stream(id, input),
            Self::Listener(id, at) => Input::Listener(id, at),
            Self::Bound(id, at) => Input::Bound(id, at),
            Self::Datagram(id, datagram) => Input::Datagram(id, datagram),
            Self::Resolved(id, found) => Input::Resolved(id, found),
            Self::Job(id, done) => Input::Job(id, done),
            Self::Stop => Input::Stop,
        })
    }
}
