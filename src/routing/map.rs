//! A hash table that is filled and asked in constants, where std's cannot be.

/// What is looked up: a number, and a spelling where numbers do not tell.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub number: u64,
    pub spelling: &'a str,
}

/// A hash table of at most `N` entries. Each is in one chain of `N`, so a chain is about one entry long.
#[derive(Debug)]
pub struct Map<'a, V, const N: usize> {
    /// Of each chain, the number of the last entry. Entries are numbered from 1: 0 ends a chain.
    last: [usize; N],
    entries: [Option<Entry<'a, V>>; N],
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry<'a, V> {
    key: Key<'a>,
    value: V,
    /// The entry before it in its chain.
    before: usize,
}

impl<'a, V: Copy, const N: usize> Map<'a, V, N> {
    pub const fn new() -> Self {
        Map { last: [0; N], entries: [None; N], count: 0 }
    }

    /// The value of this key.
    pub const fn find(&self, key: Key<'_>) -> Option<&V> {
        let Some(number) = self.number_of(key) else { return None };
        let Some(Entry { value, .. }) = &self.entries[number - 1] else { return None };
        Some(value)
    }

    /// The value of this key, to be changed.
    pub const fn find_mut(&mut self, key: Key<'_>) -> Option<&mut V> {
        let Some(number) = self.number_of(key) else { return None };
        let Some(Entry { value, .. }) = &mut self.entries[number - 1] else { return None };
        Some(value)
    }

    /// Adds a key that is not in here.
    pub const fn add(&mut self, key: Key<'a>, value: V) {
        let chain = chain::<N>(key);
        self.entries[self.count] = Some(Entry { key, value, before: self.last[chain] });
        self.count += 1;
        self.last[chain] = self.count;
    }

    const fn number_of(&self, key: Key<'_>) -> Option<usize> {
        let mut number = self.last[chain::<N>(key)];
        while number > 0 {
            let Some(entry) = &self.entries[number - 1] else { return None };
            if entry.key.number == key.number && same(entry.key.spelling, key.spelling) {
                return Some(number);
            }
            number = entry.before;
        }
        None
    }
}

/// The chain of a key: a hash over eight bytes at a time.
const fn chain<const N: usize>(key: Key<'_>) -> usize {
    let (mut hash, mut rest) = (mix(key.number), key.spelling.as_bytes());
    while let Some((word, more)) = rest.split_first_chunk() {
        (hash, rest) = (mix(hash ^ u64::from_le_bytes(*word)), more);
    }
    while let Some((byte, more)) = rest.split_first() {
        (hash, rest) = (mix(hash ^ *byte as u64), more);
    }
    (hash % N as u64) as usize
}

/// A number of whose bits each changes the lowest ones, which the remainder is made of: names differ in their last
/// letters, which are the highest bits of a word, and what a product has there comes from below only.
const fn mix(number: u64) -> u64 {
    let product = (number ^ number >> 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 29
}

/// Whether two spellings are the same.
pub const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    while let (Some((x, more_of_a)), Some((y, more_of_b))) = (a.split_first_chunk(), b.split_first_chunk()) {
        if u64::from_le_bytes(*x) != u64::from_le_bytes(*y) {
            return false;
        }
        (a, b) = (more_of_a, more_of_b);
    }
    while let (Some((x, more_of_a)), Some((y, more_of_b))) = (a.split_first(), b.split_first()) {
        if *x != *y {
            return false;
        }
        (a, b) = (more_of_a, more_of_b);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 512;

    fn names() -> Vec<String> {
        (0..COUNT).map(|i| format!("a::module::of::Message{i}")).collect()
    }

    #[test]
    #[cfg_attr(miri, ignore = "no unsafe code, and a minute of Miri's")]
    fn what_was_added_is_found_by_number_and_spelling() {
        let names = names();
        let mut map = Map::<_, { 2 * COUNT }>::new();
        for number in 0..2 {
            for (i, spelling) in names.iter().enumerate() {
                assert_eq!(map.find(Key { number, spelling }), None);
                map.add(Key { number, spelling }, (number, i));
            }
        }
        for number in 0..2 {
            for (i, spelling) in names.iter().enumerate() {
                assert_eq!(map.find(Key { number, spelling }), Some(&(number, i)));
                *map.find_mut(Key { number, spelling }).expect("it is there") = (number, i + 1);
                assert_eq!(map.find(Key { number, spelling }), Some(&(number, i + 1)));
            }
        }
        assert_eq!(map.find(Key { number: 2, spelling: &names[0] }), None);
        assert_eq!(map.find(Key { number: 0, spelling: "a::module::of::Message" }), None);
    }

    /// What a lookup takes is the length of a chain. Names that differ in their ends only, and ids that follow each
    /// other, or share their low bits, are what tables have.
    #[test]
    #[cfg_attr(miri, ignore = "no unsafe code, and much of Miri's time")]
    fn chains_are_short() {
        fn longest<'a>(keys: impl Iterator<Item = Key<'a>>) -> usize {
            let mut lengths = [0; COUNT];
            keys.for_each(|key| lengths[chain::<COUNT>(key)] += 1);
            *lengths.iter().max().expect("chains")
        }
        let names = names();
        assert!(longest(names.iter().map(|spelling| Key { number: 0, spelling })) < 10);
        for factor in [1, 8, 500, 1 << 16, 1 << 32] {
            assert!(longest((0..COUNT as u64).map(|i| Key { number: i * factor, spelling: "" })) < 10, "{factor}");
        }
    }

    #[test]
    fn spellings_are_compared_to_their_last_letter() {
        for length in 0..20 {
            let text = "x".repeat(length);
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &format!("{text}x")));
            for at in 0..length {
                let mut other = text.clone();
                other.replace_range(at..at + 1, "y");
                assert!(!same(&text, &other), "{text} {other}");
            }
        }
    }
}
