use super::{
    Binding, BindingId, Bound, Device, KeptPhone, MOST_DEVICES, Mark, PhoneTag, Records, Relinked,
    SealedPhone, Told, Unopened, rows::other_secrets,
};
use crate::{
    clock::UnixTime,
    eventual::Eventual,
    otp::{Found, Subject},
    store::StoreError,
};
use foldhash::fast::RandomState;
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The records of a single process, gone when it ends: for development, and for services whose users live no longer than
/// the process.
///
/// A clone shares what is kept.
#[derive(Clone)]
pub struct MemoryRecords {
    kept: Arc<Mutex<Kept>>,
    most: usize,
}

#[derive(Default)]
struct Kept {
    mark: Option<Mark>,
    by_phone: HashMap<PhoneTag, Subject, RandomState>,
    phones: HashMap<Subject, (PhoneTag, KeptPhone), RandomState>,
    devices: HashMap<Subject, Vec<Device>, RandomState>,
    opt_outs: HashMap<PhoneTag, UnixTime, RandomState>,
}

impl MemoryRecords {
    /// No records, with room for a million subjects, and as many numbers that opted out.
    pub fn new() -> Self {
        Self { kept: Arc::default(), most: 1_000_000 }
    }

    /// No records, with room for another number of subjects. When all places are taken a number that is not known gets an
    /// error, for a user must never be forgotten.
    #[must_use]
    pub fn most(self, most: usize) -> Self {
        Self { most, ..Self::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, taken: usize) -> Result<(), StoreError> {
        let full = || StoreError::new("there is no room for another record");
        if taken < self.most { Ok(()) } else { Err(full()) }
    }

    fn create(&self, phone: SealedPhone, subject: Subject) -> Result<Found, StoreError> {
        let mut kept = self.lock();
        if let Some(subject) = kept.by_phone.get(&phone.tag) {
            return Ok(Found { subject: subject.clone(), is_new: false });
        }
        self.room(kept.by_phone.len())?;
        kept.by_phone.insert(phone.tag, subject.clone());
        let number = KeptPhone { sealed: phone.sealed, changed_at: None };
        kept.phones.insert(subject.clone(), (phone.tag, number));
        Ok(Found { subject, is_new: true })
    }

    fn keep(&self, binding: Binding) -> Result<Bound, StoreError> {
        let mut kept = self.lock();
        let subjects = kept.devices.len();
        let devices = match kept.devices.entry(binding.subject) {
            Entry::Occupied(devices) => devices.into_mut(),
            Entry::Vacant(place) => {
                self.room(subjects)?;
                place.insert(Vec::new())
            }
        };
        let known = devices.iter().find(|device| device.tag == binding.device).copied();
        let device = match known {
            Some(known) => Device { seen_at: binding.now, ..known },
            None => Device {
                id: binding.id,
                tag: binding.device,
                bound_at: binding.now,
                seen_at: binding.now,
                joined: binding.joins,
            },
        };
        devices.retain(|other| other.tag != device.tag);
        devices.insert(0, device);
        devices.truncate(MOST_DEVICES.into());
        Ok(Bound { device, is_new: known.is_none() })
    }
}

impl Default for MemoryRecords {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    fn relink(
        &mut self,
        subject: &Subject,
        from: PhoneTag,
        to: SealedPhone,
        now: UnixTime,
    ) -> Relinked {
        let Some(own) = self.phones.get_mut(subject).filter(|(tag, _)| *tag == from) else {
            return Relinked::Nobody;
        };
        if self.by_phone.get(&to.tag).is_some_and(|other| other != subject) {
            return Relinked::Taken;
        }
        *own = (to.tag, KeptPhone { sealed: to.sealed, changed_at: Some(now) });
        self.by_phone.remove(&from);
        self.by_phone.insert(to.tag, subject.clone());
        Relinked::Moved
    }
}

impl Records for MemoryRecords {
    fn open(&self, mark: Mark) -> Eventual<Result<(), Unopened>> {
        let same = *self.lock().mark.get_or_insert(mark) == mark;
        Eventual::Ready(if same { Ok(()) } else { Err(other_secrets()) })
    }

    fn ready(&self) -> Told<()> {
        Eventual::Ready(Ok(()))
    }

    fn find(&self, phone: PhoneTag) -> Told<Option<Subject>> {
        Eventual::Ready(Ok(self.lock().by_phone.get(&phone).cloned()))
    }

    fn find_or_create(&self, phone: SealedPhone, subject: Subject, _: UnixTime) -> Told<Found> {
        Eventual::Ready(self.create(phone, subject))
    }

    fn phone(&self, subject: Subject) -> Told<Option<KeptPhone>> {
        Eventual::Ready(Ok(self.lock().phones.get(&subject).map(|(_, phone)| phone.clone())))
    }

    fn relink(
        &self,
        subject: Subject,
        from: PhoneTag,
        to: SealedPhone,
        now: UnixTime,
    ) -> Told<Relinked> {
        Eventual::Ready(Ok(self.lock().relink(&subject, from, to, now)))
    }

    fn bind(&self, binding: Binding) -> Told<Bound> {
        Eventual::Ready(self.keep(binding))
    }

    fn devices(&self, subject: Subject) -> Told<Vec<Device>> {
        Eventual::Ready(Ok(self.lock().devices.get(&subject).cloned().unwrap_or_default()))
    }

    fn unbind(&self, subject: Subject, binding: BindingId) -> Told<bool> {
        let mut kept = self.lock();
        let Entry::Occupied(mut devices) = kept.devices.entry(subject) else {
            return Eventual::Ready(Ok(false));
        };
        let before = devices.get().len();
        devices.get_mut().retain(|device| device.id != binding);
        let left = devices.get().len();
        if left == 0 {
            devices.remove();
        }
        Eventual::Ready(Ok(left < before))
    }

    fn erase(&self, subject: Subject) -> Told<bool> {
        let mut kept = self.lock();
        let phone = kept.phones.remove(&subject);
        if let Some(phone) = &phone {
            kept.by_phone.remove(&phone.0);
        }
        let devices = kept.devices.remove(&subject);
        Eventual::Ready(Ok(phone.is_some() || devices.is_some()))
    }

    fn opt_out(&self, phone: PhoneTag, since: UnixTime) -> Told<()> {
        let mut kept = self.lock();
        let taken = kept.opt_outs.len();
        Eventual::Ready(match kept.opt_outs.entry(phone) {
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(place) => self.room(taken).map(|()| {
                place.insert(since);
            }),
        })
    }

    fn opt_in(&self, phone: PhoneTag) -> Told<bool> {
        Eventual::Ready(Ok(self.lock().opt_outs.remove(&phone).is_some()))
    }

    fn is_opted_out(&self, phone: PhoneTag) -> Told<bool> {
        Eventual::Ready(Ok(self.lock().opt_outs.contains_key(&phone)))
    }
}

impl fmt::Debug for MemoryRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRecords")
            .field("subjects", &self.lock().by_phone.len())
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otp::Sealed;

    fn phone(last: u8) -> SealedPhone {
        SealedPhone { tag: PhoneTag([last; 32]), sealed: Sealed::from_bytes(&[last]) }
    }

    #[test]
    fn when_it_is_full_who_is_known_stays_known_and_nobody_else_gets_in() {
        let records = MemoryRecords::new().most(1);
        let subject = |id| Subject::new(id).unwrap();
        let first = records.create(phone(1), subject("a")).unwrap();
        assert!(records.create(phone(2), subject("b")).is_err());
        let again = records.clone().create(phone(1), subject("c")).unwrap();
        assert_eq!(again, Found { subject: first.subject, is_new: false });
        assert_eq!(format!("{records:?}"), "MemoryRecords { subjects: 1, most: 1, .. }");
    }
}
