//! Who is in a consumer group, and which groups there are.

use std::time::Duration;

use rdkafka::bindings as ffi;
use rdkafka::bindings::rd_kafka_admin_op_t as Op;
use rdkafka::bindings::rd_kafka_consumer_group_state_t as State;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::admin::Admin;
use super::errors::Fault;
use super::native::{check, cstring, text_of};
use super::offsets::patiently;
use crate::error::Result;

impl Admin {
    /// The client ids of a group's members, which are none while it only keeps offsets; `None` when the cluster does not
    /// know the group, or only as one of a protocol that it cannot describe here.
    pub fn group_members(&self, group: &str, wait: Duration) -> Result<Option<Vec<String>>> {
        patiently(wait, || self.group_members_once(group, wait))
    }

    fn group_members_once(&self, group: &str, wait: Duration) -> Result<Option<Vec<String>>> {
        let what = format!("describe group `{group}`");
        let name = cstring(group)?;
        // SAFETY: the name is alive, the request copies it; descriptions live as long as the event.
        let described = unsafe {
            let mut names = [name.as_ptr()];
            let op = Op::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
            let event = self.ask(op, wait, &what, |rk, options, queue| {
                ffi::rd_kafka_DescribeConsumerGroups(rk, names.as_mut_ptr(), 1, options, queue);
            })?;
            let result = ffi::rd_kafka_event_DescribeConsumerGroups_result(event.raw());
            let mut count = 0;
            let groups = ffi::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
            if count == 0 {
                return Ok(None);
            }
            members_of(*groups)
        };
        match described {
            Ok(members) => Ok(members),
            Err(fault) if fault.code == Code::GroupIdNotFound => Ok(None),
            Err(fault) => Err(fault.error(&what)),
        }
    }

    /// The names of all groups, those that only keep offsets included, in alphabetical order.
    pub fn groups(&self, wait: Duration) -> Result<Vec<String>> {
        let what = "list the groups";
        // SAFETY: listings live as long as the event.
        let mut names: Vec<String> = unsafe {
            let op = Op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS;
            let event = self.ask(op, wait, what, |rk, options, queue| {
                ffi::rd_kafka_ListConsumerGroups(rk, options, queue);
            })?;
            let result = ffi::rd_kafka_event_ListConsumerGroups_result(event.raw());
            let mut count = 0;
            let listed = ffi::rd_kafka_ListConsumerGroups_result_valid(result, &mut count);
            (0..count).map(|at| text_of(ffi::rd_kafka_ConsumerGroupListing_group_id(*listed.add(at)))).collect()
        };
        names.sort();
        Ok(names)
    }
}

/// What a description says about members.
///
/// # Safety
/// The description is one of an event that is alive.
unsafe fn members_of(group: *const ffi::rd_kafka_ConsumerGroupDescription_t) -> Result<Option<Vec<String>>, Fault> {
    // SAFETY: the caller's promise; members and their texts belong to the description.
    unsafe {
        let error = ffi::rd_kafka_ConsumerGroupDescription_error(group);
        if !error.is_null() {
            let text = text_of(ffi::rd_kafka_error_string(error));
            check(ffi::rd_kafka_error_code(error)).map_err(|fault| Fault { text, ..fault })?;
        }
        if ffi::rd_kafka_ConsumerGroupDescription_state(group) == State::RD_KAFKA_CONSUMER_GROUP_STATE_DEAD {
            return Ok(None);
        }
        let count = ffi::rd_kafka_ConsumerGroupDescription_member_count(group);
        let member = |at| ffi::rd_kafka_ConsumerGroupDescription_member(group, at);
        Ok(Some((0..count).map(|at| text_of(ffi::rd_kafka_MemberDescription_client_id(member(at)))).collect()))
    }
}
