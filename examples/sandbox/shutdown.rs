//! What ends the sandbox: SIGTERM, SIGINT, and the end of stdin if that was asked for.

use std::future::Future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// The handlers are in place when this returns; the future resolves once the end was asked for.
pub fn asked(with_stdin: bool) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stdin_ended = with_stdin.then(stdin_ended);
    Ok(async move {
        let stdin_ended = async {
            match stdin_ended {
                // An error means that the thread is gone, and it goes only when stdin has ended.
                Some(ended) => drop(ended.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = stdin_ended => {}
        }
    })
}

/// A thread of its own: a blocking read of stdin must not hold up the runtime's end.
fn stdin_ended() -> oneshot::Receiver<()> {
    let (sender, ended) = oneshot::channel();
    std::thread::spawn(move || {
        // At the end of the input or on an error the parent is gone.
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
        let _ = sender.send(());
    });
    ended
}
