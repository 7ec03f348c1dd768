//! The gateway: the layers of this crate, wired by a configuration.
//!
//! The program `portcullis` is this module and a command line. A server of your own can be wired the
//! same way:
//!
//! ```no_run
//! use portcullis::gateway::{Config, Gateway, Listeners};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load("portcullis.toml")?;
//! let gateway = Gateway::new(&config)?;
//! gateway.check().await?;
//! let listeners = Listeners::bind(&config).await?;
//! gateway.serve(listeners, async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await;
//! # Ok(()) }
//! ```
//!
//! # The order of things
//!
//! Security headers are outermost, so every answer carries them, and then CORS, where it is configured: pages that are listed can read
//! refusals, too. Then the client is found, and refused if its network is denied; the path is
//! checked and made normal, and the longest route that fits is taken. Each route is guarded by one
//! [`Portcullis`](crate::Portcullis) over one store. A path that no route names is 404, after the limits
//! that all routes share, or after all limits if they share none.
//!
//! The file of the signing keys is followed while the gateway runs, and the next key is made when it is due; see
//! [`KeyWatch`].
//!
//! `GET /healthz`, `GET /readyz` and, with a `[token]` section, `GET /.well-known/jwks.json` are always there and are not
//! limited; with a `[resource]` section, so are the metadata of the resource (RFC 9728), which every challenge of a route
//! names then. So is the page at `/` of a [`Demo`], which has security headers of its own.
//!
//! `/readyz` is 200 while this instance should get requests: `ready`, or `degraded` while the store does not answer
//! or the keys of an issuer are not there, or the records of a login do not answer, or each of its senders is left alone, which no other instance can help. It is 503 while the process ends.
//!
//! # For operators
//!
//! With `[listen] admin` there is a second listener, for `GET /metrics` in the text format of Prometheus
//! ([`metrics`](crate::metrics) is the manual), `/healthz` and `/readyz`. Nothing of it is limited or asks for a token, so it is
//! on loopback or a private address unless `admin_public = true` says otherwise. `/metrics` is never on the other listener.
//! Without it nothing is counted.
//!
//! # The audit log
//!
//! With an `[audit]` section every event is a row of a log that tells whether somebody changed it ([`chain`](crate::audit::chain) is the
//! manual), besides the line that it is in the log of the process. It is in files, or in tables of SQLite or PostgreSQL. With `[alerts]` or `[[alert]]` so much of something raises an alarm
//! ([`alerts`](crate::audit::alerts)).
//!
//! # Bounds
//!
//! A request head has at most 64 KiB and 100 lines and ten seconds to arrive; a connection carries at most
//! 128 HTTP/2 streams at once; 10,000 connections are served at once, others wait to be accepted. A peer that
//! is no trusted proxy has 1,000 of them at most, further ones are closed; operators have 64 of their own. A connection without a request for
//! a minute is shut down, whatever it pings. What hyper
//! itself refuses (431, malformed requests) carries no headers of ours.

mod accept;
mod admin;
mod ages;
mod answers;
mod blocks;
mod command;
mod config;
mod connection;
mod demands;
mod demo;
mod ears;
mod ending;
mod exporter;
mod holders;
mod key_watch;
mod listeners;
mod lockdown;
mod login;
mod page;
mod parts;
mod path;
mod places;
mod readiness;
mod request_ids;
mod routes;
mod server;
mod service;

pub use crate::profile::Profile;
pub use ages::SecretAges;
pub use blocks::{Blocks, Whom};
pub use command::Owner;
pub use config::{Config, Effective, EnvFile, parse_duration};
pub use demo::{Demo, LOOPBACK};
pub use key_watch::KeyWatch;
pub use listeners::Listeners;
pub use lockdown::{Lockdown, LockdownWatch};
pub use server::Gateway;
