//! Every store keeps the same promises (`contract`), and the SQLite file survives what processes and disks do to it.

mod contract;
mod disk;
mod etcd;
mod faults;
mod processes;
pub(crate) mod story;

use lifeboat::store::{Etcd, Memory, Sqlite};

use crate::servers::etcd::{Cluster, Shape};

/// One test of each story for each store.
macro_rules! every_store {
    ($($story:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $story() {
                super::contract::$story(&super::Memory::new()).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $story() {
                let folder = tempfile::tempdir().unwrap();
                let store = super::Sqlite::open(&folder.path().join("lifeboat.db")).unwrap();
                super::contract::$story(&store).await;
            })+
        }
        /// Each story on a store of its own.
        pub(crate) async fn every_story(store: impl Fn(&str) -> Etcd) {
            $(contract::$story(&store(stringify!($story))).await;)+
        }
        mod one_member {
            $(#[tokio::test]
            async fn $story() {
                let cluster = super::Cluster::start(&super::Shape::one());
                let store = super::Etcd::open(&cluster.place(&[0])).unwrap();
                super::contract::$story(&store).await;
            })+
        }
    };
}

every_store!(
    a_run_is_read_back_as_it_was_written,
    an_append_of_several_events_is_read_in_order_from_any_point,
    an_existing_sequence_is_refused_and_nothing_of_the_append_is_kept,
    a_gap_in_the_sequence_is_refused,
    one_of_many_appends_at_the_same_place_wins,
    a_stale_term_appends_nothing_and_its_permit_goes_out,
    a_lease_that_was_given_back_appends_nothing,
    a_permit_for_another_group_or_for_rehearsals_appends_nothing,
    a_second_run_under_one_lease_is_refused_until_the_first_is_closed,
    a_rehearsal_shares_the_numbers_and_not_the_lease,
    numbers_have_no_gap_under_eight_openers,
    a_run_begins_with_opened_under_its_own_lease,
    the_summary_says_that_a_run_is_closed,
    a_closed_run_takes_no_events_and_no_orders,
    runs_are_listed_newest_first,
    orders_are_numbered_and_read_in_order,
    a_missing_run_is_named,
    a_held_lease_is_refused_with_what_was_seen,
    a_lease_is_taken_over_only_while_its_revision_is_unchanged,
    one_of_many_contenders_gets_the_lease,
    terms_only_grow,
    losing_the_lease_puts_the_permit_out,
    a_report_replaces_the_observers_last_one,
    a_record_replaces_the_runs_last_one,
    an_order_for_another_term_is_not_taken,
    orders_to_stop_are_kept_in_the_order_they_were_given,
);
