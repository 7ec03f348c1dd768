use super::{
    accept::accept,
    ages::SecretAges,
    config::{Config, StoreConfig, Trust},
    ears::Ears,
    ending::{Chores, Stage},
    exporter::Exporter,
    key_watch::KeyWatch,
    listeners::Listeners,
    lockdown::Lockdown,
    login,
    places::Places,
    readiness::Readiness,
    routes::Routes,
};
use crate::{
    block::AddressRules,
    client::Clients,
    error::ConfigError,
    jwt::KeyRefresh,
    otp::{Courier, Origins, Otp, Subject},
    records::Unopened,
    security_headers::SecurityHeadersLayer,
    store::SharedStore,
};
use std::{
    future::{Future, pending},
    pin::pin,
    time::Duration,
};
use tokio::{select, sync::watch, task::JoinSet, time::sleep};
use tower_http::cors::CorsLayer;

/// A gateway that is ready to serve.
#[derive(Debug)]
pub struct Gateway {
    pub(super) clients: Clients,
    pub(super) denied: Option<AddressRules>,
    pub(super) headers: SecurityHeadersLayer,
    pub(super) cors: Option<CorsLayer>,
    pub(super) routes: Routes,
    /// Whose pages may use the cookies, where tokens are in cookies.
    pub(super) origins: Option<Origins>,
    otp: Option<Otp>,
    pub(super) courier: Option<Courier>,
    pub(super) key_watch: Option<KeyWatch>,
    pub(super) ages: SecretAges,
    warnings: Vec<String>,
    pub(super) key_refreshes: Vec<KeyRefresh>,
    store: StoreConfig,
    pub(super) readiness: Readiness,
    pub(super) lockdown: Lockdown,
    drain: Duration,
    /// Where there is a listener for operators.
    pub(super) exporter: Option<Exporter>,
    pub(super) ears: Ears,
}

const MAX_CONNECTIONS: usize = 10_000;
/// Of one peer that is no proxy, so that nobody takes all places.
const MAX_OF_PEER: usize = 1_000;
/// On the admin listener.
const MAX_OPERATORS: usize = 64;

impl Gateway {
    /// Wires the parts that a configuration names, over the store that it names.
    ///
    /// # Errors
    ///
    /// When the system does not do its part, such as random bytes. What the configuration says was checked. With
    /// `[listen] admin` also when this process has another recorder of [`metrics`](crate::metrics).
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Self::over(config, Ears::open(config)?)
    }

    pub(super) fn over(config: &Config, ears: Ears) -> Result<Self, ConfigError> {
        let exporter = config.admin().map(|_| Exporter::install()).transpose();
        let exporter = exporter.map_err(|error| error.within("[listen] admin"))?;
        let shared = config.store.told_to(ears.sink());
        let store = shared.open();
        let (verifier, keys, key_refreshes) = match &config.trust {
            Some(trust) => {
                let Trust { verifier, keys, refreshes } = trust.open()?;
                (Some(verifier), keys, refreshes)
            }
            None => (None, Vec::new(), Vec::new()),
        };
        let lockdown = Lockdown::open(config, &store, ears.sink());
        let (otp, login, courier) = match &config.login {
            Some(login) => login::build(config, login, store.clone(), &lockdown, ears.sink())
                .map(|(otp, login, courier)| (Some(otp), Some(login), Some(courier)))?,
            None => (None, None, None),
        };
        let readiness = Readiness::new(shared.clone(), keys, otp.clone());
        Ok(Self {
            clients: config.clients.clone(),
            denied: config.denied.clone(),
            headers: config.headers.clone(),
            cors: config.cors.clone(),
            routes: Routes::new(
                config,
                &(store as SharedStore),
                verifier.as_ref(),
                lockdown.limits(),
                readiness.clone(),
                login,
            ),
            origins: config.login.as_ref().and_then(|login| Some(login.cookies.clone()?.1)),
            otp,
            courier,
            key_watch: config.key_watch.clone(),
            ages: config.ages.clone(),
            warnings: config.warnings.clone(),
            key_refreshes,
            store: shared,
            readiness,
            lockdown,
            drain: config.drain,
            exporter,
            ears,
        })
    }

    /// Looks at the store before anything is served, for two seconds at most, and opens the records and an audit log in tables. A store that does not answer is no reason not to
    /// start, and neither is one that may forget what it is given outside the profile `banking`: both are warnings in the log.
    /// So is what the profile `dev` alone allows. Records and tables that do not answer are opened when they do.
    ///
    /// # Errors
    ///
    /// When the store answers and cannot be used, such as a server that is too old or refuses the password; and when the
    /// records cannot, such as those of a newer version or of another pepper, or the audit log, which another process writes.
    pub async fn check(&self) -> Result<(), ConfigError> {
        for warning in self.warnings.iter().chain(&self.ages.tell()) {
            tracing::warn!("{warning}");
        }
        if let Some(warning) = self.store.check().await.map_err(|error| error.within("[store]"))? {
            tracing::warn!("[store]: {warning}");
        }
        self.ears.prepare().await?;
        match &self.otp {
            Some(otp) => open_records(otp).await,
            None => Ok(()),
        }
    }

    /// Forgets a subject of the login; see [`Otp::erase`]. Opens the records, if nothing has yet.
    ///
    /// # Errors
    ///
    /// When there is no login, the records cannot be opened, or they or the store do not answer.
    pub async fn erase(&self, subject: &Subject) -> Result<bool, ConfigError> {
        let failed = |_| ConfigError::new("the records or the store do not answer: try it again");
        self.opened().await?.erase(subject).await.map_err(failed)
    }

    /// The login, with its records open.
    pub(super) async fn opened(&self) -> Result<&Otp, ConfigError> {
        let otp = self.login()?;
        let unopened = |error: Unopened| ConfigError::new(error.to_string()).within("[records]");
        otp.open_records().await.map_err(unopened)?;
        Ok(otp)
    }

    pub(super) fn login(&self) -> Result<&Otp, ConfigError> {
        self.otp.as_ref().ok_or_else(|| ConfigError::new("there is no [otp] section"))
    }

    /// Serves until `shutdown` is ready, and for `drain` of `[listen]` after that, in which `/readyz` sends requests elsewhere.
    /// Then lets requests under way end, for ten seconds at most; then messages that were promised leave, for ten more, and the
    /// audit log is closed.
    pub async fn serve(
        mut self,
        listeners: impl Into<Listeners>,
        shutdown: impl Future<Output = ()>,
    ) {
        let Listeners { public, admin } = listeners.into();
        let (stop, stopped) = watch::channel(Stage::Serving);
        let chores = Chores::of(&mut self);
        // Ends with this function, or with who gives it up: nobody waits for keys any more then.
        let mut keys: JoinSet<()> = self.key_refreshes().into_iter().map(KeyRefresh::run).collect();
        for watch in [self.key_watch(), self.audit_key_watch()].into_iter().flatten() {
            keys.spawn(watch.run());
        }
        keys.spawn(self.ages().run());
        {
            let places = Places::new(MAX_CONNECTIONS, MAX_OF_PEER);
            let key = |peer| self.clients.of_connection(peer);
            let everybody = accept(public, places, key, self.service(), stopped.clone());
            let mut everybody = pin!(everybody);
            let operators = async {
                let Some(listener) = admin else { return pending().await };
                let places = Places::new(MAX_OPERATORS, MAX_OPERATORS);
                accept(listener, places, |_| None, self.admin(), stopped).await
            };
            let tidy = async {
                let Some(exporter) = &self.exporter else { return pending().await };
                exporter.keep_tidy().await
            };
            let end = async {
                shutdown.await;
                self.readiness.drain();
                sleep(self.drain).await;
            };
            select! {
                _ = &mut everybody => {}
                _ = operators => {}
                _ = tidy => {}
                // It tells what happens, so it must not outlive who listens.
                () = self.lockdown.watch().run() => {}
                () = end => {}
            }
        }
        drop(self);
        chores.after(stop).await;
    }
}

async fn open_records(otp: &Otp) -> Result<(), ConfigError> {
    match otp.open_records().await {
        Ok(()) => Ok(()),
        Err(Unopened::Refused(error)) => Err(error.within("[records]")),
        Err(Unopened::Unavailable(error)) => {
            tracing::warn!("[records]: nobody can log in yet: {error}");
            Ok(())
        }
    }
}
