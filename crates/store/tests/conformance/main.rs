//! What every adapter of the ports must do. A behaviour is a function over [`Adapter`]; [`conformance!`] makes each of
//! them a test of one adapter.

#![allow(missing_docs, reason = "the names of the behaviours say what they are")]

mod access;
mod acknowledgments;
mod along;
mod apply;
mod beside;
mod bulk;
mod code_items;
mod coverage;
mod custom;
mod forward;
mod guarded;
mod harness;
mod history;
mod identity;
mod intake;
mod journal;
mod ledger;
mod linked;
mod messages;
mod model;
mod modifiers;
mod naive;
mod newest;
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
mod reindex;
mod resources;
mod retention;
mod samples;
mod search;
#[cfg(feature = "postgres")]
mod server;
mod sqlite;
mod statistics;
mod withdrawal;

/// Instantiates every behaviour for the adapter that the second expression makes, unless the first says that what it needs
/// is absent.
macro_rules! conformance {
    ($absent:expr; $adapter:expr; $($module:ident: $($behaviour:ident)+;)+) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $behaviour() {
                if $absent {
                    return;
                }
                crate::$module::$behaviour(&$adapter).await;
            })+
        })+
    };
    ($absent:expr; $adapter:expr) => {
        conformance! { $absent; $adapter;
            journal:
                an_entry_is_read_back_whole a_large_entry_is_read_back_whole_beside_small_ones
                positions_ascend_from_one_without_gaps positions_continue_after_a_restart
                concurrent_arrivals_each_get_one_position
                a_duplicate_gets_the_stored_acknowledgment duplicates_of_one_batch_become_one_entry
                other_bytes_with_the_same_control_id_are_new_and_flagged
                other_senders_share_control_ids_freely a_duplicate_after_seven_days_is_new
                a_duplicate_is_known_after_a_restart a_duplicate_is_known_across_the_turn_of_the_month
                refused_entries_are_kept_and_never_duplicates entries_without_a_sender_are_never_duplicates
                an_outcome_is_seen_after_a_later_commit an_outcome_survives_closing
                a_window_has_what_was_received_in_it months_are_read_in_the_order_of_positions
                readers_are_woken_after_the_commit an_unknown_entry_is_none an_entry_id_is_given_once
                an_edited_child_is_no_duplicate_and_makes_none
                what_follows_is_read_in_pages_of_bounded_size
                the_character_set_of_the_channel_is_kept;
            acknowledgments:
                what_is_not_owed_is_kept_as_a_code_and_never_replayed
                a_promise_is_read_until_it_is_kept the_first_of_a_stage_stands
                what_is_given_later_is_read_back_with_its_outcome
                what_is_not_owed_after_all_keeps_the_promise what_is_owed_still_is_found_after_a_restart
                an_unknown_entry_is_given_nothing promises_of_two_months_are_read_in_order
                what_became_of_messages_is_read_for_those_applied;
            apply:
                a_set_is_written_whole entries_are_applied_once applied_through_continues_after_a_restart
                a_set_that_fails_leaves_nothing no_entry_is_passed_over_when_a_set_before_it_fails
                sets_are_applied_in_the_order_of_the_calls a_version_is_written_once
                a_reprocessed_message_replaces_its_row
                a_message_may_be_reprocessed_in_the_batch_that_applied_it what_was_never_applied_is_not_reprocessed
                aliases_lead_to_the_last_patient an_alias_is_taken_back
                pseudonyms_are_found_by_destination_and_subject a_pseudonym_is_given_once
                a_compartment_has_the_live_resources_of_its_patient
                messages_of_a_patient_include_those_of_its_aliases;
            bulk:
                many_resources_are_read_as_each_is many_aliases_are_read_as_each_is
                numbers_of_many_patients_are_read_as_of_each compartments_of_many_are_read_as_of_each;
            guarded:
                guards_on_a_version_hold_for_it_alone guards_on_a_resource_tell_what_stands
                guards_on_a_search_see_what_is_written sets_see_those_before_them_and_fail_together
                sets_of_one_commit_follow_one_another
                of_many_at_once_one_finds_nothing_there an_origin_is_read_back;
            resources:
                old_versions_are_kept a_deletion_is_a_version_that_no_search_finds
                tokens_match_by_code_and_system references_match_by_type_and_id
                clauses_are_and_and_values_are_or a_new_version_replaces_its_index_entries
                pages_follow_one_another_to_the_end counts_are_of_live_resources
                a_search_by_id_finds_only_its_type bodies_of_all_sizes_come_back
                a_reference_to_what_is_not_stored_is_found_and_reads_as_none
                a_resource_may_change_twice_in_one_set totals_are_given_where_they_are_cheap;
            search:
                dates_match_by_their_interval strings_match_from_the_start_whole_and_anywhere
                numbers_match_by_precision_and_unit uris_match_whole_and_as_they_are
                not_and_missing_find_what_has_no_value the_last_change_is_an_instant
                sorted_pages_put_missing_values_last many_matches_are_walked_in_the_order_of_an_index
                a_page_looks_at_no_more_than_its_limit what_comes_along_is_one_step_away_and_each_once
                many_matches_are_put_into_any_order what_comes_along_has_a_limit;
            history:
                histories_are_newest_first_and_page histories_begin_at_an_instant_whatever_the_clock_did
                histories_at_an_instant_have_what_was_current a_page_by_time_looks_at_no_more_than_its_limit;
            custom:
                what_stood_before_is_found_once_all_of_it_is_indexed a_walk_goes_on_after_a_restart
                writes_during_a_walk_keep_up_with_it a_changed_definition_is_indexed_anew
                a_parameter_that_went_leaves_no_rows an_empty_store_is_ready_at_once
                one_more_parameter_leaves_the_others_usable every_kind_is_found_and_sorted
                a_part_is_bounded_by_bytes searches_by_them_agree_with_a_naive_reading;
            beside:
                a_large_write_holds_up_no_reader_and_shows_no_part_of_itself;
            newest:
                they_come_as_every_other_way_has_them what_changes_moves_and_what_goes_is_gone
                of_a_patient_with_many_a_page_is_a_page;
            modifiers:
                units_of_one_dimension_are_compared a_bound_stands_for_all_that_it_can_be
                uris_are_compared_along_their_path words_beside_codes_are_found identifiers_are_found_by_their_type
                parts_of_a_composite_hold_of_one_element canonicals_are_found_with_and_without_version
                logical_references_are_found_by_identifier missing_is_about_all_that_is_indexed;
            linked:
                chains_lead_over_several_hops what_refers_here_is_asked_nested
                chains_over_many_are_never_cut
                includes_repeat_until_nothing_is_new searches_of_several_types_page_by_number;
            along:
                clauses_hold_together_wherever_they_stand clauses_hold_together_over_many
                only_what_may_comes_along_and_the_rest_leaves_no_trace
                none_of_many_is_tested_and_never_looked_for;
            naive:
                searches_agree_with_a_naive_reading searches_over_many_agree_with_a_naive_reading;
            model:
                searches_agree_with_a_model;
            messages:
                the_list_is_newest_first_and_pages keys_are_found_whatever_their_case
                filters_hold_together types_and_senders_are_found_whole_or_by_their_first_part
                a_detail_has_all_that_came_of_a_message
                a_reprocess_is_requested_once_and_settled_once states_are_counted
                an_applied_edit_resolves_all_that_it_was_made_of neighbours_are_those_of_the_filtered_list
                the_latest_request_of_a_message_tells_what_became_of_it;
            identity:
                an_identifier_has_one_holder_and_follows_merges identifiers_of_a_patient_include_those_of_its_aliases
                a_review_is_raised_once_and_answered_once an_answer_reprocesses_every_message_that_waits
                a_decision_is_found_from_either_side_and_under_aliases the_last_decision_counts
                a_decision_about_nobody_is_refused a_message_says_who_is_who_until_a_person_does;
            outbox:
                a_lane_is_first_in_first_out a_waiting_row_holds_its_lane_back
                a_dead_row_does_not_block_its_lane a_settled_delivery_is_not_claimed_again
                settling_is_all_or_nothing the_backlog_counts_what_is_pending
                what_was_claimed_comes_again_after_a_restart destinations_do_not_mix;
            forward:
                a_forward_is_queued_with_its_message a_set_whose_forward_has_no_lane_is_refused_whole
                a_forward_that_waits_holds_back_its_lanes_alone
                a_merge_is_serialised_with_both_of_its_patients a_forward_of_every_lane_goes_alone
                a_long_queue_behind_one_patient_is_looked_past what_was_taken_over_is_pending_and_says_so
                a_dead_forward_lets_its_lane_go_on_and_can_be_revived a_settled_forward_is_not_settled_again
                forwards_come_again_after_a_restart_and_numbers_go_on
                backlogs_of_forwards_are_told_by_destination
                delivered_forwards_go_after_their_time_and_nothing_else;
            intake:
                an_arrival_is_stored_with_receipt_and_record a_duplicate_arrival_writes_nothing
                versions_of_the_portal_are_consecutive an_older_version_is_acknowledged_and_not_written
                duplicates_in_one_call_are_found the_largest_witness_is_kept
                arrivals_survive_a_restart;
            ledger:
                records_are_unsealed_until_they_are_numbered leaves_of_both_files_read_back_in_order
                numbers_have_no_gap a_record_is_sealed_once a_checkpoint_may_be_renewed
                sealing_continues_after_a_restart the_oldest_unsealed_record_is_known;
            statistics:
                feeds_are_counted_by_minute_and_channel a_reprocess_says_nothing_of_a_feed
                what_waits_is_told_by_channel held_messages_are_grouped_by_reason
                the_boundary_counts_messages_once_in_each_line backlogs_are_told_by_destination;
            withdrawal:
                what_is_queued_stands_under_its_released_id a_withdrawal_ends_what_stands_and_overtakes_what_waits
                the_highest_revision_says_what_stands content_that_waits_under_another_basis_is_not_known
                of_what_died_it_is_not_known_what_stands
                a_dead_withdrawal_keeps_its_lane_back_until_it_is_revived
                dead_content_is_revived_unless_something_newer_was_queued
                a_compartment_has_the_live_resources_of_the_types_asked_for
                what_is_decided_without_a_message_is_written_whole a_decision_that_fails_leaves_nothing
                requests_about_consent_come_until_they_are_answered
                a_sweep_looks_at_patients_and_shared_entities_in_order a_sweep_adds_up_and_ends_once
                a_new_sweep_abandons_the_one_that_runs what_does_not_go_out_is_told_by_destination
                withdrawals_are_counted_by_reason;
            coverage:
                leaves_are_counted_by_sender_and_day
                a_message_is_counted_once_however_often_it_is_processed
                a_new_gap_of_a_learned_sender_is_an_alert_once
                an_alert_is_acknowledged_once_and_does_not_come_again a_flood_of_new_fields_is_bounded
                old_days_go_when_a_new_day_begins;
            code_items:
                codes_are_items_with_counts_and_examples
                a_message_misses_a_code_once_however_often_it_is_processed
                what_is_mapped_asks_for_each_patient_once an_item_is_checked_once_for_each_package
                a_code_that_is_missed_again_is_open_again a_restart_goes_on_asking_where_it_was
                free_text_does_not_become_an_item_each;
            retention:
                months_are_told_with_what_keeps_them a_month_that_nothing_keeps_goes_whole
                what_was_dropped_is_known_after_a_restart a_hold_on_a_month_keeps_it_until_it_is_released
                a_hold_on_a_number_keeps_the_months_of_its_patients quarantine_keeps_a_month_until_it_is_resolved
                what_did_not_arrive_keeps_a_month a_promise_keeps_a_month_until_it_is_given
                what_keeps_a_month_is_asked_again_when_it_goes every_entry_of_a_month_is_verified;
            access:
                a_record_of_access_is_durable_on_return concurrent_records_are_all_kept
                accesses_of_a_message_are_read_newest_first;
        }
    };
}
use conformance;
