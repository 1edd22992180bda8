#![no_main]

use steadfast_fuzz::session::{Session, session};

libfuzzer_sys::fuzz_target!(|input: Session| session(&input));
