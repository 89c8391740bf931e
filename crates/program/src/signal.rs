//! What ends a program kindly.

/// Waits for Ctrl-C or a request to terminate, from the call on, not only from the first time that the future is
/// polled: whoever must clean up calls it before there is anything to clean. From then on neither ends the program by
/// itself.
///
/// Where signals cannot be listened for, the program runs until it is killed.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn interrupted() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    let mut signals = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    };
    async move {
        #[cfg(unix)]
        if let (Ok(interrupt), Ok(terminate)) = (&mut signals.0, &mut signals.1) {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
