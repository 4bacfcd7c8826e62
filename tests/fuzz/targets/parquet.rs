#![no_main]

// A panic of a decoder that is caught is a damaged page. One that is not caught still ends the process.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |input: &[u8]| {
    entente_test_inputs::parquet(input)
});
