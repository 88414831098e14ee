//! What simulations are made of: [`Chance`], numbers that look random and are the same in every run; and [`shrink`],
//! which finds what of a failing run is needed for it to fail.

/// One stream of numbers that look random and follow from a seed (splitmix64).
#[derive(Clone, Copy, Debug)]
pub struct Chance {
    key: u64,
    drawn: u64,
}

/// The odd number next to 2^64 over the golden ratio.
const STRIDE: u64 = 0x9E37_79B9_7F4A_7C15;

/// A number that looks as if it had nothing to do with `seed`, and follows from it.
pub fn mix(seed: u64) -> u64 {
    let mut word = seed.wrapping_add(STRIDE);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

impl Chance {
    /// The only stream of `seed`.
    pub fn new(seed: u64) -> Chance {
        Chance { key: seed, drawn: 0 }
    }

    /// Stream `kind` of `seed`. What is drawn of one changes nothing of the others.
    pub fn stream(seed: u64, kind: u64) -> Chance {
        Chance::new(mix(mix(seed) ^ kind))
    }

    /// Number `n` of the stream, whatever was drawn of it.
    pub fn nth(&self, n: u64) -> u64 {
        mix(self.key.wrapping_add(n.wrapping_mul(STRIDE)))
    }

    /// How many were drawn.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.nth(self.drawn - 1)
    }

    /// The next number, below `limit`. 0 if `limit` is.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.draw().checked_rem(limit).unwrap_or(0)
    }
}

/// Whether what a number of a stream decides happens, at this rate: never at 0, always at 1.
pub fn happens(number: u64, rate: f64) -> bool {
    const BITS: u32 = 53;
    ((number >> (u64::BITS - BITS)) as f64) < rate * (1_u64 << BITS) as f64
}

/// Leaves out of `count` things what a failure can do without, and returns what is kept. `fails` says whether it fails
/// with those that are kept; it is called at most `budget` times, and is expected to fail with all of them.
pub fn shrink(count: usize, budget: usize, mut fails: impl FnMut(&[bool]) -> bool) -> Vec<bool> {
    let (mut kept, mut left) = (vec![true; count], budget);
    let mut size = count;
    while size > 0 && left > 0 {
        let mut shrunk = false;
        for from in (0..count).step_by(size) {
            let part = from..(from + size).min(count);
            if left == 0 || !kept[part.clone()].contains(&true) {
                continue;
            }
            let mut fewer = kept.clone();
            fewer[part].fill(false);
            left -= 1;
            if fails(&fewer) {
                (kept, shrunk) = (fewer, true);
            }
        }
        // What was needed while others were there may be needed no more.
        size = if size == 1 && shrunk { 1 } else { size / 2 };
    }
    kept
}

#[cfg(all(test, not(rust_messenger_loom)))]
mod tests {
    use super::*;

    #[test]
    fn streams_do_not_disturb_each_other() {
        let draw = |kind, count| {
            let mut chance = Chance::stream(7, kind);
            (0..count).map(|_| chance.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, 50), draw(1, 50));
        assert_ne!(draw(1, 50), draw(2, 50));
        assert!((0..50).all(|n| Chance::stream(7, 1).nth(n) % 1000 == draw(1, 50)[n as usize]));
        assert_eq!(Chance::new(1).below(0), 0);
    }

    #[test]
    fn rates_are_kept() {
        let mut chance = Chance::new(3);
        let numbers: Vec<u64> = (0..10_000).map(|_| chance.draw()).collect();
        for (rate, least, most) in [(0.0, 0, 0), (0.1, 900, 1100), (0.5, 4800, 5200), (1.0, 10_000, 10_000)] {
            let count = numbers.iter().filter(|number| happens(**number, rate)).count();
            assert!((least..=most).contains(&count), "{count} at {rate}");
        }
    }

    #[test]
    fn what_is_needed_is_kept_and_nothing_else() {
        for count in [1, 2, 3, 10, 37, 100] {
            let needed = [0, count / 3, count - 1];
            let mut calls = 0;
            let kept = shrink(count, 10_000, |kept| {
                calls += 1;
                needed.iter().all(|&place| kept[place])
            });
            assert!((0..count).all(|place| kept[place] == needed.contains(&place)), "{count}: {kept:?}");
            assert!(calls < 20 * (count.ilog2() + 1) as usize, "{calls} calls for {count}");
        }
        assert_eq!(shrink(5, 100, |_| true), [false; 5]);
        assert_eq!(shrink(5, 0, |_| true), [true; 5]);
        assert_eq!(shrink(0, 9, |_| true), []);
    }

    /// Two that stand for each other: leaving out the first makes the second needed.
    #[test]
    fn a_budget_is_kept() {
        let mut calls = 0;
        let kept = shrink(1000, 7, |kept| {
            calls += 1;
            kept[10] || kept[990]
        });
        assert_eq!(calls, 7);
        assert!(kept[10] || kept[990]);
    }
}
