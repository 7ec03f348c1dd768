//! The devices of a subject, and its end.

use super::{Caller, Otp, OwnDevice, Subject, login::Inner};
use crate::{
    audit::Step,
    clock::{Clock, UnixTime},
    key::{Key, phone_key},
    records::{BindingId, Bound, Device},
    rejection::{Reason, Rejection},
    token::{Session, SessionId},
};

impl Otp {
    /// The devices of a subject, the one that logged in last first; `current` is the session that asks.
    ///
    /// # Errors
    ///
    /// `store-unavailable`.
    pub async fn devices(
        &self,
        subject: &Subject,
        current: Option<SessionId>,
    ) -> Result<Vec<OwnDevice>, Rejection> {
        let devices = self.0.ledger.devices(subject).await?;
        let current = match current {
            Some(session) => self.0.store.session(session).await?.map(|session| session.device),
            None => None,
        };
        let own = |device: Device| OwnDevice { current: current == Some(device.tag.key()), device };
        Ok(devices.into_iter().map(own).collect())
    }

    /// Takes a device from its subject: its sessions end, and with the subject's phone it is a stranger's from then on. A code
    /// lets it in again, as a new one.
    ///
    /// # Errors
    ///
    /// `not-found` if the subject has no such device, whoever else has; `store-unavailable`: some of it may have happened, and
    /// it can be taken again.
    pub async fn revoke_device(
        &self,
        subject: &Subject,
        device: BindingId,
    ) -> Result<(), Rejection> {
        let inner = &*self.0;
        let devices = inner.ledger.devices(subject).await?;
        let found = devices.into_iter().find(|own| own.id == device).ok_or(Reason::NotFound)?;
        let key = found.tag.key();
        for session in inner.store.sessions(subject.as_str()).await? {
            if session.device == key {
                self.logout(session.id).await?;
            }
        }
        inner.forget(subject, Some(key)).await?;
        // Last, so that whoever was not answered finds it still there.
        if inner.ledger.unbind(subject, device).await? {
            inner.tell(None, Step::DeviceRevoked, inner.subject_key(subject.as_str()), None);
        }
        Ok(())
    }

    /// Forgets a subject: its sessions end, and its number and devices are gone from the records. The number is a new one
    /// when it comes next; that it opted out is kept. Answers whether there was anything to forget. Of subjects of
    /// your own only the devices are.
    ///
    /// # Errors
    ///
    /// `store-unavailable`: some of it may have happened, and it can be done again.
    pub async fn erase(&self, subject: &Subject) -> Result<bool, Rejection> {
        let inner = &*self.0;
        let ended = self.logout_all(subject).await?;
        inner.forget(subject, None).await?;
        let erased = inner.ledger.erase(subject).await?;
        if erased {
            inner.tell(None, Step::SubjectErased, inner.subject_key(subject.as_str()), None);
        }
        Ok(erased || ended > 0)
    }
}

impl Inner {
    /// Notes that a subject has logged in from the caller's device.
    pub(super) async fn bind(
        &self,
        caller: &Caller,
        subject: &Subject,
        is_new: bool,
    ) -> Result<Bound, Rejection> {
        let bound = self.ledger.bind(subject, &caller.device, !is_new).await?;
        if bound.is_new && !is_new {
            let key = self.subject_key(subject.as_str());
            self.tell(Some(caller), Step::DeviceJoined, key, None);
        }
        Ok(bound)
    }

    /// Until when the device of a session is new to its subject, if it is. One that is not known any more is as new as its session.
    pub(super) async fn device_new_until(
        &self,
        session: &Session,
        subject: &Subject,
    ) -> Result<Option<UnixTime>, Rejection> {
        let cool_off = self.settings.device_cool_off;
        if cool_off.is_zero() {
            return Ok(None);
        }
        let devices = self.ledger.devices(subject).await?;
        let known = devices.into_iter().find(|device| device.tag.key() == session.device);
        let since = match known {
            Some(device) if !device.joined => return Ok(None),
            Some(device) => device.bound_at,
            None => session.opened_at,
        };
        let until = since.plus(cool_off);
        Ok((until > self.issuer.time().wall()).then_some(until))
    }

    /// Has the store forget that a device, or any, has logged in with the subject's phone.
    async fn forget(&self, subject: &Subject, device: Option<Key>) -> Result<(), Rejection> {
        let Some(phone) = self.subjects.phone(subject).await? else { return Ok(()) };
        Ok(self.store.forget(phone_key(self.store.pepper(), &phone), device).await?)
    }
}
