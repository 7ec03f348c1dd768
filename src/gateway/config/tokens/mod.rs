//! The sections about tokens: whose are trusted, what signs our own, and to what they are bound.

mod certificates;
mod dpop;
mod guards;
mod issuers;
mod resource;
mod signing;
mod token;

pub(in crate::gateway) use certificates::{CertificateConfig, CertificateSection};
pub(in crate::gateway) use dpop::{DpopConfig, DpopSection, Need};
pub(in crate::gateway) use guards::{certificates, dpop, resource};
pub(in crate::gateway) use issuers::{IssuerSection, Trust, TrustConfig};
pub(in crate::gateway) use resource::ResourceSection;
pub(in crate::gateway) use signing::OwnIssuer;
pub(in crate::gateway) use token::TokenSection;
