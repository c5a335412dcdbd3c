//! Things that a stack's thread does besides moving packets.

use std::time::Duration;

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::socket::AnySocket;

use super::{Answer, StackError};

/// What a task works with.
pub(super) struct Context<'a> {
    pub(super) interface: &'a mut Interface,
    pub(super) sockets: &'a mut SocketSet<'static>,
    /// Tasks to begin.
    pub(super) new: &'a mut Vec<Box<dyn Task>>,
}

impl Context<'_> {
    pub(super) fn socket<T: AnySocket<'static>>(&mut self, handle: SocketHandle) -> &mut T {
        self.sockets.get_mut(handle)
    }

    /// Adds a socket if it has got its port, and tells whoever waits for that.
    pub(super) fn serve<T: AnySocket<'static>>(
        &mut self,
        socket: T,
        result: Result<(), StackError>,
        answer: &mut Option<Answer<()>>,
    ) -> Option<SocketHandle> {
        let handle = result.is_ok().then(|| self.sockets.add(socket));
        if let Some(answer) = answer.take() {
            // Nobody waits for it any more: fine.
            let _ = answer.send(result);
        }
        handle
    }
}

/// What a task did.
pub(super) enum Step {
    /// It is over.
    Done,
    /// Something: there may be packets to send.
    Progress,
    /// Nothing. It goes on when packets come, or after this time.
    Wait(Option<Duration>),
}

/// Something that a stack does.
pub(super) trait Task: Send {
    /// Does what can be done without waiting.
    fn step(&mut self, context: &mut Context<'_>) -> Step;
}
