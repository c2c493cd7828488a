//! Says when the cluster is lost and when it is back.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::kafka::{Connection, Health};
use crate::notice::Notices;

/// How often the state is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How long a connection must be lost before it is told: clients close and open connections in passing.
const LOST_FOR: Duration = Duration::from_secs(1);

/// Watches on a thread of its own for as long as `owner` lives.
pub fn start(health: Arc<Health>, address: String, notices: Notices, owner: Weak<()>) -> Result<()> {
    let body = move || {
        let mut watch = Watch { lost_since: None, told: false };
        while owner.strong_count() > 0 {
            let up = !matches!(health.connection_state(), Connection::Down { .. });
            match watch.look(up, Instant::now()) {
                Some(Change::Lost) => {
                    let why = health.last_error().map_or(String::new(), |(_, text)| format!(" ({text})"));
                    notices.warning("", format!("lost the broker at {address}{why}; trying again until it is back"));
                }
                Some(Change::Back) => notices.info("", format!("the broker at {address} is back")),
                None => {}
            }
            std::thread::park_timeout(LOOK);
        }
    };
    let thread = std::thread::Builder::new().name("watch".into()).spawn(body);
    thread.map(drop).map_err(|error| Error::external("a thread cannot be started").with_source(error))
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    Lost,
    Back,
}

struct Watch {
    lost_since: Option<Instant>,
    told: bool,
}

impl Watch {
    /// What is new at this moment.
    fn look(&mut self, up: bool, now: Instant) -> Option<Change> {
        if up {
            self.lost_since = None;
            return std::mem::take(&mut self.told).then_some(Change::Back);
        }
        let since = *self.lost_since.get_or_insert(now);
        let lost = !self.told && now - since >= LOST_FOR;
        self.told |= lost;
        lost.then_some(Change::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_once_after_a_second_and_so_is_the_return() {
        let mut watch = Watch { lost_since: None, told: false };
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(watch.look(true, at(0)), None);
        assert_eq!(watch.look(false, at(100)), None);
        assert_eq!(watch.look(true, at(600)), None, "a short loss is not told");
        assert_eq!(watch.look(false, at(700)), None);
        assert_eq!(watch.look(false, at(1800)), Some(Change::Lost));
        assert_eq!(watch.look(false, at(9000)), None);
        assert_eq!(watch.look(true, at(9500)), Some(Change::Back));
        assert_eq!(watch.look(true, at(9900)), None);
    }
}
