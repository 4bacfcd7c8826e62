#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| entente_test_inputs::svg(input));
