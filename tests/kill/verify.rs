//! What the output of the query must hold, whenever it was killed.

use std::collections::HashMap;

/// One record that the query wrote, in the order in which a `read_committed` reader of its partition saw it.
#[derive(Clone, Debug)]
pub struct Output {
    pub partition: i32,
    /// The record's key.
    pub device: String,
    /// The event's number over all devices.
    pub id: usize,
    /// The event's number within its device.
    pub n: usize,
    /// The computed column: half of `id`.
    pub half: f64,
}

/// What the query promises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guarantee {
    ExactlyOnce,
    AtLeastOnce,
}

impl Guarantee {
    /// The value of `processing.guarantee`.
    pub fn setting(self) -> &'static str {
        match self {
            Guarantee::ExactlyOnce => "exactly_once_v2",
            Guarantee::AtLeastOnce => "at_least_once",
        }
    }
}

/// Checks that all events `0..sent` came through, as often as promised, in order per device, and computed rightly.
/// Returns the number of repetitions, which is 0 under exactly once.
///
/// At least once, a query that was killed goes back to its last commit: a device's numbers may then jump back, but they
/// never skip one that was not written yet.
pub fn verify(outputs: &[Output], sent: usize, guarantee: Guarantee) -> Result<usize, String> {
    let mut times = vec![0_u32; sent];
    let mut next: HashMap<&str, (usize, i32)> = HashMap::new();
    for output in outputs {
        let Output { partition, device, id, n, half } = output;
        let place = format!("event {id} ({device} number {n}, partition {partition})");
        *times.get_mut(*id).ok_or_else(|| format!("{place} was never sent"))? += 1;
        if *half != *id as f64 / 2.0 {
            return Err(format!("{place} has the wrong result"));
        }
        let (expected, home) = next.entry(device).or_insert((0, *partition));
        if home != partition {
            return Err(format!("{place} is not in partition {home} as the device's events before it"));
        }
        match guarantee {
            Guarantee::ExactlyOnce if n != expected => {
                return Err(format!("{place} comes where number {expected} should"));
            }
            Guarantee::AtLeastOnce if n > expected => {
                return Err(format!("{place} comes before number {expected} was written"));
            }
            _ => *expected = (*expected).max(n + 1),
        }
    }
    let missing: Vec<usize> = (0..sent).filter(|id| times[*id] == 0).collect();
    if !missing.is_empty() {
        return Err(format!(
            "{} of {sent} events are missing, first {:?}",
            missing.len(),
            &missing[..missing.len().min(5)]
        ));
    }
    let repeated = outputs.len() - sent;
    if guarantee == Guarantee::ExactlyOnce && repeated > 0 {
        return Err(format!("{repeated} events were written twice"));
    }
    Ok(repeated)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events with these ids, of two devices that take turns, each in a partition of its own.
    fn outputs(ids: &[usize]) -> Vec<Output> {
        let output = |id: usize| Output {
            partition: (id % 2) as i32,
            device: format!("device-{}", id % 2),
            id,
            n: id / 2,
            half: id as f64 / 2.0,
        };
        ids.iter().map(|id| output(*id)).collect()
    }

    const BOTH: [Guarantee; 2] = [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce];

    #[test]
    fn everything_once_in_order_holds_for_both() {
        for guarantee in BOTH {
            assert_eq!(verify(&outputs(&[0, 1, 2, 3, 4, 5]), 6, guarantee), Ok(0));
            // Only the order within a device counts.
            assert_eq!(verify(&outputs(&[1, 3, 0, 2, 5, 4]), 6, guarantee), Ok(0));
        }
    }

    #[test]
    fn a_missing_event_fails_both_also_the_last_one() {
        for guarantee in BOTH {
            assert!(verify(&outputs(&[0, 1, 3, 4]), 5, guarantee).is_err());
            assert!(verify(&outputs(&[0, 1, 2]), 4, guarantee).is_err());
            assert!(verify(&[], 1, guarantee).is_err());
        }
    }

    #[test]
    fn a_repetition_fails_exactly_once_only() {
        for ids in [[0, 1, 1, 2, 3].as_slice(), &[0, 1, 2, 3, 0, 1, 2, 3], &[0, 2, 2, 1, 3]] {
            assert!(verify(&outputs(ids), 4, Guarantee::ExactlyOnce).is_err(), "{ids:?}");
            assert_eq!(verify(&outputs(ids), 4, Guarantee::AtLeastOnce), Ok(ids.len() - 4), "{ids:?}");
        }
    }

    #[test]
    fn an_event_before_its_forerunner_fails_both() {
        for guarantee in BOTH {
            assert!(verify(&outputs(&[2, 0, 1, 3]), 4, guarantee).is_err());
            assert!(verify(&outputs(&[0, 4, 2, 4, 1, 3]), 5, guarantee).is_err());
        }
    }

    #[test]
    fn a_device_in_two_partitions_fails_both() {
        let mut moved = outputs(&[0, 1, 2, 3]);
        moved[2].partition = 3;
        for guarantee in BOTH {
            assert!(verify(&moved, 4, guarantee).is_err());
        }
    }

    #[test]
    fn a_wrong_result_and_a_stranger_fail_both() {
        let mut wrong = outputs(&[0, 1, 2, 3]);
        wrong[3].half += 1e-9;
        for guarantee in BOTH {
            assert!(verify(&wrong, 4, guarantee).is_err());
            assert!(verify(&outputs(&[0, 1, 2, 3]), 3, guarantee).is_err());
        }
    }
}
