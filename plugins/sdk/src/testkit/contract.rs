//! All proofs as tests, by one macro.

/// Makes the tests that every destination passes: a test for each proof of [`crate::testkit`], in worlds that the
/// expression makes afresh. Add `pauses` where the world is one that [`AsksForPause`](crate::testkit::AsksForPause),
/// and `rejections` where it [`RefusesRows`](crate::testkit::RefusesRows). Where the world needs a program that a machine
/// may not have, say after the world whether it is there; without it the tests do nothing. Use it in a module of its
/// own.
///
/// ```text
/// mod contract {
///     entente_destination::contract_tests!(crate::Webhook, super::Receiver::new(), pauses, rejections);
/// }
///
/// mod contract_with_a_real_server {
///     entente_destination::contract_tests!(crate::Sftp, super::OpenSsh::start(); if super::openssh_is_there());
/// }
/// ```
#[macro_export]
macro_rules! contract_tests {
    ($destination:ty, $world:expr $(; if $there:expr)? $(, $proof:ident)* $(,)?) => {
        #[test]
        fn every_setting_is_described() -> Result<(), $crate::testkit::Failure> {
            $crate::testkit::prove_described::<$destination>()
        }

        #[test]
        fn any_split_gives_the_same_rows() -> Result<(), $crate::testkit::Failure> {
            $(if !$there { return Ok(()); })?
            $crate::testkit::prove_splits::<$destination, _>(|| $world)
        }

        #[test]
        fn what_is_sent_again_is_taken_as_often_as_promised() -> Result<(), $crate::testkit::Failure> {
            $(if !$there { return Ok(()); })?
            $crate::testkit::prove_repeats::<$destination, _>(|| $world)
        }

        $($crate::contract_tests!(@$proof $destination, $world);)*
    };
    (@pauses $destination:ty, $world:expr) => {
        #[test]
        fn a_pause_that_is_asked_for_is_kept() -> Result<(), $crate::testkit::Failure> {
            $crate::testkit::prove_pauses::<$destination, _>(|| $world)
        }
    };
    (@rejections $destination:ty, $world:expr) => {
        #[test]
        fn rejected_rows_come_back_by_row() -> Result<(), $crate::testkit::Failure> {
            $crate::testkit::prove_rejections::<$destination, _>(|| $world)
        }
    };
}
