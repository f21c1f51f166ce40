//! The one way in which the server starts a thread: named, with a small stack, and with a panic
//! ending that thread only.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, Scope, Thread};

/// Stack size of every thread, in bytes. Debug builds used at most 20 KiB of it; only what is
/// touched costs memory.
const STACK: usize = 128 * 1024;

/// Starts a thread that runs `body` once, and returns it. The kernel keeps 15 bytes of `name`.
///
/// # Errors
/// When the system has no thread to give.
pub fn spawn<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: String,
    body: impl FnOnce() + Send + 'scope,
) -> io::Result<Thread> {
    Builder::new()
        .name(name)
        .stack_size(STACK)
        .spawn_scoped(scope, || {
            // The panic hook has logged it. Unwinding has dropped what the thread held: its seat,
            // its name, its place in the room.
            let _ = catch_unwind(AssertUnwindSafe(body));
        })
        .map(|handle| handle.thread().clone())
}

/// A hook for tests, which does nothing in release builds: panics if `bytes` name this thread and
/// tell it to, and the environment allows it.
#[inline]
pub fn panic_if_told(bytes: &[u8]) {
    if !cfg!(debug_assertions) {
        return;
    }
    if std::env::var_os("TRIO_CHAT_PANIC_WHEN_TOLD").is_none() {
        return;
    }
    let order = format!(
        "panic {}",
        std::thread::current().name().unwrap_or_default()
    );
    let told = String::from_utf8_lossy(bytes)
        .lines()
        .any(|line| line.ends_with(&order));
    assert!(!told, "as it was told");
}
