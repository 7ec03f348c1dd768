use super::{
    super::{Inner, Redis, schema},
    question::Question,
    told::Told,
};
use crate::{
    eventual::Eventual,
    key::Key,
    otp::{
        Arrival, Arrived, Attempt, Challenges, Conclusion, Dispatch, Issue, Resend, Rules, Sent,
        Verdict, Verified, fraud::Traffic, sender::Checked,
    },
    store::{Standing, StoreError, question},
};
use smallvec::SmallVec;
use std::sync::Arc;

impl Challenges for Redis {
    fn issue(&self, issue: Issue) -> Eventual<Result<Dispatch, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { question::one(inner.issue(&issue)).await })
    }

    fn resend(&self, resend: Resend) -> Eventual<Result<Dispatch, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { question::one(inner.resend(&resend)).await })
    }

    fn verify(&self, attempt: Attempt) -> Eventual<Result<Verified, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { question::one(inner.verify(&attempt)).await })
    }

    fn arrive(&self, arrival: Arrival, rules: Rules) -> Eventual<Result<Arrived, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { question::one(inner.arrived(arrival, &rules)).await })
    }

    fn conclude(&self, conclusion: Conclusion) -> Eventual<Result<Verified, StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { question::one(inner.conclude(&conclusion)).await })
    }

    fn traffic(&self) -> Option<&dyn Traffic> {
        Some(self)
    }

    fn give_back(&self, sent: Sent) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.give_back(sent).await })
    }

    fn forget(&self, phone: Key, device: Option<Key>) -> Eventual<Result<(), StoreError>> {
        let inner = Arc::clone(&self.0);
        Eventual::later(async move { inner.forget(phone, device).await })
    }
}

impl Inner {
    async fn issue(&self, issue: &Issue) -> Result<Dispatch, StoreError> {
        let Issue { arrival, phone, challenge, device, code, sealed, rules } = issue;
        let question = Question {
            arrival: *arrival,
            phone: *phone,
            device: *device,
            challenge: *challenge,
            code: code.as_ref(),
            rules,
        };
        let client = match self.enter(&question).await? {
            Ok(client) => client,
            Err(refused) => return Ok(refused),
        };
        let mut call = self.scripts.logins.issue.call();
        question.write(self.schema, &mut call, self.now(), true, rules.refusals)?;
        call.bytes(sealed.as_bytes());
        let of = question.subjects();
        let told = Told::read(self.link.run(call).await?, |told| told.dispatch(of))?;
        Ok(Dispatch { client: told.client.or(client), ..told })
    }

    async fn resend(&self, resend: &Resend) -> Result<Dispatch, StoreError> {
        let Resend { arrival, phone, challenge, device, ref code, ref rules } = *resend;
        let code = Some(code);
        let question = Question { arrival, phone, device, challenge, code, rules };
        let client = match self.enter(&question).await? {
            Ok(client) => client,
            Err(refused) => return Ok(refused),
        };
        let mut call = self.scripts.logins.resend.call();
        question.write(self.schema, &mut call, self.now(), true, rules.refusals)?;
        let of = question.subjects();
        let told = Told::read(self.link.run(call).await?, |told| told.dispatch(of))?;
        Ok(Dispatch { client: told.client.or(client), ..told })
    }

    async fn verify(self: &Arc<Self>, attempt: &Attempt) -> Result<Verified, StoreError> {
        let Attempt { arrival, phone, challenge, device, ref code, ref rules } = *attempt;
        let code = Some(code);
        let question = Question { arrival, phone, device, challenge, code, rules };
        if self.schema.has_tags
            && let Some((key, remaining)) = self.blocked(arrival).await?
        {
            let outcome = Verdict::Blocked { key, remaining };
            return Ok(Verified { outcome, started: SmallVec::new() });
        }
        let mut call = self.scripts.logins.verify.call();
        question.write(self.schema, &mut call, self.now(), false, rules.wrong_codes)?;
        let of = question.subjects();
        let mut told = Told::read(self.link.run(call).await?, |told| told.verified(of))?;
        if matches!(told.outcome, Verdict::Wrong { .. } | Verdict::OtherDevice { .. }) {
            self.strike_for(arrival, rules.wrong_codes, &mut told).await?;
        }
        Ok(told)
    }

    async fn conclude(self: &Arc<Self>, conclusion: &Conclusion) -> Result<Verified, StoreError> {
        let Conclusion { arrival, phone, challenge, device, attempt, guess, said, ref rules } =
            *conclusion;
        let question = Question { arrival, phone, device, challenge, code: None, rules };
        let mut call = self.scripts.logins.conclude.call();
        question.write(self.schema, &mut call, self.now(), false, rules.wrong_codes)?;
        call.number(attempt).micros(guess.at).number(i64::from(guess.bound));
        call.number(match said {
            None => 0,
            Some(Checked::Right) => 1,
            Some(Checked::Wrong) => 2,
        });
        let of = question.subjects();
        let mut told = Told::read(self.link.run(call).await?, |told| told.verified(of))?;
        if said == Some(Checked::Wrong) {
            self.strike_for(arrival, rules.wrong_codes, &mut told).await?;
        }
        Ok(told)
    }

    /// Counts the arrival beforehand, where it is not for the script to do.
    async fn enter(
        &self,
        question: &Question<'_>,
    ) -> Result<Result<Option<Standing>, Dispatch>, StoreError> {
        if self.schema.has_tags { self.arrive(question).await } else { Ok(Ok(None)) }
    }

    async fn give_back(&self, sent: Sent) -> Result<(), StoreError> {
        let mut call = self.scripts.logins.give_back.call();
        call.key(&self.schema.phone(sent.phone)).key(&self.schema.codes(sent.phone));
        call.micros(self.now());
        call.text(&schema::hex(&sent.challenge.0)).number(sent.number);
        let _given: bool = self.link.run(call).await?;
        Ok(())
    }

    async fn forget(&self, phone: Key, device: Option<Key>) -> Result<(), StoreError> {
        let mut call = self.scripts.logins.forget.call();
        call.key(&self.schema.devices(phone)).micros(self.now());
        call.text(&device.map(|device| device.to_string()).unwrap_or_default());
        let _forgotten: bool = self.link.run(call).await?;
        Ok(())
    }
}
