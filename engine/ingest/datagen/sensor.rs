//! The model of a sensor: a level of its own, a season, noise, and now and then an anomaly, which a label names.
//!
//! A reading is a function of seed, sensor and number, without a state: so any of them can be had at once, in any order, and
//! the same seed gives the same readings on every machine (plain arithmetic, no function of the system's mathematics library).
//!
//! Readings of a sensor come in blocks of a hundred; a block has at most one anomaly, the first has none, so that a detector can
//! warm up:
//!
//! - spike: one reading far off;
//! - drift: the level runs away for 30 to 60 readings, then jumps back;
//! - stuck: for 10 to 40 readings the value before them, to the last digit.

/// Readings in a block.
const BLOCK: u64 = 100;

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// The value in hundredths.
    pub(super) hundredths: i64,
    /// What it is: `normal`, `spike`, `drift` or `stuck`.
    pub(super) label: &'static str,
}

/// All sensors of a seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sensors {
    seed: u64,
    season: u64,
    /// Chance of an anomaly in a block.
    chance: f64,
}

/// What the random numbers of a sensor are for.
#[derive(Debug, Clone, Copy)]
enum Use {
    Level,
    Swing,
    Phase,
    Spread,
    Noise,
    Anomaly,
    Kind,
    Length,
    Begin,
    Size,
}

impl Sensors {
    /// The sensors of a seed; `season` in readings, `anomalies` in ten thousand readings.
    pub(super) fn new(seed: u32, season: u64, anomalies: u64) -> Sensors {
        let chance = (anomalies * BLOCK) as f64 / 10_000.0;
        // The first block has none, which is too little to make up for.
        Sensors { seed: mix(u64::from(seed)), season, chance }
    }

    /// Reading `number`, counted from 0, of a sensor.
    pub(super) fn reading(&self, sensor: u64, number: u64) -> Reading {
        let block = number / BLOCK;
        let within = number % BLOCK;
        let (level, swing, spread) = (
            15.0 + 20.0 * self.uniform(sensor, Use::Level, 0),
            2.0 + 4.0 * self.uniform(sensor, Use::Swing, 0),
            0.2 + 0.3 * self.uniform(sensor, Use::Spread, 0),
        );
        let normal = |number: u64| {
            let season = match self.season {
                0 => 0.0,
                season => {
                    let turn = (number % season) as f64 / season as f64 + self.uniform(sensor, Use::Phase, 0);
                    swing * sine(turn - turn.floor())
                }
            };
            level + season + spread * self.normal(sensor, number)
        };
        let hundredths = |value: f64| (value * 100.0).round() as i64;
        if block == 0 || self.uniform(sensor, Use::Anomaly, block) >= self.chance {
            return Reading { hundredths: hundredths(normal(number)), label: "normal" };
        }
        let of = |what| self.uniform(sensor, what, block);
        let (label, length) = match (of(Use::Kind) * 3.0) as u64 {
            0 => ("spike", 1),
            1 => ("drift", 30 + (of(Use::Length) * 31.0) as u64),
            _ => ("stuck", 10 + (of(Use::Length) * 31.0) as u64),
        };
        let begin = 5 + (of(Use::Begin) * (BLOCK - 5 - length) as f64) as u64;
        if !(begin..begin + length).contains(&within) {
            return Reading { hundredths: hundredths(normal(number)), label: "normal" };
        }
        // Up or down, by three times to five times what a season and the noise move.
        let size = (swing + spread) * (3.0 + 2.0 * (2.0 * of(Use::Size) - 1.0).abs());
        let size = if of(Use::Size) < 0.5 { -size } else { size };
        let value = match label {
            "spike" => normal(number) + size,
            "drift" => normal(number) + size * (within - begin + 1) as f64 / length as f64,
            _ => normal(block * BLOCK + begin - 1),
        };
        Reading { hundredths: hundredths(value), label }
    }

    /// A number from 0 up to 1, without 1.
    fn uniform(&self, sensor: u64, what: Use, index: u64) -> f64 {
        let bits = mix(mix(mix(self.seed ^ sensor) ^ (what as u64 + 1)) ^ index);
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number that is normally distributed, nearly: a sum of twelve even ones, as wide as it should be.
    fn normal(&self, sensor: u64, number: u64) -> f64 {
        let bits = mix(mix(mix(self.seed ^ sensor) ^ (Use::Noise as u64 + 1)) ^ number);
        let other = mix(bits);
        // Six numbers of ten bits from each of two words.
        let sum: u64 = (0..6).map(|part| ((bits >> (part * 10)) & 1023) + ((other >> (part * 10)) & 1023)).sum();
        sum as f64 / 1023.0 - 6.0
    }
}

/// The sine of a part of a turn, 0 to 1, to a thousandth: two parabolas, bent a little.
fn sine(turn: f64) -> f64 {
    let half = 1.0 - 2.0 * turn;
    let bow = 4.0 * half * (1.0 - half.abs());
    bow + 0.225 * (bow * bow.abs() - bow)
}

/// SplitMix64's finalizer (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): equal inputs
/// give equal numbers, near ones give unrelated ones.
fn mix(input: u64) -> u64 {
    let mut bits = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: u64 = 20_000;

    #[test]
    fn the_first_readings_of_a_seed_are_these() {
        let sensors = Sensors::new(1, 1440, 20);
        let first: Vec<i64> = (0..3).map(|number| sensors.reading(0, number).hundredths).collect();
        assert_eq!(first, [2394, 2366, 2366]);
        assert_ne!(Sensors::new(2, 1440, 20).reading(0, 0), sensors.reading(0, 0));
        assert_ne!(sensors.reading(1, 0), sensors.reading(0, 0));
    }

    #[test]
    fn the_sine_is_one() {
        for step in 0..1000 {
            let turn = f64::from(step) / 1000.0;
            let exact = (turn * std::f64::consts::TAU).sin();
            assert!((sine(turn) - exact).abs() < 0.002, "{turn}: {} and {exact}", sine(turn));
        }
    }

    #[test]
    fn the_noise_is_as_wide_as_it_should_be() {
        let sensors = Sensors::new(7, 0, 0);
        let noise: Vec<f64> = (0..MANY).map(|number| sensors.normal(3, number)).collect();
        let mean = noise.iter().sum::<f64>() / MANY as f64;
        let variance = noise.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / MANY as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn anomalies_of_each_kind_come_about_as_often_as_asked_and_look_like_it() {
        let sensors = Sensors::new(1, 1440, 50);
        let readings: Vec<Reading> = (0..MANY).map(|number| sensors.reading(0, number)).collect();
        assert!(readings[..100].iter().all(|reading| reading.label == "normal"), "a detector can warm up");
        let begins = |label: &str| -> Vec<usize> {
            (1..readings.len()).filter(|at| readings[*at].label == label && readings[at - 1].label != label).collect()
        };
        for label in ["spike", "drift", "stuck"] {
            let found = begins(label).len();
            assert!((15..=55).contains(&found), "{found} of {label}");
        }
        for at in begins("stuck") {
            assert_eq!(readings[at].hundredths, readings[at - 1].hundredths, "as the one before, {at}");
            assert_eq!(readings[at].hundredths, readings[at + 9].hundredths, "and the next ones, {at}");
        }
        for at in begins("spike") {
            let jump = (readings[at].hundredths - readings[at - 1].hundredths).abs();
            assert!(jump > 300, "a spike of {jump} at {at}");
        }
    }
}
