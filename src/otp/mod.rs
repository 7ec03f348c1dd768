//! Login by a code sent to a phone: codes, sessions, access tokens, refresh tokens.
//!
//! [`Otp`] is the login as functions, [`OtpService`] the same over HTTP. A whole login server, whose codes
//! appear on its standard output:
//!
//! ```no_run
//! use portcullis::{Memory, Otp, OtpService, Profile};
//! use portcullis::otp::{Secrets, Settings, Texts, sender::LogSender};
//! use portcullis::token::Issuer;
//! use std::net::SocketAddr;
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = Issuer::generate("https://login.example/", "https://api.example")?;
//! let (otp, courier) = Otp::builder(Settings::new(Profile::Dev), Secrets::random()?, Texts::new("Acme")?)
//!     .build(Memory::new(), issuer, LogSender::stdout())?;
//! tokio::spawn(courier.run());
//!
//! let app = axum::Router::new().fallback_service(OtpService::new(otp));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
//! # Ok(()) }
//! ```
//!
//! For production, name the secrets, the sender, the users and what their tokens allow:
//!
//! ```
//! use portcullis::{Memory, Otp, OtpService, Profile, ConfigError, CodeSender};
//! use portcullis::otp::{Secrets, Settings, Subject, Subjects, Texts};
//! use portcullis::token::{Grant, Issuer};
//! use std::time::Duration;
//!
//! fn login(
//!     issuer: Issuer,
//!     pepper: &[u8],
//!     refresh: &[u8],
//!     users: impl Subjects + 'static,
//!     sms: impl CodeSender + 'static,
//! ) -> Result<OtpService, ConfigError> {
//!     let settings = Settings::new(Profile::Standard).lifetime(Duration::from_secs(180))?;
//!     let texts = Texts::new("Acme")?.host("acme.example")?;
//!     let (otp, courier) = Otp::builder(settings, Secrets::new(pepper, refresh)?, texts)
//!         .subjects(users)
//!         .claims(|grant: Grant, _: &Subject| grant.scopes(["orders:read"]))
//!         .build(Memory::new(), issuer, sms)?;
//!     tokio::spawn(courier.run());
//!     Ok(OtpService::new(otp))
//! }
//! ```
//!
//! # Over HTTP
//!
//! | Call | Body | Answer |
//! |---|---|---|
//! | `POST /v1/otp/request` | `phone` | 202 `challenge_id`, `expires_in`, `resend_after`, `code_length`, `phone_masked`, `channel` |
//! | `POST /v1/otp/resend` | `challenge_id` | the same |
//! | `GET /v1/otp/{challenge_id}` | | 200 `state`: `queued`, `sent`, `delivered` or `failed`, see [`receipts`] |
//! | `POST /v1/otp/verify` | `challenge_id`, `code` | 200 `access_token`, `token_type`, `expires_in`, `refresh_token`, `refresh_expires_in`, `session_id`, `subject`, `is_new` |
//! | `POST /v1/phone/change` | bearer token, `phone` | as request, see [below](#another-number) |
//! | `POST /v1/phone/change/verify` | bearer token, `challenge_id`, `code` | 200, as refresh, with a new session |
//! | `POST /v1/token/refresh` | `refresh_token`, or the cookie | 200, as verify but for `is_new` |
//! | `POST /v1/logout` | bearer token, `refresh_token`, or a cookie | 204, also if it was over |
//! | `POST /v1/logout/all` | bearer token | 204 |
//! | `GET /v1/sessions` | bearer token | 200 `sessions` |
//! | `DELETE /v1/sessions/{id}` | bearer token | 204 |
//! | `GET /v1/devices` | bearer token | 200 `devices` |
//! | `DELETE /v1/devices/{id}` | bearer token | 204; its sessions are over |
//! | `GET /v1/openapi.json` | | all this as OpenAPI 3.1 |
//! | `GET /.well-known/jwks.json` | | the [keys](crate::token::JwksService) that verify access tokens |
//!
//! With a [bound](#bound-to-a-key) access token, `bearer token` is one sent as `DPoP` with a proof.
//!
//! Codes need the header `X-Device-Id`, see [`DeviceId`]; after 403 `challenge-required` also `X-Challenge-Response`, see
//! [`Challenger`](fraud::Challenger). Bodies are JSON of at most 4 KiB without unknown
//! members. A refusal is a problem document; [`rejection::problems`](crate::rejection::problems) lists them.
//!
//! # What is defended
//!
//! * **Guessing.** An attempt is counted before its code is compared. A challenge has five, whatever is sent again; a phone
//!   has ten wrong ones in an hour over all challenges. Then it is blocked, for 15 minutes first.
//! * **The bill.** Exact windows for client, phone, device and fingerprint (address, phone, user agent), cooldowns that
//!   double, blocks that double.
//! * **SMS pumping.** Countries and types of numbers that codes go to, messages that nobody answers, numbers in a row, and what
//!   a day may cost: see [`fraud`].
//! * **The owner.** A device that has logged in with a phone has a lane of its own: whoever asks and guesses until
//!   the phone is blocked blocks strangers, not the owner.
//! * **Enumeration.** The answer to a request is the same for every number that can exist. One that must not get a
//!   message gets a challenge that no code answers.
//! * **Theft.** A store holds authenticators of codes under a pepper, phones encrypted, and of refresh tokens nothing.
//!   A refresh token that is used twice ends its session, and its access tokens are denied at the next request.
//!
//! # Bound to a key
//!
//! With [rules](OtpBuilder::dpop) for proofs (RFC 9449 section 5), a client that sends a header `DPoP` along with its code gets a
//! session that is bound to the key of that proof:
//!
//! ```
//! # use portcullis::{ConfigError, Memory, jwt::Dpop, otp::OtpBuilder};
//! # fn rules(builder: OtpBuilder, memory: Memory) -> Result<OtpBuilder, ConfigError> {
//! // Where clients see the login. `Dpop::required` takes no login without a proof.
//! let builder = builder.dpop(Dpop::if_bound("https://login.example", memory)?);
//! # Ok(builder) }
//! ```
//!
//! * Access tokens have `cnf.jkt` and the answer says `token_type` `DPoP`. They are sent with a proof, here and wherever a layer
//!   has [`Dpop`](crate::jwt::dpop) rules.
//! * Each refresh needs a proof by the same key, for as long as the session lasts, also if the rules are taken off. Without it
//!   a refresh token is of no use: it neither gets tokens nor counts as used twice. It still ends its session at `/v1/logout`.
//! * A session that began without a proof stays unbound; a proof at its refresh binds the access token alone. Where proofs
//!   are required it is refused, and its user logs in again: begin with `if_bound`, and require when sessions have ended.
//! * A proof is good once, over all instances that share the store. It is looked at before the code and used after it, so
//!   wrong proofs cost no code, and wrong codes no place in the store.
//! * Where tokens are in cookies the session is bound, and the access token is not: no script can read it to prove
//!   anything of it.
//!
//! # Another number
//!
//! A user who is logged in [asks](Otp::change_phone) for a code to the number that is wanted, and [gives](Otp::verify_phone_change) it
//! back by the same session, from the same device:
//!
//! * **The login is fresh**, of the last five minutes ([`reauth_after`](Settings::reauth_after)): else 401 `reauth-required`, with
//!   `max_age` (RFC 9470), and the user logs in again with the number there is. So no single code changes a number, and who has lost
//!   the old one needs somebody who may [relink](Subjects::relink) it by hand.
//! * **The code is good for that session alone**, for no login and for nobody else. All windows, blocks, rules against fraud and budgets
//!   hold for it.
//! * **Whose the new number is, is told after the right code**, as 409 `phone-taken`: the user would have to give up that account
//!   first. Before, the answer is the same for each number.
//! * **Everybody is logged out**, this session included, whose device goes on with a new one: whoever had got hold of a token of any
//!   device has nothing any more, at the next request.
//! * **The number before gets a notice**, unless it opted out. [`notice`](Texts::notice) has its texts. It leaves once, by a sender
//!   that [sends notices](CodeSender::sends_notices), and is counted in no budget but the provider's own. How it ended is an event:
//!   `notice-sent`, `notice-not-sent`, `notice-withheld`.
//! * With a [cool-off](Settings::phone_cool_off) the tokens of the user say `phone_new_until` for that long, on each device.
//!
//! In this order: sessions of other devices end, the number changes in one step of the records, the notice is handed to the
//! [`Courier`], this session ends, a new one begins. What fails before the change is a 503 and nothing has changed, though others may be
//! logged out and the code used up; the user asks for another. What fails after it is a 503, too, and the user logs in with the new
//! number. A process that is killed between the change and its last step leaves this one session as it was, and one that somebody began
//! with the old number in that moment; a notice that the courier had not sent yet is lost, and so is any message in its queue. Where the
//! records cannot say whether they made the change, the number before is told.
//!
//! # Deployment
//!
//! * Outside the profile `dev` calls must come over TLS (403 `tls-required`): behind a proxy, tell
//!   [`clients`](OtpService::clients) about it.
//! * Guard your API with a [`Portcullis`](crate::Portcullis) over the *same* store, or with its blocks in another way: that
//!   is where ended sessions are denied.
//! * A body may take its time to arrive: put a timeout around the service, as servers do.
//! * The crate `rlibphonenumber` writes numbers to the facade `log` at the level trace. Where a logger of yours listens to
//!   that facade, turn the target `rlibphonenumber` off.
//! * A text message can be read by whoever takes over the phone number. Offer a second factor for what is worth it
//!   (NIST SP 800-63B-4 calls the telephone network a restricted authenticator).

mod answer;
mod arrival;
mod bound;
mod builder;
mod caller;
mod challenges;
mod claims;
mod code;
mod courier;
mod cross_site;
mod device;
mod devices;
mod dispatch;
mod ends;
#[cfg(all(feature = "sms", feature = "test-util"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "sms", feature = "test-util"))))]
pub mod fake;
mod follow_up;
pub mod fraud;
mod hold;
mod holders;
mod ledger;
mod login;
pub mod message;
mod number;
mod opt_outs;
mod origins;
mod phone_change;
pub mod receipts;
mod record;
mod refusal;
mod secrets;
pub mod sender;
mod service;
mod session;
mod settings;
mod standing;
mod store;
mod subjects;
mod test_numbers;
mod verdict;
#[cfg(all(feature = "sms", feature = "webhook"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "sms", feature = "webhook"))))]
pub mod webhooks;
mod windows;

#[doc = include_str!("contract.md")]
pub mod contract {}

pub use answer::{Challenge, Login, OwnDevice, OwnSession, Proof, Tokens};
pub use arrival::{Arrival, Arrived};
pub use builder::OtpBuilder;
pub use caller::Caller;
pub use challenges::{
    Attempt, ChallengeId, Challenges, Dispatch, Dispatched, Issue, Resend, Rules, Sent, Window,
    Windowed,
};
pub use claims::ClaimsFor;
pub use code::{Code, CodeMac};
pub use courier::Courier;
#[cfg(feature = "gateway")]
pub(crate) use cross_site::same_origin;
pub use device::DeviceId;
pub use login::Otp;
pub use message::{Notice, Texts};
pub use opt_outs::{MemoryOptOuts, OptOuts, Wish};
pub use origins::Origins;
pub(crate) use secrets::constant_time_eq;
pub use secrets::{Purpose, Sealed, Secrets};
pub use sender::CodeSender;
pub use service::OtpService;
pub use settings::Settings;
pub use store::{LoginStore, SharedLoginStore};
pub use subjects::{Found, Subject, Subjects};
pub use test_numbers::TestNumbers;
pub use verdict::{Conclusion, Guess, Verdict, Verified};
