//! What Steadfast's own tests stand on is behind the feature `golden`.

#[cfg(feature = "golden")]
pub mod attribute;
#[cfg(feature = "golden")]
pub mod case;
#[cfg(feature = "golden")]
pub mod compare;
#[cfg(feature = "golden")]
pub mod compat;
#[cfg(feature = "golden")]
mod failure;
#[cfg(feature = "golden")]
pub mod generate;
#[cfg(feature = "golden")]
pub mod oracle;
#[cfg(feature = "golden")]
pub mod play;
#[cfg(feature = "golden")]
mod random;
#[cfg(feature = "golden")]
pub mod rule;

#[cfg(feature = "golden")]
pub use case::Case;
#[cfg(feature = "golden")]
pub use failure::Failure;
