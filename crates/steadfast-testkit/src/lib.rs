#![doc = include_str!("../README.md")]

#[cfg(feature = "golden")]
pub mod attribute;
#[cfg(feature = "golden")]
pub mod case;
#[cfg(feature = "golden")]
pub mod compare;
#[cfg(feature = "golden")]
pub mod compat;
pub mod conformance;
#[cfg(feature = "golden")]
mod failure;
#[cfg(feature = "golden")]
pub mod generate;
#[cfg(feature = "golden")]
pub mod oracle;
#[cfg(feature = "golden")]
pub mod play;
mod random;
#[cfg(feature = "golden")]
pub mod rule;
#[cfg(feature = "golden")]
pub mod servers;

#[cfg(feature = "golden")]
pub use case::Case;
#[cfg(feature = "golden")]
pub use failure::Failure;
