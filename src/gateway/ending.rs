//! How a gateway ends: connections, then what was promised to their clients, then the logs.

use super::{Gateway, ears::Ears};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

/// What connections are told.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Stage {
    Serving,
    /// What is under way is answered, and nothing more.
    Ending,
    /// Whatever is under way is given up.
    Over,
}

/// What goes on until nobody is left to ask for it, each with a time of its own: who stalls takes none from the others.
pub(super) struct Chores {
    courier: Option<JoinHandle<()>>,
    /// What writes the audit log and what posts alerts and events, the courier's own included.
    ears: Vec<JoinHandle<()>>,
}

/// For requests under way when the gateway is told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// For connections to go once they are cut.
const CUT: Duration = Duration::from_secs(1);
/// For messages that were promised to leave.
const COURIER: Duration = Duration::from_secs(10);
/// For the last rows and their checkpoint, and for alerts.
const EARS: Duration = Duration::from_secs(6);

impl Chores {
    pub(super) fn of(gateway: &mut Gateway) -> Self {
        let courier = gateway.courier().map(|courier| tokio::spawn(courier.run()));
        Self { courier, ..Self::of_ears(&mut gateway.ears) }
    }

    /// Those of who has nothing but these.
    pub(super) fn of_ears(ears: &mut Ears) -> Self {
        let mut listening = Vec::new();
        if let Some(writer) = ears.writer.take() {
            listening.push(tokio::spawn(writer.run()));
        }
        if let Some(herald) = ears.herald.take() {
            listening.push(tokio::spawn(herald.run()));
        }
        if let Some(forwarding) = ears.forwarding.take() {
            listening.push(tokio::spawn(forwarding.run()));
        }
        Self { courier: None, ears: listening }
    }

    /// Waits for the connections, and cuts those that stall; then for the rest.
    pub(super) async fn after(self, connections: watch::Sender<Stage>) {
        connections.send_replace(Stage::Ending);
        if timeout(DRAIN, connections.closed()).await.is_err() {
            connections.send_replace(Stage::Over);
            let _ = timeout(CUT, connections.closed()).await;
        }
        self.end().await;
    }

    /// To be called when the last handle of the gateway is gone. With it the courier ends, and with the courier the ears do.
    pub(super) async fn end(mut self) {
        if let Some(mut courier) = self.courier.take()
            && timeout(COURIER, &mut courier).await.is_err()
        {
            courier.abort();
        }
        let _ = timeout(EARS, join_all(self.ears)).await;
    }
}

/// Ready when connections are told of a stage, or nobody tells them anything any more.
pub(super) async fn reached(told: &mut watch::Receiver<Stage>, stage: Stage) {
    let _ = told.wait_for(|now| *now >= stage).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::sync::{mpsc, oneshot};

    #[tokio::test(start_paused = true)]
    async fn who_stalls_takes_no_time_from_the_others() {
        let (connections, mut told) = watch::channel(Stage::Serving);
        let (login, mut asked) = mpsc::channel::<()>(1);
        let (log, mut events) = mpsc::channel::<()>(1);
        let (closed, is_closed) = oneshot::channel();
        // A client that never takes its answer, a provider that never answers, and the log.
        let stalled = tokio::spawn(async move {
            let _login = login;
            reached(&mut told, Stage::Over).await;
        });
        let courier = tokio::spawn(async move {
            let _log = log;
            asked.recv().await;
            pending::<()>().await;
        });
        let writer = tokio::spawn(async move {
            events.recv().await;
            let _ = closed.send(());
        });
        let ended = Chores { courier: Some(courier), ears: vec![writer] }.after(connections);
        // Who waits for ever fails here, and does not hang.
        let bound = DRAIN + CUT + COURIER + EARS;
        timeout(bound, ended).await.expect("each has its own time");
        assert!(stalled.is_finished());
        let is_closed = timeout(bound, is_closed).await.expect("the log is closed by then");
        assert_eq!(is_closed, Ok(()), "the log is closed");
    }
}
