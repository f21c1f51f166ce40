//! Faults on order, for tests: a thread panics when it is told to. Release builds have none of it.

/// Panics if `bytes` tell this thread to, by its name, and the environment allows it. It does
/// nothing in release builds.
///
/// # Panics
/// When it is told to.
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
