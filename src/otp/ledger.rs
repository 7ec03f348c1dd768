use super::{DeviceId, Found, OptOuts, Secrets, Subject, Subjects};
use crate::{
    clock::{Clock, UnixTime},
    eventual::Eventual,
    phone::Phone,
    records::{Binding, BindingId, Bound, Device, Records, Relinked, SealedPhone, Told, Unopened},
    store::StoreError,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::OnceCell;

/// Records as a login uses them: with numbers and ids going in and coming out, and nothing of them being kept.
///
/// A subject is 16 random bytes in base64url. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger(Arc<Inner>);

struct Inner {
    records: Arc<dyn Records>,
    secrets: Secrets,
    time: Arc<dyn Clock>,
    opened: OnceCell<()>,
    /// When opening failed last, and how.
    failed: Mutex<Option<(Duration, Unopened)>>,
}

/// Whoever waited for somebody else's failure does not begin to wait anew.
const RETRY: Duration = Duration::from_secs(1);

impl Ledger {
    pub(super) fn new(records: Arc<dyn Records>, secrets: Secrets, time: Arc<dyn Clock>) -> Self {
        let (opened, failed) = (OnceCell::new(), Mutex::new(None));
        Self(Arc::new(Inner { records, secrets, time, opened, failed }))
    }

    /// Opens the records, once.
    pub(super) async fn open(&self) -> Result<(), Unopened> {
        let inner = &*self.0;
        let mark =
            inner.secrets.records_mark().ok_or_else(|| Unopened::Unavailable(no_library()))?;
        let open = || async {
            if let Some(failure) = inner.failed_just_now() {
                return Err(failure);
            }
            let told = inner.records.open(mark).await;
            *inner.failed() = told.clone().err().map(|failure| (inner.time.ticks(), failure));
            told
        };
        inner.opened.get_or_try_init(open).await.copied()
    }

    /// Whether they answer, so that a code is not used up for nothing.
    pub(super) async fn ready(&self) -> Result<(), StoreError> {
        self.open().await?;
        self.0.records.ready().await
    }

    /// Notes a login of a subject from a device; `joins` says whether the subject was there before.
    pub(super) async fn bind(
        &self,
        subject: &Subject,
        device: &DeviceId,
        joins: bool,
    ) -> Result<Bound, StoreError> {
        let binding = Binding {
            id: BindingId::random().ok_or_else(no_bytes)?,
            subject: subject.clone(),
            device: self.0.secrets.device_tag(device).ok_or_else(no_library)?,
            now: self.0.time.wall(),
            joins,
        };
        self.asked(|records| records.bind(binding)).await
    }

    pub(super) async fn devices(&self, subject: &Subject) -> Result<Vec<Device>, StoreError> {
        let subject = subject.clone();
        self.asked(|records| records.devices(subject)).await
    }

    pub(super) async fn unbind(
        &self,
        subject: &Subject,
        id: BindingId,
    ) -> Result<bool, StoreError> {
        let subject = subject.clone();
        self.asked(move |records| records.unbind(subject, id)).await
    }

    pub(super) async fn erase(&self, subject: &Subject) -> Result<bool, StoreError> {
        let subject = subject.clone();
        self.asked(|records| records.erase(subject)).await
    }

    /// Asks the records once they are open: at once, where nothing has to be waited for.
    fn asked<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Records) -> Told<T> + Send + 'static,
    ) -> Told<T> {
        if self.0.opened.initialized() {
            return ask(&*self.0.records);
        }
        let this = self.clone();
        Eventual::later(async move {
            this.open().await?;
            ask(&*this.0.records).await
        })
    }

    fn sealed(&self, phone: &Phone, subject: &Subject) -> Result<SealedPhone, StoreError> {
        self.0.secrets.seal_phone(phone, subject).ok_or_else(no_library)
    }

    fn drawn(&self, phone: &Phone) -> Result<(SealedPhone, Subject), StoreError> {
        let subject = draw().ok_or_else(no_bytes)?;
        Ok((self.sealed(phone, &subject)?, subject))
    }
}

impl Inner {
    fn failed_just_now(&self) -> Option<Unopened> {
        let (at, failure) = self.failed().clone()?;
        (self.time.ticks() < at + RETRY).then_some(failure)
    }

    fn failed(&self) -> MutexGuard<'_, Option<(Duration, Unopened)>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subjects for Ledger {
    fn find(&self, phone: &Phone) -> Told<Option<Subject>> {
        match self.0.secrets.phone_tag(phone) {
            Some(tag) => self.asked(move |records| records.find(tag)),
            None => Eventual::Ready(Err(no_library())),
        }
    }

    fn find_or_create(&self, phone: &Phone) -> Told<Found> {
        let now = self.0.time.wall();
        match self.drawn(phone) {
            Ok((phone, subject)) => {
                self.asked(move |records| records.find_or_create(phone, subject, now))
            }
            Err(error) => Eventual::Ready(Err(error)),
        }
    }

    fn phone(&self, subject: &Subject) -> Told<Option<Phone>> {
        let (secrets, subject) = (self.0.secrets.clone(), subject.clone());
        let asked = subject.clone();
        self.asked(|records| records.phone(asked)).map(move |told| {
            // Sealed by these secrets, as the mark was theirs.
            let told = told?.map(|kept| secrets.open_phone(&kept.sealed, &subject));
            told.map(|phone| phone.ok_or_else(no_library)).transpose()
        })
    }

    fn relink(&self, subject: &Subject, from: &Phone, to: &Phone) -> Told<Relinked> {
        let (now, subject) = (self.0.time.wall(), subject.clone());
        match (self.0.secrets.phone_tag(from), self.sealed(to, &subject)) {
            (Some(from), Ok(to)) => {
                self.asked(move |records| records.relink(subject, from, to, now))
            }
            _ => Eventual::Ready(Err(no_library())),
        }
    }

    fn phone_changed_at(&self, subject: &Subject) -> Told<Option<UnixTime>> {
        let subject = subject.clone();
        let told = self.asked(|records| records.phone(subject));
        told.map(|told| Ok(told?.and_then(|kept| kept.changed_at)))
    }
}

impl OptOuts for Ledger {
    fn is_out(&self, phone: &Phone) -> Told<bool> {
        match self.0.secrets.phone_tag(phone) {
            Some(tag) => self.asked(move |records| records.is_opted_out(tag)),
            None => Eventual::Ready(Err(no_library())),
        }
    }

    fn set(&self, phone: &Phone, is_out: bool) -> Told<bool> {
        let Some(tag) = self.0.secrets.phone_tag(phone) else {
            return Eventual::Ready(Err(no_library()));
        };
        if !is_out {
            return self.asked(move |records| records.opt_in(tag));
        }
        let (this, now) = (self.clone(), self.0.time.wall());
        self.asked(move |records| records.is_opted_out(tag)).then(move |was| match was {
            Ok(false) => {
                this.asked(move |records| records.opt_out(tag, now)).map(|told| told.map(|()| true))
            }
            told => Eventual::Ready(told.map(|_| false)),
        })
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ledger").field(&self.0.records).finish()
    }
}

fn draw() -> Option<Subject> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Subject::new(&URL_SAFE_NO_PAD.encode(bytes))
}

fn no_bytes() -> StoreError {
    StoreError::new("the system gave no random bytes")
}

fn no_library() -> StoreError {
    StoreError::new("OpenSSL failed")
}
