//! What runs otherwise than in ksqlDB, and what deserves a look: about statements that run.

use super::Note;
use crate::catalog::Catalog;
use crate::config::{Applied, meaning};
use crate::session::queries::goes_in_circles;
use crate::session::statement::{Action, Planned, Planner};

/// What there was before a statement was planned.
pub(super) struct Before {
    topics: Vec<String>,
}

impl Before {
    /// As it is now.
    pub fn of(planner: &Planner) -> Before {
        Before { topics: planner.topics().map(ToString::to_string).collect() }
    }

    fn has_topic(&self, name: &str) -> bool {
        self.topics.iter().any(|topic| topic == name)
    }
}

/// What there is to say about a statement that can be carried out.
pub(super) fn of(planned: &Planned, before: &Before, catalog: &Catalog) -> Vec<Note> {
    let mut notes = Vec::new();
    match &planned.action {
        Action::Set { name, .. } | Action::Unset(name) => match meaning(name) {
            Ok(Applied::StandsFor(ours)) => notes.push(Note::Differs(format!("'{name}' is '{ours}' here"))),
            Ok(Applied::Nothing(reason)) => {
                notes.push(Note::Warning(format!("'{name}' has no meaning here, because {reason}")));
            }
            _ => {}
        },
        Action::CreateRelation { relation, .. } => {
            let topic = &relation.topic;
            if topic.partitions.is_none() && !before.has_topic(&topic.name) {
                notes.push(Note::Differs(format!(
                    "on a cluster topic {} must exist; the embedded broker makes it, with 1 partition",
                    topic.name
                )));
            }
            notes.extend(replicas(topic.replicas));
        }
        Action::StartQuery { plan, .. } => {
            if let crate::plan::QueryKind::Persistent(sink) = &plan.plan.kind {
                notes.extend(replicas(sink.topic.replicas));
            }
            notes.extend(goes_in_circles(catalog, &plan.query.id).map(Note::Warning));
        }
        Action::Push { .. } => {
            notes.push(Note::Differs(
                "in a file it runs behind all other statements, beside other push queries".to_string(),
            ));
        }
        Action::Print { topic, .. } if !before.has_topic(topic) => {
            notes.push(Note::Warning(format!("whether topic {topic} exists is not known without a broker")));
        }
        _ => {}
    }
    notes
}

fn replicas(replicas: Option<i16>) -> Option<Note> {
    let replicas = replicas.filter(|replicas| *replicas > 1)?;
    Some(Note::Differs(format!("a cluster makes {replicas} replicas of its topic; the embedded broker is one node")))
}
