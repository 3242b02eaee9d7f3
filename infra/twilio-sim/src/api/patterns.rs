//! Patterns of phone numbers: parts of numbers with wildcards, as two filters take them.

/// One place of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Digit(u8),
    /// `*`: any one digit.
    Any,
    /// `%`: any digits, none too.
    Some,
}

/// A pattern, which fits a number anywhere unless it is tied to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
    from_start: bool,
    to_end: bool,
}

/// How long a Contains pattern may be.
const CONTAINS_LENGTH: std::ops::RangeInclusive<usize> = 2..=16;
/// What it must hold besides wildcards.
const CONTAINS_PLAIN: usize = 2;

impl Pattern {
    /// The PhoneNumber filter of numbers that one holds: digits with `*` for any, a plus sign at the start.
    /// Other characters are how people write numbers, and mean nothing. A plus sign in a query may have
    /// been decoded into a blank.
    pub(super) fn of_held(text: &str) -> Self {
        let parts = text
            .bytes()
            .filter_map(|byte| match byte {
                b'0'..=b'9' => Some(Part::Digit(byte)),
                b'*' => Some(Part::Any),
                _ => None,
            })
            .collect();
        Self {
            parts,
            from_start: text.starts_with(['+', ' ']),
            to_end: false,
        }
    }

    /// The Contains filter of a search: 2 to 16 digits, letters of a keypad and wildcards, `+` at the start
    /// and `$` at the end; `None` when it is not of that form.
    pub(super) fn contained(text: &str) -> Option<Self> {
        // A plus sign in a query may have been decoded into a blank.
        let rest = text.strip_prefix(['+', ' ']);
        let (from_start, rest) = (rest.is_some(), rest.unwrap_or(text));
        let end = rest.strip_suffix('$');
        let (to_end, rest) = (end.is_some(), end.unwrap_or(rest));
        let parts = rest
            .bytes()
            .map(|byte| match byte {
                b'*' => Some(Part::Any),
                b'%' => Some(Part::Some),
                b'0'..=b'9' => Some(Part::Digit(byte)),
                _ => keypad(byte).map(Part::Digit),
            })
            .collect::<Option<Vec<Part>>>()?;
        let plain = parts
            .iter()
            .filter(|part| matches!(part, Part::Digit(_)))
            .count();
        (CONTAINS_LENGTH.contains(&text.chars().count()) && plain >= CONTAINS_PLAIN).then_some(
            Self {
                parts,
                from_start,
                to_end,
            },
        )
    }

    /// Whether a number fits: keeps the set of places that the parts so far may end at, a bit each, so
    /// that no pattern is slow.
    pub(super) fn fits(&self, number: &str) -> bool {
        let digits = number.trim_start_matches('+').as_bytes();
        let all = u32::MAX >> 31_usize.saturating_sub(digits.len());
        let mut ends = if self.from_start { 1 } else { all };
        for part in &self.parts {
            ends = match part {
                Part::Some => all & (u32::MAX << ends.trailing_zeros().min(31)),
                Part::Any => (ends << 1) & all,
                Part::Digit(wanted) => digits
                    .iter()
                    .enumerate()
                    .filter(|(place, digit)| *digit == wanted && ends >> place & 1 == 1)
                    .fold(0, |ends, (place, _)| ends | 1 << (place + 1)),
            };
            if ends == 0 {
                return false;
            }
        }
        !self.to_end || ends >> digits.len() & 1 == 1
    }
}

/// The digit that a letter is on a telephone.
fn keypad(letter: u8) -> Option<u8> {
    const KEYS: [(u8, &[u8]); 8] = [
        (b'2', b"abc"),
        (b'3', b"def"),
        (b'4', b"ghi"),
        (b'5', b"jkl"),
        (b'6', b"mno"),
        (b'7', b"pqrs"),
        (b'8', b"tuv"),
        (b'9', b"wxyz"),
    ];
    KEYS.iter()
        .find(|(_, letters)| letters.contains(&letter.to_ascii_lowercase()))
        .map(|(digit, _)| *digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_one_holds_are_found_by_parts_with_stars() {
        for (pattern, fits) in [
            ("+14155550100", true),
            (" 14155550100", true),
            ("5550", true),
            ("415***0100", true),
            ("(415) 555", true),
            ("+415", false),
            ("5551", false),
        ] {
            assert_eq!(
                Pattern::of_held(pattern).fits("+14155550100"),
                fits,
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_search_understands_letters_sequences_and_ends() {
        for (pattern, fits) in [
            ("+1415", true),
            ("+415", false),
            ("0100$", true),
            ("555$", false),
            ("415%100$", true),
            ("+1%00$", true),
            ("555*100", true),
            ("JKL", true),
            ("415********", false),
            ("415*******", true),
        ] {
            let read = Pattern::contained(pattern).unwrap();
            assert_eq!(read.fits("+14155550100"), fits, "{pattern}");
        }
        for pattern in ["5", "5*", "55-55", "%%%%", "12345678901234567", "é5"] {
            assert!(Pattern::contained(pattern).is_none(), "{pattern}");
        }
    }
}
