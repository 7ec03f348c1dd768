//! Inputs for the bodies of fuzz targets: a corpus, and what becomes of it by the changes that fuzzers make. The same seed gives
//! the same inputs.

/// Draws and changes inputs.
pub(crate) struct Mutator {
    state: u64,
    corpus: Vec<Vec<u8>>,
}

/// What has a meaning somewhere in what is parsed.
const WORDS: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b".",
    b"..",
    b"=",
    b"%2e",
    b"\\u0000",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\xff\xfe",
    b"\0",
    b"none",
    b"\"crit\":[]",
    b"\"alg\"",
    b"; ",
    b"Bearer ",
];

impl Mutator {
    pub(crate) fn new<T: AsRef<[u8]>>(corpus: impl IntoIterator<Item = T>) -> Self {
        let corpus = corpus.into_iter().map(|seed| seed.as_ref().to_vec()).collect();
        Self { state: 0x9e37_79b9_7f4a_7c15, corpus }
    }

    /// The seeds as they are, and then `count` changed ones.
    pub(crate) fn drive(mut self, count: usize, mut run: impl FnMut(u8, &[u8])) {
        for seed in self.corpus.clone() {
            (0..=u8::MAX).step_by(5).chain(0..16).for_each(|choice| run(choice, &seed));
        }
        for _ in 0..count {
            let input = self.input();
            run(self.below(256) as u8, &input);
        }
    }

    /// The same with texts: what is none is made one.
    pub(crate) fn drive_text(self, count: usize, mut run: impl FnMut(u8, &str)) {
        self.drive(count, |choice, bytes| run(choice, &String::from_utf8_lossy(bytes)));
    }

    fn input(&mut self) -> Vec<u8> {
        let mut input = self.seed();
        for _ in 0..=self.below(4) {
            let at = self.below(input.len() + 1);
            let end = at + self.below((input.len() - at).min(16) + 1);
            match self.below(7) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 if at < input.len() => input[at] = self.below(256) as u8,
                2 => drop(input.drain(at..end)),
                3 => {
                    let part = input[at..end].to_vec();
                    input.splice(at..at, part);
                }
                4 => {
                    let other = self.seed();
                    let from = self.below(other.len() + 1);
                    input.splice(at.., other[from..].iter().copied());
                }
                5 => input.truncate(at),
                _ => {
                    let word = WORDS[self.below(WORDS.len())];
                    input.splice(at..end, word.iter().copied());
                }
            }
        }
        input
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.corpus.len());
        self.corpus[at].clone()
    }

    /// A number below `bound`, by xorshift.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % bound.max(1)
    }
}
