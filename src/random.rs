//! Draws random numbers, for names that must differ and waits that should. They are no secrets.

use std::hash::{BuildHasher, RandomState};

/// Returns a random number.
pub fn number() -> u64 {
    // The standard library seeds each of these anew.
    RandomState::new().hash_one(0)
}

/// Returns a random number from 0 to 1.
pub fn fraction() -> f64 {
    f64::from((number() >> 32) as u32) / f64::from(u32::MAX)
}
