//! Seeded randomness (splitmix64) and its derivation: each thing draws from a generator of its own, so
//! that what happens to one account does not depend on what others do meanwhile.

/// A splitmix64 generator.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    /// The generator of the thing that `parts` name.
    pub(crate) fn of(seed: u64, parts: &[&[u8]]) -> Self {
        let mut state = mix(seed ^ 0x9e37_79b9_7f4a_7c15);
        for part in parts {
            for chunk in part.chunks(8) {
                let mut word = [0_u8; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                state = mix(state ^ u64::from_le_bytes(word));
            }
            state = mix(state
                ^ u64::try_from(part.len())
                    .unwrap_or(u64::MAX)
                    .rotate_left(32));
        }
        Self(state)
    }

    /// The generator that a number drawn from another one names: cheap where one is needed for each cell.
    pub(crate) fn drawn(word: u64) -> Self {
        Self(word)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`; 0 when there is none.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias of the remainder is below 2^-40 for the small bounds used here.
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A number below `bound`, without a division: for what is drawn by the million.
    pub(crate) fn quick(&mut self, bound: u64) -> u64 {
        let scaled = (u128::from(self.next()) * u128::from(bound)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }

    /// A number in `[least, most]`.
    pub(crate) fn within(&mut self, span: [u64; 2]) -> u64 {
        let [least, most] = span;
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// Whether something that strikes so many times in a thousand strikes now.
    pub(crate) fn strikes(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of `choices`.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let bound = u64::try_from(choices.len()).ok()?;
        choices.get(usize::try_from(self.below(bound)).ok()?)
    }

    /// `digits` lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        const HEX: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        (0..digits).filter_map(|_| self.pick(&HEX)).collect()
    }

    /// `length` letters and digits, as Twilio's key secrets are made of.
    pub(crate) fn alphanumeric(&mut self, length: usize) -> String {
        let mut drawn = String::with_capacity(length);
        while drawn.len() < length {
            let byte = u8::try_from(self.below(128)).unwrap_or(0);
            if byte.is_ascii_alphanumeric() {
                drawn.push(char::from(byte));
            }
        }
        drawn
    }
}

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
