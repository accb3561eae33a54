//! Small changes of known inputs, by a seed.

/// Words that parsers of ours look for.
const WORDS: [&[u8]; 20] = [
    b"/01/",
    b"/21/",
    b"09506000134352",
    b"https://",
    b"%00",
    b"\xff",
    b"\0",
    b"{",
    b"}",
    b"[]",
    b"null",
    b"\"",
    b"\r\n",
    b"\n",
    b"\xf0\x9f\x98\x80",
    b"-1",
    b"18446744073709551616",
    b"application/json",
    b"mmct_",
    b"..",
];

/// Makes inputs out of a corpus; the same seed makes the same ones.
pub struct Mutator {
    state: u64,
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Mutator { state: seed, corpus }
    }

    /// One of the corpus with one to six changes.
    pub fn fresh(&mut self) -> Vec<u8> {
        let mut input = self.one_of_the_corpus();
        for _ in 0..=self.below(6) {
            self.change(&mut input);
        }
        input
    }

    fn one_of_the_corpus(&mut self) -> Vec<u8> {
        let at = self.below(self.corpus.len());
        self.corpus[at].clone()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let byte = u8::try_from(self.below(256)).unwrap_or_default();
        match self.below(7) {
            0 => input.insert(at, byte),
            1 if at < input.len() => drop(input.remove(at)),
            2 if at < input.len() => input[at] = byte,
            3 if at < input.len() => input[at] ^= 1 << (byte % 8),
            4 => {
                let word = WORDS[self.below(WORDS.len())];
                drop(input.splice(at..at, word.iter().copied()));
            }
            5 => input.truncate(at),
            _ => {
                // The end of another one.
                let other = self.one_of_the_corpus();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random() % (bound.max(1) as u64)).unwrap_or_default()
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014): good enough, and the same everywhere.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
