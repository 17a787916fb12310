//! Properties: what must hold for any frame, any request and any order of events, on values drawn
//! at random. Where a property breaks, the smallest values that break it are shown, and kept in
//! `tests/proptest-regressions/` to be tried first from then on.
//!
//! 256 cases each; `PROPTEST_CASES=100000 cargo test --release -p sansock-properties` is a longer
//! run.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod client;
mod clock;
mod closing;
mod head;
mod headers;
mod messages;
mod proxy;
mod server;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// How a stream of bytes is cut into pieces, whatever its length turns out to be.
#[derive(Clone, Debug)]
enum Cuts {
    /// Whole, or at these places; a piece may be empty.
    At(Vec<Index>),
    /// All pieces but the last of this length.
    Every(usize),
}

impl Cuts {
    fn pieces<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        match self {
            Self::Every(length) => bytes.chunks(*length).collect(),
            Self::At(places) => {
                let mut places: Vec<_> =
                    places.iter().map(|place| place.index(bytes.len() + 1)).collect();
                places.push(bytes.len());
                places.sort_unstable();
                let mut start = 0;
                let cut = |end| &bytes[std::mem::replace(&mut start, end)..end];
                places.into_iter().map(cut).collect()
            }
        }
    }
}

fn cuts() -> impl Strategy<Value = Cuts> {
    prop_oneof![
        3 => vec(any::<Index>(), 0..8).prop_map(Cuts::At),
        1 => (1_usize..20).prop_map(Cuts::Every),
    ]
}
