//! Where things are counted: real handles with the feature `metrics`, nothing at all without it.
//!
//! Both have the same names, so that the places that count need not know. What an event tells is counted
//! where events pass, in [`audit`](crate::audit); the rest is counted where it happens, through a handle in the
//! part that counts.

#[cfg(not(feature = "metrics"))]
mod none;
#[cfg(feature = "metrics")]
mod real;

#[cfg(not(feature = "metrics"))]
pub(crate) use none::*;
#[cfg(feature = "metrics")]
pub(crate) use real::*;
