//! What the tests of the memories share: every creator, and how a memory is asked for.

#![allow(unused_imports, dead_code, reason = "each test file uses its part of this module")]

pub(crate) use tumulus::testkit::oracle::growth::{LIMIT, PAGE, Request, Subject, image, pool, subjects};

pub(crate) const KIB: usize = 1024;
