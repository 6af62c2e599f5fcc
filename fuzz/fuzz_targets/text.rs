//! Text into the parser of programs: what is understood is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::testkit::{Case, Program};

fuzz_target!(|text: &str| {
    if let Ok(program) = text.parse::<Program>() {
        assert_eq!(program.to_string().parse(), Ok(program));
    }
    if let Ok(case) = text.parse::<Case>() {
        assert_eq!(case.to_string().parse(), Ok(case));
    }
});
