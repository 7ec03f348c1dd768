use super::{
    CodeSender, OptOuts, Sent,
    courier::{Ended, OnEnd},
    receipts::{Answers, Tracker},
    sender::{Reported, SendError},
};
use crate::{
    audit::{self, Act, Event, Sink, Step},
    phone::Phone,
};
use std::sync::Arc;

/// What writes down and tells how messages ended.
#[derive(Clone)]
pub(super) struct Ends {
    pub(super) tracker: Arc<Tracker>,
    pub(super) answers: Answers,
    pub(super) sender: Arc<dyn CodeSender>,
    /// Where providers are believed that an owner wants no messages.
    pub(super) opt_outs: Option<Arc<dyn OptOuts>>,
    pub(super) sink: Option<Arc<dyn Sink>>,
}

impl Ends {
    pub(super) fn follow(self) -> OnEnd {
        Box::new(move |ended| {
            let this = self.clone();
            Box::pin(async move { this.note(ended).await })
        })
    }

    async fn note(&self, Ended { message, errand, outcome }: Ended) {
        let Some(message) = message else {
            return self.tracker.feigned(&errand, outcome.is_err()).await;
        };
        let reported = self.tracker.ended(&errand, &outcome).await;
        if let Ok(taken) = &outcome {
            self.answers.await_for(&errand, taken).await;
        }
        self.tell(
            errand.sent,
            match outcome {
                Ok(_) => Step::CodeSent,
                Err(SendError::Misconfigured) => Step::SenderRefused,
                Err(_) => Step::CodeNotSent,
            },
        );
        if let Err(SendError::OptedOut) = outcome {
            self.opt_out(errand.sent, &message.to).await;
        }
        // A report can come before the answer it is about.
        if let (Some(arrived), Ok(taken)) = (reported, outcome) {
            let step = if arrived { Step::CodeDelivered } else { Step::CodeUndelivered };
            self.tell(errand.sent, step);
            if let (Some(via), true) = (taken.via, arrived) {
                self.sender.reported(&Reported { via, to: message.to, arrived });
            }
        }
    }

    /// What is not kept now is said again by the provider, when the next message is to go there.
    async fn opt_out(&self, sent: Sent, phone: &Phone) {
        if let Some(opt_outs) = &self.opt_outs
            && opt_outs.set(phone, true).await == Ok(true)
        {
            self.tell(sent, Step::OptedOut);
        }
    }

    fn tell(&self, sent: Sent, step: Step) {
        let act = Act::Login { step, key: sent.phone, attempt: None };
        audit::record(self.sink.as_deref(), Event::new(act));
    }
}
