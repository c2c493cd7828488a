//! A coordinator that is elsewhere or loading, as it is for a moment on every cluster that starts or moves a partition.

use std::process::Command;
use std::time::Duration;

use alcedo::broker::hooks::{ApiKey, Fault, Hooks, ResponseError};
use alcedo::broker::{Broker, Config};
use alcedo::kafka::{Admin, ClientConfig, NewTopic, PartitionOffset, TopicPartition};

const WAIT: Duration = Duration::from_secs(30);
/// Set in the child process that asks the questions.
const CHILD: &str = "ALCEDO_TEST_FAULTS_CHILD";

/// The client library has ended whole processes over these answers, so the questions are asked by a child process.
#[test]
fn committed_offsets_are_asked_for_again_when_the_coordinator_is_elsewhere() {
    if std::env::var_os(CHILD).is_some() {
        return ask();
    }
    let name = "faults::coordinator::committed_offsets_are_asked_for_again_when_the_coordinator_is_elsewhere";
    let this = std::env::current_exe().expect("the test binary knows its path");
    let child = Command::new(this).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output();
    let child = child.expect("the test binary can be run");
    let said = format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success(), "{}\n{said}", child.status);
    assert!(said.contains("1 passed"), "the child ran another test\n{said}");
}

fn ask() {
    let hooks = Hooks::new();
    let broker = Broker::start_blocking(Config { hooks: Some(hooks.clone()), ..Config::default() }).expect("it starts");
    let admin = Admin::connect(&ClientConfig::new(broker.addr().to_string()), WAIT).expect("it answers");
    admin.create_topic(&NewTopic::new("t", 1), WAIT).expect("a topic is made");
    let at = TopicPartition::new(std::sync::Arc::from("t"), 0);
    let offset = PartitionOffset { at: at.clone(), next: 7, metadata: "mine".into() };
    let errors = [
        ResponseError::NotCoordinator,
        ResponseError::CoordinatorNotAvailable,
        ResponseError::CoordinatorLoadInProgress,
    ];
    for error in errors {
        let commit = hooks.add(Fault::refuse(error).of(ApiKey::OffsetCommit).times(2));
        admin.set_committed("g", std::slice::from_ref(&offset), WAIT).expect("the commit is tried again");
        let fetch = hooks.add(Fault::refuse(error).of(ApiKey::OffsetFetch).times(2));
        let found = admin.committed("g", std::slice::from_ref(&at), WAIT).expect("the question is asked again");
        assert_eq!(found, [Some(offset.clone())], "{error}");
        assert_eq!((commit.struck(), fetch.struck()), (2, 2), "{error}");
    }
}
