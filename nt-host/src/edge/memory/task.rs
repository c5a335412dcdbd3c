//! Tasks of a stack's thread.

use std::time::Duration;

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::AnySocket;

use super::{Answer, StackError};

/// The stack, as a task uses it.
pub(super) struct Context<'a> {
    pub(super) interface: &'a mut Interface,
    pub(super) sockets: &'a mut SocketSet<'static>,
    /// New tasks.
    pub(super) new: &'a mut Vec<Box<dyn Task>>,
}

impl Context<'_> {
    pub(super) fn socket<T: AnySocket<'static>>(&mut self, handle: SocketHandle) -> &mut T {
        self.sockets.get_mut(handle)
    }

    /// Adds a socket if it could be bound to its port, and reports that to the caller.
    pub(super) fn serve<T: AnySocket<'static>>(
        &mut self,
        socket: T,
        result: Result<(), StackError>,
        answer: &mut Option<Answer<()>>,
    ) -> Option<SocketHandle> {
        let handle = result.is_ok().then(|| self.sockets.add(socket));
        if let Some(answer) = answer.take() {
            // The receiver may no longer exist.
            let _ = answer.send(result);
        }
        handle
    }
}

/// The result of a step.
pub(super) enum Step {
    /// The task has ended.
    Done,
    /// The task made progress: there may be packets to send.
    Progress,
    /// The task made no progress. It continues when packets arrive, or after this time.
    Wait(Option<Duration>),
}

/// A task of a stack.
pub(super) trait Task: Send {
    /// Does what is possible without waiting.
    fn step(&mut self, context: &mut Context<'_>) -> Step;
}
