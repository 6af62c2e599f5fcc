//! Seeded bugs: they show that the attacks find what they are for.
//!
//! There are none in any build but one made with `RUSTFLAGS='--cfg tumulus_canary'`, where the environment variable
//! `TUMULUS_CANARY` names the one that is there. `fuzz/canaries` builds that and lets `tumulus stress` find each.

#![forbid(unsafe_code)]

/// Whether the bug of this name is seeded; a constant, false, in every other build.
#[inline(always)]
pub(crate) fn is_seeded(name: &str) -> bool {
    cfg!(tumulus_canary) && is_named(name)
}

#[cfg(tumulus_canary)]
fn is_named(name: &str) -> bool {
    static NAME: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("TUMULUS_CANARY").ok());
    NAME.as_deref() == Some(name)
}

#[cfg(not(tumulus_canary))]
const fn is_named(_name: &str) -> bool {
    false
}
