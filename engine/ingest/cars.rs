//! Readings of imaginary cars, as the car sensor demo's shell script makes them.
//!
//! Each reading is a walk of 210 values that rises and falls in stretches of 1 to 10 steps, in hundredths between
//! about 2 and 8. The script is `sensor_generator.sh` of `kaiwaehner/ksql-udf-deep-learning-mqtt-iot`; with the same
//! seed this gives the same values, so that scores can be compared with those of the original. That takes its quirks along:
//!
//! - numbers come from bash's `$RANDOM`, the minimal standard generator of Park and Miller ("Random number generators:
//!   good ones are hard to find", CACM 1988), folded to 15 bits, never twice the same in a row;
//! - a value is sent as its first digit, a point and the next two, so 10.34 is sent as `1.03` and 0.95 as `9.5`, and the
//!   next stretch starts from what was sent.
//!
//! Two things differ. The script sends the same event id every time; here they count up, so that every reading can be
//! told from the others. And a value never falls below 0.10: there the script sends texts like `4.` and then breaks.

/// Values in a reading.
const VALUES: usize = 210;
/// Hundredths at which a falling stretch turns, and a rising one.
const LOW: i64 = 200;
const HIGH: i64 = 800;

/// One reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Counts up from 1.
    pub event_id: i32,
    /// 210 values with `# ` between them.
    pub text: String,
}

/// Endless readings, always the same ones for a seed.
#[derive(Debug, Clone)]
pub struct Cars {
    random: BashRandom,
    /// The value last sent, in hundredths.
    last: i64,
    next_id: i32,
}

impl Cars {
    /// The readings of a seed.
    pub fn new(seed: u32) -> Self {
        let mut random = BashRandom::new(seed);
        let whole = loop {
            let whole = random.below(8);
            if whole >= 2 {
                break whole;
            }
        };
        let last = whole * 100 + random.below(100);
        Cars { random, last, next_id: 1 }
    }
}

impl Iterator for Cars {
    type Item = Reading;

    fn next(&mut self) -> Option<Reading> {
        let mut text = String::with_capacity(VALUES * 6);
        let mut sent = 0;
        while sent < VALUES {
            let steps = (self.random.below(10) as usize + 1).min(VALUES - sent);
            let mut rising = self.random.below(2) == 1;
            let mut value = self.last;
            for _ in 0..steps {
                let largest = if self.random.below(2) == 0 { 10 } else { 100 };
                let step = self.random.below(largest);
                value = (value + if rising { step } else { -step }).max(10);
                if sent > 0 {
                    text.push_str("# ");
                }
                self.last = send(value, &mut text);
                sent += 1;
                if !rising && value <= LOW {
                    rising = true;
                } else if rising && value >= HIGH {
                    rising = false;
                }
            }
        }
        let event_id = self.next_id;
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        Some(Reading { event_id, text })
    }
}

/// Appends the first digit, a point and the next two digits of a number of hundredths; returns those digits as a number.
fn send(value: i64, text: &mut String) -> i64 {
    let sent = if value >= 1000 { value / 10 } else { value };
    let mut digits = itoa::Buffer::new();
    let (first, rest) = digits.format(sent).split_at(1);
    text.extend([first, ".", rest]);
    sent
}

/// `$RANDOM` of bash 5.1 and later.
#[derive(Debug, Clone)]
struct BashRandom {
    state: u64,
    last: u64,
}

impl BashRandom {
    fn new(seed: u32) -> Self {
        BashRandom { state: u64::from(seed), last: 0 }
    }

    /// A number from 0 to `bound` - 1.
    fn below(&mut self, bound: u64) -> i64 {
        loop {
            // Zero is a fixed point of the generator, so bash starts elsewhere.
            let state = if self.state == 0 { 123_459_876 } else { self.state };
            self.state = state * 16_807 % 0x7fff_ffff;
            let value = ((self.state >> 16) ^ self.state) & 0x7fff;
            if value != self.last {
                self.last = value;
                return (value % bound) as i64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_bash() {
        // bash -c 'RANDOM=42; echo $RANDOM $RANDOM $RANDOM $RANDOM'
        let mut random = BashRandom::new(42);
        let numbers: Vec<i64> = (0..4).map(|_| random.below(1 << 15)).collect();
        assert_eq!(numbers, [17772, 26794, 1435, 24388]);
    }

    #[test]
    fn readings_are_those_of_the_script() {
        let first = Cars::new(42).next().expect("endless");
        assert!(
            first.text.starts_with("4.86# 4.77# 4.24# 3.38# 2.85# 2.78# 2.76# 2.71# 2.68# 2.32#"),
            "{}",
            first.text
        );
        assert!(first.text.ends_with("8.36# 8.36# 8.27# 7.44# 7.36# 7.28"), "{}", first.text);
    }

    /// Lines of the script, seed 42: `id,text,...`. Kept outside the project.
    #[test]
    fn many_readings_are_those_of_the_script() {
        let directory = std::env::var("ALCEDO_SEED_MODEL_DIR").unwrap_or_else(|_| "../shared/seed_model".into());
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join("seed_lines.csv");
        let Ok(file) = std::fs::read_to_string(&path) else {
            eprintln!("skipped 1: no {}", path.display());
            return;
        };
        let lines: Vec<&str> = file.lines().filter(|line| line.starts_with("gen")).collect();
        assert!(!lines.is_empty());
        for (line, reading) in lines.iter().zip(Cars::new(42)) {
            assert_eq!(line.split(',').nth(1), Some(reading.text.as_str()));
        }
    }

    #[test]
    fn every_value_has_a_digit_a_point_and_one_or_two_digits() {
        for (index, reading) in Cars::new(7).take(2_000).enumerate() {
            assert_eq!(reading.event_id as usize, index + 1);
            let values: Vec<&str> = reading.text.split("# ").collect();
            assert_eq!(values.len(), VALUES);
            for value in values {
                let shape: Vec<bool> = value.bytes().map(|byte| byte.is_ascii_digit()).collect();
                assert!(matches!(shape[..], [true, false, true] | [true, false, true, true]), "{value}");
            }
        }
    }
}
