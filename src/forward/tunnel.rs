//! After `101 Switching Protocols` (RFC 9110 §7.8): bytes both ways until one side or the session
//! ends.

use super::pulse::Pulse;
use crate::session::{Endings, Mark};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;

/// Joins the two sides once the server side has sent the 101. The sockets keep counting as
/// connections, here and on the listener, until the tunnel ends.
pub(super) fn join(
    client: OnUpgrade,
    upstream: OnUpgrade,
    pulse: Arc<Pulse>,
    idle: Duration,
    (endings, owner): (Endings, Mark),
) {
    tokio::spawn(async move {
        let (mut client, mut upstream) = match tokio::try_join!(client, upstream) {
            Ok((client, upstream)) => (TokioIo::new(client), TokioIo::new(upstream)),
            Err(error) => {
                tracing::debug!(error = %error, "a change of protocol was not completed");
                return;
            }
        };
        let copy = tokio::io::copy_bidirectional(&mut client, &mut upstream);
        tokio::select! {
            result = copy => {
                if let Err(error) = result {
                    tracing::debug!(error = %error, "a tunnel was cut");
                }
            }
            () = endings.over(owner) => {
                tracing::debug!("a tunnel was cut, because its session has ended");
            }
            () = silent(&pulse, idle) => tracing::debug!("a silent tunnel was closed"),
        }
    });
}

/// Ends when nothing has moved for that long. Every byte of either direction passes over the
/// upstream's socket, which keeps the clock.
async fn silent(pulse: &Pulse, idle: Duration) {
    while let Some(left) = idle
        .checked_sub(pulse.silence())
        .filter(|left| !left.is_zero())
    {
        tokio::time::sleep(left).await;
    }
}
