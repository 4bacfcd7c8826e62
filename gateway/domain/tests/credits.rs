//! No order of work, of crashes and of tries again creates or loses a credit.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use entente_domain::{
    AccountId, Code, WorkId,
    credit::{
        Activity, Command, Decided, MOST, MicroCredits, NewProvision, Parties, Payer, Price, Reservation,
        ReservationStatus, Wallet, WalletChange, decide, provision,
    },
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;

const ACCOUNTS: u128 = 3;
const WORKS: u128 = 5;

fn account(n: u128) -> AccountId {
    AccountId(Uuid::from_u128(n))
}

fn work(n: u128) -> WorkId {
    WorkId(Uuid::from_u128(n))
}

fn reservation(work: WorkId, parties: Parties, price: i64, inputs: u64) -> Reservation {
    Reservation {
        work,
        activity: Activity::Measurement,
        parties,
        connection: None,
        price: Price::new(price).unwrap(),
        reserved_inputs: inputs,
        inputs: 0,
        status: ReservationStatus::Reserved,
    }
}

/// What there is, and the lines that it came of.
#[derive(Clone, Debug, Default, PartialEq)]
struct Book {
    wallets: BTreeMap<AccountId, Wallet>,
    reservations: BTreeMap<WorkId, Reservation>,
    lines: Vec<(AccountId, WalletChange)>,
}

impl Book {
    fn write(&mut self, account: AccountId, change: WalletChange) {
        let wallet = self.wallets.entry(account).or_default();
        *wallet = wallet.after(change).unwrap();
        self.lines.push((account, change));
    }

    fn provision(&mut self, account: AccountId, credits: i64) -> Result<(), Code> {
        let wallet = self.wallets.get(&account).copied().unwrap_or_default();
        let new = NewProvision { credits: MicroCredits(credits), note: "A test".to_owned() };
        let (change, _) = provision(&wallet, new).map_err(|refusal| refusal.code)?;
        self.write(account, change);
        Ok(())
    }

    fn obey(&mut self, command: Command) -> Result<Option<Decided>, Code> {
        let present = self.reservations.get(&command.work());
        let decided = decide(command, present, &self.wallets).map_err(|refusal| refusal.code)?;
        if let Some(decided) = &decided {
            for (account, change) in &decided.changes {
                self.write(*account, *change);
            }
            self.reservations.insert(decided.reservation.work, decided.reservation.clone());
        }
        Ok(decided)
    }

    /// What the works that there are have cost and keep, counted by themselves.
    fn of_works(&self, account: AccountId, status: ReservationStatus) -> i128 {
        let of_status = self.reservations.values().filter(|r| r.status == status);
        of_status.map(|r| i128::from(share(r, account))).sum()
    }

    fn check(&self) {
        for account in (0..ACCOUNTS).map(account) {
            let wallet = self.wallets.get(&account).copied().unwrap_or_default();
            let sum = |part: fn(&WalletChange) -> MicroCredits| -> i128 {
                self.lines.iter().filter(|(whose, _)| *whose == account).map(|(_, c)| i128::from(part(c).0)).sum()
            };
            assert_eq!(sum(|c| c.provisioned), i128::from(wallet.provisioned.0));
            assert_eq!(self.of_works(account, ReservationStatus::Settled), i128::from(wallet.used.0));
            assert_eq!(self.of_works(account, ReservationStatus::Reserved), i128::from(wallet.reserved.0));
            assert_eq!(sum(|c| c.used), i128::from(wallet.used.0));
            assert_eq!(sum(|c| c.reserved), i128::from(wallet.reserved.0));
            let parts = [wallet.used, wallet.reserved, wallet.available()];
            assert_eq!(parts.iter().map(|p| p.0).sum::<i64>(), wallet.provisioned.0);
            assert!(parts.iter().all(|p| p.0 >= 0), "{wallet:?}");
        }
    }
}

/// What an account pays of a work, by the rules as they are written down rather than as they are programmed.
fn share(r: &Reservation, account: AccountId) -> i64 {
    let inputs = if r.status == ReservationStatus::Settled { r.inputs } else { r.reserved_inputs };
    let exact = i128::from(inputs) * i128::from(r.price.micro_credits());
    let whole = i64::try_from((exact + 999_999) / 1_000_000).unwrap();
    match r.parties {
        Parties::Alone(only) => {
            if only == account {
                whole
            } else {
                0
            }
        }
        Parties::Both { account: own, other, payer } => match payer {
            Payer::Account => {
                if own == account {
                    whole
                } else {
                    0
                }
            }
            Payer::OtherSide => {
                if other == account {
                    whole
                } else {
                    0
                }
            }
            Payer::EachHalf if own == account => whole - whole / 2,
            Payer::EachHalf => {
                if other == account {
                    whole / 2
                } else {
                    0
                }
            }
        },
    }
}

#[derive(Clone, Debug)]
enum Step {
    Provision(u128, i64),
    Obey(Command),
}

fn parties() -> impl Strategy<Value = Parties> {
    let payer = prop_oneof![Just(Payer::Account), Just(Payer::OtherSide), Just(Payer::EachHalf)];
    prop_oneof![
        (0..ACCOUNTS).prop_map(|n| Parties::Alone(account(n))),
        (0..ACCOUNTS, 1..ACCOUNTS, payer).prop_map(|(n, further, payer)| {
            Parties::Both { account: account(n), other: account((n + further) % ACCOUNTS), payer }
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let price = prop_oneof![Just(0), Just(1), Just(333_333), Just(1_000_000), 0..5_000_000i64];
    let reserve = (0..WORKS, parties(), price, 0..200u64);
    prop_oneof![
        2 => (0..ACCOUNTS, -200..400i64).prop_map(|(n, credits)| Step::Provision(n, credits)),
        4 => reserve.prop_map(|(n, parties, price, inputs)| {
            Step::Obey(Command::Reserve(reservation(work(n), parties, price, inputs)))
        }),
        3 => (0..WORKS, 0..300u64).prop_map(|(n, inputs)| Step::Obey(Command::Settle { work: work(n), inputs })),
        1 => (0..WORKS).prop_map(|n| Step::Obey(Command::Release { work: work(n) })),
    ]
}

proptest! {
    /// Steps in any order; some are cut off before they are kept, all of those are tried again, some twice.
    #[test]
    fn credits_are_neither_made_nor_lost(steps in prop::collection::vec((step(), any::<bool>(), 1..3usize), 0..60)) {
        let mut book = Book::default();
        for (step, is_cut_off, times) in steps {
            if is_cut_off {
                let mut cut_off = book.clone();
                if let Step::Obey(command) = step.clone() { _ = cut_off.obey(command) }
                cut_off.check();
            }
            match step {
                Step::Provision(n, credits) => _ = book.provision(account(n), credits),
                Step::Obey(command) => {
                    let first = book.obey(command.clone());
                    let kept = book.clone();
                    for _ in 1..times {
                        let again = book.obey(command.clone());
                        let is_nothing = matches!(again, Ok(None)) || first.is_err();
                        prop_assert!(is_nothing, "{:?} and then {:?}", first, again);
                        prop_assert_eq!(&book, &kept);
                    }
                    if let Ok(Some(Decided { settled: Some(settled), .. })) = first {
                        let sum: i64 = settled.shares.iter().map(|(_, share)| share.0).sum();
                        prop_assert_eq!(sum, settled.credits.0);
                    }
                }
            }
            book.check();
        }
    }
}

#[test]
fn what_cannot_be_paid_is_refused_by_who_cannot() {
    let (luma, tv_tube) = (account(0), account(1));
    let both = |payer| Parties::Both { account: luma, other: tv_tube, payer };
    // A million inputs at a credit each million cost a million micro-credits.
    for (own, others, parties, refused) in [
        (1_000_000, 0, Parties::Alone(luma), None),
        (999_999, 0, Parties::Alone(luma), Some(Code::InsufficientCredits)),
        (1_000_000, 0, both(Payer::Account), None),
        (999_999, 9_000_000, both(Payer::Account), Some(Code::InsufficientCredits)),
        (0, 1_000_000, both(Payer::OtherSide), None),
        (9_000_000, 999_999, both(Payer::OtherSide), Some(Code::OtherSideCannotPay)),
        (500_000, 500_000, both(Payer::EachHalf), None),
        (500_000, 499_999, both(Payer::EachHalf), Some(Code::OtherSideCannotPay)),
        (499_999, 499_999, both(Payer::EachHalf), Some(Code::InsufficientCredits)),
    ] {
        let mut book = Book::default();
        for (account, credits) in [(luma, own), (tv_tube, others)] {
            if credits > 0 {
                book.provision(account, credits).unwrap();
            }
        }
        let before = book.clone();
        let answer = book.obey(Command::Reserve(reservation(work(0), parties, 1_000_000, 1_000_000)));
        assert_eq!(answer.err(), refused, "{own} {others} {parties:?}");
        if refused.is_some() {
            assert_eq!(book, before);
        }
    }
}

#[test]
fn more_than_was_reserved_is_paid_of_what_is_available() {
    let luma = account(0);
    let mut book = Book::default();
    book.provision(luma, 100).unwrap();
    book.obey(Command::Reserve(reservation(work(0), Parties::Alone(luma), 1_000_000, 40))).unwrap();
    let too_much = Command::Settle { work: work(0), inputs: 101 };
    assert_eq!(book.obey(too_much), Err(Code::InsufficientCredits));
    assert_eq!(book.wallets[&luma].reserved, MicroCredits(40));
    book.obey(Command::Settle { work: work(0), inputs: 100 }).unwrap();
    assert_eq!((book.wallets[&luma].used, book.wallets[&luma].available()), (MicroCredits(100), MicroCredits(0)));
    book.check();
}

#[test]
fn only_what_is_available_is_taken_back() {
    let luma = account(0);
    let mut book = Book::default();
    book.provision(luma, 100).unwrap();
    book.obey(Command::Reserve(reservation(work(0), Parties::Alone(luma), 1_000_000, 40))).unwrap();
    assert_eq!(book.provision(luma, -61), Err(Code::InsufficientCredits));
    book.provision(luma, -60).unwrap();
    assert_eq!(book.provision(luma, 0), Err(Code::Invalid));
    assert_eq!(book.provision(luma, MOST), Err(Code::Invalid));
    assert_eq!(book.provision(luma, i64::MAX), Err(Code::Invalid));
    assert_eq!(book.provision(luma, i64::MIN), Err(Code::InsufficientCredits));
    book.check();
}
