//! From a number and the seeds to an input: bytes, lines and values of JSON are moved, repeated, cut and replaced by what
//! usually hurts.

use serde_json::Value;

/// Numbers at the edges, texts that are more than they seem, and what nests.
const TOKENS: &[&str] = &[
    "0",
    "-1",
    "1",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e309",
    "0.1",
    "NaN",
    "+7",
    "007",
    "null",
    "~",
    "true",
    "no",
    "",
    "\"",
    "'",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{feff}",
    "é",
    "\u{202e}",
    "😀",
    "---\n",
    "...\n",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "|\n",
    ">-\n",
    "[",
    "]",
    "{",
    "}",
    "{{",
    "}}",
    "{%",
    "%}",
    "(",
    ")",
    "steps.",
    "steps[\"",
    " if ",
    " in ",
    " and ",
    "not ",
    " | ",
    "default(",
    "range(9999999)",
    "\"a\" * 99999",
    " is defined",
    ": ",
    "- ",
    ", ",
    "#",
    "@",
    "%",
    "::1",
    "127.0.0.1",
    "postgres://",
    "xn--",
    ".",
    "..",
    "-",
    "_",
    "9999-12-30T22:00:00Z",
    "-009999-01-02T00:00:00Z",
    "1970-01-01T00:00:00Z",
];

/// Chance from a number (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`; 0 when that is 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap().max(1);
        usize::try_from(self.next() % end).unwrap()
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A short range of a text of this length: most wounds are small.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        let longest = *self.one_of(&[1, 2, 4, 16, 256]);
        from..(from + self.below(longest + 1)).min(length)
    }
}

/// Makes inputs from seeds.
pub(super) struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    /// Every value of every line that is JSON, and of every seed that is.
    values: Vec<Value>,
}

impl<'a> Mutator<'a> {
    pub(super) fn new(seeds: &'a [Vec<u8>]) -> Self {
        let mut values = Vec::new();
        for seed in seeds {
            for value in seed.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()) {
                collect(&value, &mut values);
            }
        }
        values.retain(|value| !value.is_object());
        Self { seeds, values }
    }

    /// A seed with one to four wounds.
    pub(super) fn input(&self, chance: &mut Chance) -> Vec<u8> {
        let mut input = chance.one_of(self.seeds).clone();
        for _ in 0..=chance.below(4) {
            match chance.below(if self.values.is_empty() { 10 } else { 20 }) {
                0..4 => self.bytes(&mut input, chance),
                4..7 => tokens(&mut input, chance),
                7..10 => self.lines(&mut input, chance),
                _ => self.json(&mut input, chance),
            }
        }
        input
    }

    fn bytes(&self, input: &mut Vec<u8>, chance: &mut Chance) {
        let range = chance.range(input.len());
        match chance.below(6) {
            0 => {
                let end = input.len();
                if let Some(byte) = input.get_mut(range.start.min(end.saturating_sub(1))) {
                    *byte ^= 1 << chance.below(8);
                }
            }
            1 => drop(input.drain(range)),
            2 => {
                let again = input[range.clone()].to_vec();
                input.splice(range.start..range.start, again);
            }
            3 => input.truncate(range.start),
            4 => {
                let other = chance.one_of(self.seeds);
                let piece = other[chance.range(other.len())].to_vec();
                input.splice(range, piece);
            }
            _ => {
                let noise: Vec<u8> = range.clone().map(|_| chance.next().to_le_bytes()[0]).collect();
                input.splice(range, noise);
            }
        }
    }

    fn lines(&self, input: &mut Vec<u8>, chance: &mut Chance) {
        let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let (at, to) = (chance.below(lines.len()), chance.below(lines.len()));
        match chance.below(4) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(to, lines[at].clone()),
            2 => lines.swap(at, to),
            _ => {
                let other = chance.one_of(self.seeds);
                let strange: Vec<_> = other.split(|byte| *byte == b'\n').collect();
                lines.insert(to, chance.one_of(&strange).to_vec());
            }
        }
        renumber(&mut lines, chance);
        *input = lines.join(&b'\n');
    }

    /// Puts another value into one place of one line; long lines, which hold most, are chosen most.
    fn json(&self, input: &mut Vec<u8>, chance: &mut Chance) {
        let byte = chance.below(input.len());
        let at = input.iter().take(byte).filter(|byte| **byte == b'\n').count();
        let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let Ok(mut line) = serde_json::from_slice::<Value>(&lines[at]) else { return };
        let mut left = chance.below(places(&line));
        if let Some(place) = place(&mut line, &mut left) {
            match chance.below(5) {
                0 => *place = chance.one_of(&self.values).clone(),
                1 => *place = (*chance.one_of(TOKENS)).into(),
                _ => self.replace_in_kind(place, chance),
            }
        }
        lines[at] = serde_json::to_vec(&line).unwrap();
        renumber(&mut lines, chance);
        *input = lines.join(&b'\n');
    }

    /// By the same kind of value as the one that was there, so that the line is still read.
    fn replace_in_kind(&self, place: &mut Value, chance: &mut Chance) {
        match place {
            Value::Number(_) => {
                let numbers = [0, 1, 2, 3, 7, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX - 1, u64::MAX];
                *place = (*chance.one_of(&numbers)).into();
            }
            Value::Bool(answer) => *answer = !*answer,
            Value::Array(items) if !items.is_empty() => {
                let item = items[chance.below(items.len())].clone();
                items.push(item);
            }
            Value::Array(_) | Value::Object(_) | Value::Null | Value::String(_) => {
                let kind = std::mem::discriminant(place);
                let same: Vec<_> = self.values.iter().filter(|v| std::mem::discriminant(*v) == kind).collect();
                if !same.is_empty() {
                    *place = (*chance.one_of(&same)).clone();
                }
            }
        }
    }
}

/// Puts a word that usually hurts somewhere, or many of it.
fn tokens(input: &mut Vec<u8>, chance: &mut Chance) {
    let token = chance.one_of(TOKENS).as_bytes();
    let count = *chance.one_of(&[1, 1, 1, 1, 2, 50, 3_000]);
    let range = if chance.below(3) == 0 {
        chance.range(input.len())
    } else {
        // In place of a number.
        let from = chance.below(input.len() + 1);
        let start = (from..input.len()).find(|at| input[*at].is_ascii_digit()).unwrap_or(input.len());
        let end = (start..input.len()).find(|at| !input[*at].is_ascii_digit()).unwrap_or(input.len());
        start..end
    };
    input.splice(range, token.repeat(count));
}

/// Journals: most lines that were moved get the number of their new place, so that more than their number is looked at.
fn renumber(lines: &mut [Vec<u8>], chance: &mut Chance) {
    if chance.below(4) == 0 {
        return;
    }
    let mut seq = 0_u64;
    for line in lines {
        let Ok(mut event) = serde_json::from_slice::<Value>(line) else { continue };
        if let Some(Value::Number(number)) = event.get_mut("seq") {
            seq += 1;
            if number.as_u64() != Some(seq) {
                *number = seq.into();
                *line = serde_json::to_vec(&event).unwrap();
            }
        }
    }
}

fn collect(value: &Value, all: &mut Vec<Value>) {
    all.push(value.clone());
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, all)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// How many values there are, this one included.
fn places(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(places).sum(),
        Value::Object(fields) => fields.values().map(places).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The value after `left` others.
fn place<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| place(item, left)),
        Value::Object(fields) => fields.values_mut().find_map(|field| place(field, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
