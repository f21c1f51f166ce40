//! Starts all threads of the server, each with a name and a small stack. A panic ends only its own
//! thread. The work of a thread is left to its caller.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, Scope, Thread};

/// Stack size of nearly every thread, in bytes. Debug builds used at most 20 KiB of it, and only touched
/// pages cost memory.
const STACK: usize = 128 * 1024;

/// Starts a thread that runs `body` once, and returns it. The kernel keeps 15 bytes of `name`.
///
/// # Errors
/// When a thread cannot be started.
pub fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: String,
    body: impl FnOnce() + Send + 'scope,
) -> io::Result<Thread> {
    spawn_with(scope, name, STACK, body)
}

/// Starts a thread with a stack of `n_bytes`, as [`spawn`] does.
///
/// # Errors
/// When a thread cannot be started.
pub fn spawn_with<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: String,
    n_bytes: usize,
    body: impl FnOnce() + Send + 'scope,
) -> io::Result<Thread> {
    Builder::new()
        .name(name)
        .stack_size(n_bytes)
        .spawn_scoped(scope, || {
            // The panic hook has logged it. Unwinding has dropped what the thread held: its seat,
            // its name, its place in the room.
            let _ = catch_unwind(AssertUnwindSafe(body));
        })
        .map(|handle| handle.thread().clone())
}
