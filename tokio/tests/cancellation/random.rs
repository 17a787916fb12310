//! Random acts, pipes and polls. `SCHEDULES` sets how many; CI runs 100,000.

use crate::{Act, Seen, check, check_split};

/// A small generator, so that a seed names a schedule.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1))
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    pub(crate) fn length(&mut self) -> usize {
        let most = [8, 130, 1_000, 20_000]
            [usize::try_from(self.below(64).trailing_zeros().min(3)).unwrap()];
        usize::try_from(self.below(most)).unwrap()
    }

    fn act(&mut self) -> Act {
        let length = self.length();
        let text = |length: usize| "x\u{e9}".chars().cycle().take(length).collect::<String>();
        match self.below(6) {
            0 => Act::Queue(Seen::Binary(vec![3; length])),
            1 => Act::Queue(Seen::Text(text(length))),
            2 => Act::Send(Seen::Binary(vec![4; length])),
            3 => Act::Send(Seen::Text(text(length))),
            4 => Act::Fragments("y".repeat(length), 1 + usize::try_from(self.below(4)).unwrap()),
            _ => Act::Ping(vec![5; length.min(125)]),
        }
    }
}

#[test]
fn random_schedules() {
    let count = std::env::var("SCHEDULES").map_or(2_000, |count| count.parse().unwrap());
    for seed in 1..=count {
        let mut random = Random::new(seed);
        let acts: Vec<Act> = (0..random.below(5)).map(|_| random.act()).collect();
        let pipe = [16, 64, 300, 5_000][usize::try_from(random.below(4)).unwrap()];
        let most = 1 + random.below(4);
        let polls = |n: usize| {
            let mut random = Random::new(seed ^ (n as u64) << 32);
            usize::try_from(1 + random.below(most)).unwrap()
        };
        let run = || {
            check(&acts, pipe, &polls);
            check_split(&acts, pipe, &polls);
        };
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
            eprintln!("seed {seed}: {acts:?}, pipe of {pipe}");
            std::panic::resume_unwind(panic);
        }
    }
}
