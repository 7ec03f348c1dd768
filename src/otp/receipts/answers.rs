use super::{Errand, Note};
use crate::{
    key::{Key, KeyKind},
    limit::Name,
    otp::{
        ChallengeId, Sent, SharedLoginStore,
        sender::{Answered, Taken},
    },
};

/// Which providers wait to hear that a code was right.
#[derive(Clone)]
pub(in crate::otp) struct Answers(SharedLoginStore);

impl Answers {
    pub(in crate::otp) fn new(store: SharedLoginStore) -> Self {
        Self(store)
    }

    /// Writes down who waits for the code of a message; of several of a challenge the last.
    pub(in crate::otp) async fn await_for(&self, errand: &Errand, taken: &Taken) {
        let Some(id) = &taken.awaits else { return };
        let Sent { phone, challenge, number } = errand.sent;
        let via = taken.via.map_or("", Name::as_str);
        let note = Note { rank: number.into(), text: format!("{via} {id}").into() };
        // Without it the provider hears nothing, and that is all.
        let _ = self.0.note(self.key(phone, challenge), note).await;
    }

    /// Who waits for the code of a challenge.
    pub(in crate::otp) async fn of(&self, phone: Key, challenge: ChallengeId) -> Option<Answered> {
        let note = self.0.noted(self.key(phone, challenge)).await.ok()??;
        let (via, id) = note.text.split_once(' ')?;
        Some(Answered { via: Name::new(via).ok(), id: id.into() })
    }

    fn key(&self, phone: Key, challenge: ChallengeId) -> Key {
        let parts: [&[u8]; 3] = [b"sms answer", phone.bytes(), &challenge.0];
        self.0.pepper().tag(KeyKind::Own, &parts)
    }
}
