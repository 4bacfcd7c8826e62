//! Reports against naive models, by hand-computed cases, and with respect to what they must not give away.

mod attribution;
mod by_hand;
mod files;
mod naive;
mod privacy;
mod release;
mod world;
