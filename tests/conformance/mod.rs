//! One Kafka conformance suite for two brokers.
//!
//! Every check is a function over a [`BrokerHandle`]; the same code runs against the embedded broker, where each check is a
//! test of its own over a fresh process, and against Apache Kafka, which is right by definition: a check that Kafka does not
//! pass is wrong. Kafka takes five seconds to start, so there all checks share one node, with fresh names for everything, and
//! the test runs only when `ALCEDO_TEST_KAFKA` names the folder with Kafka's jars (`tests/scripts/kafka.sh fetch`).
//!
//! In reading order: `handle` (a broker as a process), `embedded` and `apache` (the two of them), `client` (librdkafka in
//! few words), `wire` (frames by hand), then the checks, grouped by topic; `clients` runs other people's clients.
//!
//! `ALCEDO_TEST_CHECK=text` keeps the Kafka run to the checks whose name holds the text;
//! `ALCEDO_TEST_BACKLOG_MB=500` sets the size of the backlog in `byte_limits_hold_over_a_backlog`.

pub mod apache;
pub mod client;
pub mod embedded;
pub mod handle;
pub mod wire;

mod clients;
mod durability;
mod fencing;
mod fetch;
mod groups;
mod idempotence;
mod offsets;
mod records;
mod retention;
mod static_members;
mod topics;
mod transactions;

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use client::Outcome;
use handle::BrokerHandle;

/// Kafka looks for records to let go of every few minutes, and begins half a minute after its start.
const HURRY: &str = "log.initial.task.delay.ms=100\nlog.retention.check.interval.ms=200\nlog.cleaner.backoff.ms=100\n";

/// A check: the broker is running when it begins, and should be when it ends.
type Check = fn(&mut dyn BrokerHandle) -> Outcome;

/// Lists the checks once: as `ALL`, and as one test each for the embedded broker.
macro_rules! checks {
    ($($group:ident { $($check:ident)* })*) => {
        /// Every check, in the order of the Kafka run: those that kill the broker come last.
        const ALL: &[(&str, Check)] = &[$($((concat!(stringify!($group), "::", stringify!($check)), $group::$check),)*)*];

        mod embedded_broker {
            $(mod $group {
                $(#[test]
                fn $check() {
                    super::super::on_the_embedded_broker(super::super::$group::$check);
                })*
            })*
        }
    };
}

checks! {
    records {
        headers_keys_and_timestamps_come_back
        gzip_batches_stay_gzip
        snappy_batches_stay_snappy
        lz4_batches_stay_lz4
        zstd_batches_stay_zstd
        one_megabyte_records
        a_record_above_the_limit_is_refused
    }
    fetch {
        byte_limits_hold_over_a_backlog
        the_first_batch_comes_whole_above_every_limit
        a_fetch_at_the_end_waits_for_data
        an_offset_out_of_range_is_an_error
    }
    offsets {
        offset_by_timestamp
        watermarks_follow_the_log
    }
    topics {
        create_describe_and_delete
        a_recreated_topic_starts_empty
        deleted_records_move_the_low_watermark
        records_that_cannot_be_deleted
        deleted_records_of_an_open_transaction
        configs_are_set_altered_and_described
        partitions_are_added
        impossible_names_are_refused
        sixty_four_partitions
    }
    groups {
        the_first_message_and_a_clean_rejoin_are_quick
        two_members_share_and_a_leaver_gives_back
        cooperative_members_keep_what_they_have
        a_group_resumes_at_its_committed_offset
        commits_of_an_old_generation_are_refused
        a_silent_member_expires_after_its_session
        groups_are_listed_and_deleted
    }
    static_members {
        a_static_member_comes_back_without_a_rebalance
        an_older_process_with_the_same_instance_id_is_fenced
    }
    retention {
        the_oldest_records_go_beyond_the_retention_size
        compaction_keeps_the_last_value_of_each_key
        compaction_leaves_open_transactions_alone
        a_compacted_topic_refuses_records_without_a_key
        both_policies_hold_together
        records_beyond_the_retention_time_go
    }
    transactions {
        a_commit_makes_everything_visible
        read_committed_hides_aborted_records
        read_committed_stops_at_an_open_transaction
        interleaved_transactions_keep_apart
        offsets_in_a_transaction_count_on_commit_only
        offsets_of_an_old_generation_are_refused
    }
    fencing {
        a_zombie_is_fenced_and_its_records_aborted
        a_zombie_cannot_write
        a_transaction_beyond_its_timeout_is_aborted
        a_timeout_above_the_limit_is_refused
    }
    idempotence {
        a_repeated_batch_is_stored_once
        a_gap_in_the_sequence_is_refused
        an_old_epoch_is_refused
        a_corrupt_batch_is_refused
        the_duplicate_window_survives_a_kill
    }
    durability {
        acknowledged_records_survive_a_kill
        group_offsets_survive_a_kill
        an_open_transaction_survives_a_kill
        outcomes_and_fencing_survive_a_kill
        pending_offsets_survive_a_kill
        topics_survive_a_kill
        retention_and_compaction_survive_a_kill
        deleted_records_stay_deleted
        everything_survives_a_clean_stop
    }
}

/// kcat and Kafka's console tools; not in `ALL`, because they need Kafka's jars on both brokers.
const OTHER_CLIENTS: (&str, Check) = ("clients::kcat_and_the_console_tools", clients::kcat_and_the_console_tools);

/// The same tools against the embedded broker.
#[test]
fn other_clients() {
    if std::env::var_os("ALCEDO_TEST_KAFKA").is_none_or(|jars| jars.is_empty()) {
        let line = "skipped: kcat and Kafka's console tools (ALCEDO_TEST_KAFKA is not set)";
        let _ = writeln!(std::io::stderr(), "{line}");
        return;
    }
    on_the_embedded_broker(OTHER_CLIENTS.1);
}

/// Runs one check over a broker process of its own; its last lines belong to the failure.
fn on_the_embedded_broker(check: Check) {
    let mut broker = embedded::EmbeddedBroker::new().unwrap_or_else(|error| panic!("{error}"));
    broker.start().unwrap_or_else(|error| panic!("{error}"));
    if let Err(error) = check(&mut broker) {
        panic!("{error}\n{}", broker.last_words());
    }
}

/// Runs all checks on one Kafka node, shows the time of each, and reports all failures together.
#[test]
fn apache_kafka() {
    // Written directly: the harness shows captured output only of tests that fail.
    let mut log = std::io::stderr();
    let Some(jars) = std::env::var_os("ALCEDO_TEST_KAFKA").filter(|jars| !jars.is_empty()) else {
        let _ = writeln!(log, "skipped: Apache Kafka (ALCEDO_TEST_KAFKA is not set), {} checks", ALL.len());
        return;
    };
    let only = std::env::var("ALCEDO_TEST_CHECK").unwrap_or_default();
    let began = Instant::now();
    let broker = apache::ApacheKafka::new(Path::new(&jars)).unwrap_or_else(|error| panic!("{error}"));
    let mut broker = broker.with_properties(HURRY);
    broker.start().unwrap_or_else(|error| panic!("{error}"));
    let (mut run, mut failures) = (0, Vec::new());
    for (name, check) in ALL.iter().chain([&OTHER_CLIENTS]).filter(|(name, _)| name.contains(&only)) {
        let check_began = Instant::now();
        let outcome = check(&mut broker);
        let seconds = check_began.elapsed().as_secs_f64();
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        let _ = writeln!(log, "{}: {name} ... {word} ({seconds:.2} s)", broker.name());
        run += 1;
        if let Err(error) = outcome {
            failures.push(format!("{name}: {error}\n{}", broker.last_words()));
            // A check that failed between kill and start left no broker behind.
            broker.restart().unwrap_or_else(|error| panic!("{}\n{error}", failures.join("\n")));
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let _ = writeln!(log, "{}: {run} checks, {} failed, {seconds:.1} s", broker.name(), failures.len());
    assert!(run > 0, "no check's name holds {only:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
