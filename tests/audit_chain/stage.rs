//! A log of a test's own with a key, in each form that there is.

use crate::{
    folder::Folder as Place,
    form::{Form, Server},
};
use portcullis::{
    Key, Reason,
    audit::{
        Act, Event, Sink, Step,
        chain::{Archive, Broken, Chain, ChainBuilder, Fault, Filter, Report, VerifyError},
    },
    clock::{ManualClock, UnixTime},
    jwt::{Algorithm, Keys},
    key::{KeyKind, Pepper},
    token::{KeyFile, NewKey},
};
use serde_json::Value;
use std::{fs, net::IpAddr, slice, sync::Arc};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const CLIENT: &str = "203.0.113.7";

pub(crate) fn tag(kind: KeyKind, name: &str) -> Key {
    Pepper::new(&[7; 32]).unwrap().tag(kind, &[name.as_bytes()])
}

pub(crate) fn client(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

pub(crate) fn step(step: Step, key: Key) -> Event {
    Event::new(Act::Login { step, key, attempt: Some(2) }).client(client(CLIENT))
}

pub(crate) fn refused(reason: Reason) -> Event {
    Event::new(Act::Refused(reason)).client(client(CLIENT)).layer("otp")
}

pub(crate) fn events(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["event"].as_str().unwrap()).collect()
}

/// A log with a key.
pub(crate) struct Stage {
    pub(crate) place: Place,
    pub(crate) keys: KeyFile,
    pub(crate) clock: ManualClock,
    pub(crate) form: Form,
}

impl Stage {
    /// One of each form.
    pub(crate) fn each() -> Vec<Self> {
        let mut each = vec![Self::files(), Self::sqlite()];
        if let Some(server) = Server::shared() {
            each.push(Self::postgres(&server));
        }
        each
    }

    pub(crate) fn files() -> Self {
        Self::of(|place| Form::Files(place.path("audit")))
    }

    pub(crate) fn sqlite() -> Self {
        Self::of(|place| Form::Sqlite(place.path("audit.sqlite")))
    }

    pub(crate) fn postgres(server: &Arc<Server>) -> Self {
        Self::of(|_| Form::postgres(server))
    }

    /// Another one of its form.
    pub(crate) fn another(&self) -> Self {
        match &self.form {
            Form::Files(_) => Self::files(),
            Form::Sqlite(_) => Self::sqlite(),
            Form::Postgres(server, _) => Self::postgres(server),
        }
    }

    pub(crate) fn is_files(&self) -> bool {
        matches!(self.form, Form::Files(_))
    }

    fn of(form: impl FnOnce(&Place) -> Form) -> Self {
        let place = Place::new("chain");
        let file = place.path("audit.jwks");
        NewKey::generate(Algorithm::ES256).unwrap().write_set(&file).unwrap();
        let clock = ManualClock::at(UnixTime::from_secs(NOW));
        let keys = KeyFile::open(file).unwrap().clock(clock.clone());
        Self { keys, form: form(&place), place, clock }
    }

    pub(crate) fn builder(&self) -> ChainBuilder {
        let copy = self.place.path("copy.jws");
        self.form.chain(&copy).sign(&self.keys).unwrap().clock(self.clock.clone())
    }

    /// Records events and lets the log end.
    pub(crate) async fn record(&self, events: impl IntoIterator<Item = Event>) {
        let (chain, writer) = self.builder().build();
        record(chain, events);
        writer.run().await;
    }

    pub(crate) fn archive(&self) -> Archive {
        let copy = self.place.path("copy.jws");
        let archive = self.form.archive();
        if copy.exists() { archive.checkpoints(copy) } else { archive }
    }

    pub(crate) async fn verify(&self) -> Result<Report, Broken> {
        self.verify_with(&self.public()).await
    }

    pub(crate) async fn verify_with(&self, keys: &Keys) -> Result<Report, Broken> {
        match self.archive().verify(slice::from_ref(keys)).await {
            Ok(mut reports) => {
                assert_eq!(reports.len(), 1);
                Ok(reports.remove(0))
            }
            Err(VerifyError::Broken(broken)) => Err(broken),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn public(&self) -> Keys {
        Keys::ever(&self.key_text()).unwrap()
    }

    /// What is in the file of the keys.
    pub(crate) fn key_text(&self) -> String {
        fs::read_to_string(self.place.path("audit.jwks")).unwrap()
    }

    /// Where it is broken, as number of the line and fault.
    pub(crate) async fn fault(&self) -> (Option<u64>, Fault) {
        let broken = self.verify().await.unwrap_err();
        (broken.place.map(|place| place.number()), broken.fault)
    }

    pub(crate) async fn export(&self, filter: &Filter) -> Vec<Value> {
        let mut out = Vec::new();
        let count = self.archive().export(filter, &mut out).await.unwrap();
        let rows = String::from_utf8(out).unwrap();
        let rows: Vec<_> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        assert_eq!(rows.len() as u64, count);
        rows
    }
}

/// Records events, and nothing after them.
pub(crate) fn record(chain: Chain, events: impl IntoIterator<Item = Event>) {
    events.into_iter().for_each(|event| chain.record(event));
    drop(chain);
}
