//! How fast something comes, right now.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Over how long a rate remembers.
const MEMORY: Duration = Duration::from_secs(10);

/// The rate of a count that only grows, in units a second, over about the last ten seconds.
///
/// Each look at the count weighs what came since the last one against what was known before, the more the longer that is
/// ago. So it does not matter how often someone looks, and a count that stands still fades to zero.
#[derive(Debug)]
pub struct Rate(Mutex<Last>);

#[derive(Debug, Clone, Copy)]
struct Last {
    at: Instant,
    count: u64,
    per_second: f64,
}

impl Default for Rate {
    fn default() -> Self {
        Rate(Mutex::new(Last { at: Instant::now(), count: 0, per_second: 0.0 }))
    }
}

impl Rate {
    /// Looks at the count; gives units a second.
    pub fn look(&self, count: u64) -> f64 {
        let mut last = self.0.lock();
        *last = last.after(last.at.elapsed(), count);
        last.per_second
    }
}

impl Last {
    fn after(self, elapsed: Duration, count: u64) -> Last {
        let seconds = elapsed.as_secs_f64();
        if seconds <= 0.0 {
            return self;
        }
        let since = count.saturating_sub(self.count) as f64 / seconds;
        let weight = 1.0 - (-seconds / MEMORY.as_secs_f64()).exp();
        let per_second = self.per_second + weight * (since - self.per_second);
        Last { at: self.at + elapsed, count, per_second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(mut last: Last, steps: u32, each: Duration, more: u64) -> Last {
        for _ in 0..steps {
            last = last.after(each, last.count + more);
        }
        last
    }

    #[test]
    fn a_steady_count_has_its_rate_however_often_it_is_looked_at_and_fades_when_it_stands() {
        let start = Last { at: Instant::now(), count: 0, per_second: 0.0 };
        let often = run(start, 600, Duration::from_millis(100), 5);
        let seldom = run(start, 6, Duration::from_secs(10), 500);
        assert!((often.per_second - 50.0).abs() < 0.2, "{often:?}");
        assert!((seldom.per_second - 50.0).abs() < 0.2, "{seldom:?}");
        assert!(often.after(Duration::from_secs(60), often.count).per_second < 0.2);
        assert_eq!(start.after(Duration::ZERO, 9).per_second, 0.0);
    }
}
