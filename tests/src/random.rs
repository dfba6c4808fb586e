//! Seeded randomness for generators: SplitMix64 (Steele, Lea and Flood 2014), the same on every machine.

/// A stream of 64-bit numbers.
#[derive(Clone, Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// A stream for this seed; neighbouring seeds give unrelated streams.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number below `bound`, which is small next to 2^64, so that the bias does not matter.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| self.number().to_le_bytes()).take(length).collect()
    }
}
