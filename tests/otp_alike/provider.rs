//! A provider that answers when a test says so.

use portcullis::{
    CodeSender,
    eventual::BoxFuture,
    otp::sender::{Message, SendError, Taken},
};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot::{Sender, channel};

/// The messages that wait for their answer, the oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provider(Arc<Mutex<Vec<Waiting>>>);

type Waiting = Sender<Result<(), SendError>>;

impl Provider {
    /// Answers the message that waits, and lets the courier do all it can.
    pub(crate) async fn answer(&self, outcome: Result<(), SendError>) {
        let waiting = self.0.lock().unwrap().remove(0);
        waiting.send(outcome).unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

impl CodeSender for Provider {
    fn send(&self, _: Message) -> BoxFuture<'static, Result<Taken, SendError>> {
        let (answer, answered) = channel();
        self.0.lock().unwrap().push(answer);
        Box::pin(async move { answered.await.unwrap().map(|()| Taken::new()) })
    }
}
