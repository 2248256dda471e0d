//! All rows, in the order of their numbers.

use super::Holds::{Absent, At, Empty, Header, Says};
use super::{Row, Shown, Step, refused, search};
use crate::{batch, writes};

/// The rows of every case.
pub fn all() -> impl Iterator<Item = &'static Row> {
    WRITES.iter().chain(search::ROWS).chain(REST)
}

static WRITES: &[Row] = &[
    (
        1,
        "a create has an id of the server",
        Shown::Tests(&[writes::case_1_and_2_a_create_has_an_id_and_a_version_of_the_server]),
    ),
    (2, "the media type of an answer", Shown::Steps(MEDIA)),
    (
        3,
        "what cannot be sent or read",
        Shown::Tests(&[writes::case_3_what_is_not_sent_or_read_as_json_is_told]),
    ),
    (3, "_format wins over Accept", Shown::Steps(FORMAT)),
    (4, "JSON is strict", Shown::Tests(&[writes::case_4_json_is_strict_and_told_by_line_and_column])),
    (
        5,
        "content is validated",
        Shown::Tests(&[writes::case_5_what_is_not_r4_is_told_by_its_element_and_never_stored]),
    ),
    (6, "what is not there", Shown::Steps(NOT_THERE)),
    (7, "conditional reads", Shown::Steps(CONDITIONAL)),
    (
        8,
        "ids of body and address",
        Shown::Tests(&[
            writes::case_8_and_11_ids_are_those_of_the_address,
            batch::case_23_one_bad_entry_is_named_and_nothing_is_done,
        ]),
    ),
    (
        9,
        "update that creates",
        Shown::Tests(&[writes::case_9_an_update_creates_and_the_same_again_changes_nothing]),
    ),
    (10, "conditions on versions", Shown::Tests(&[writes::case_10_conditions_on_the_version_hold])),
    (11, "ids", Shown::Tests(&[writes::case_8_and_11_ids_are_those_of_the_address])),
    (12, "deletion", Shown::Tests(&[writes::case_12_and_13_a_deletion_is_a_version_and_can_be_undone])),
    (
        13,
        "histories",
        Shown::Tests(&[
            writes::case_12_and_13_a_deletion_is_a_version_and_can_be_undone,
            crate::stored::histories_tell_versions_and_the_portal_tells_no_instant,
        ]),
    ),
    (13, "_since and _at of a history", Shown::Steps(SINCE)),
    (
        13,
        "a history that has no gap",
        Shown::Elsewhere(
            "The conformance suite of the store: histories begin at an instant whatever the clock did, and stand in the order of the changes.",
        ),
    ),
    (
        14,
        "Prefer: return",
        Shown::Tests(&[
            writes::case_14_the_answer_is_what_is_preferred,
            batch::conditions_patches_and_preferences_hold_inside,
        ]),
    ),
    (
        15,
        "conditional changes",
        Shown::Tests(&[writes::case_15_conditional_changes_mean_one_resource_and_never_all]),
    ),
    (
        16,
        "conditional create",
        Shown::Tests(&[
            writes::case_16_a_conditional_create_makes_one_and_finds_it_again,
            writes::case_16_of_sixteen_at_once_one_is_made,
        ]),
    ),
    (
        17,
        "JSON Patch; FHIRPath Patch is refused by name",
        Shown::Tests(&[
            writes::case_17_a_patch_is_done_whole_or_not_at_all,
            batch::conditions_patches_and_preferences_hold_inside,
        ]),
    ),
    (18, "sizes", Shown::Tests(&[writes::case_18_a_body_has_a_limit_packed_or_not])),
    (19, "an error echoes nothing and has the number of its request", Shown::Steps(ERRORS)),
    (
        20,
        "references between entries",
        Shown::Tests(&[batch::case_20_references_between_entries_are_rewritten_everywhere]),
    ),
    (
        21,
        "order of a transaction",
        Shown::Tests(&[batch::case_21_entries_are_done_in_the_order_of_the_standard_and_answered_in_theirs]),
    ),
    (
        22,
        "conditional references",
        Shown::Tests(&[batch::case_22_a_conditional_reference_means_one_or_nothing_is_done]),
    ),
    (23, "one bad entry", Shown::Tests(&[batch::case_23_one_bad_entry_is_named_and_nothing_is_done])),
    (24, "batch", Shown::Tests(&[batch::case_24_the_entries_of_a_batch_stand_alone])),
    (
        25,
        "bundles of other types",
        Shown::Tests(&[batch::case_25_what_is_no_batch_or_transaction_is_refused]),
    ),
    (
        26,
        "a transaction sent again",
        Shown::Tests(&[batch::case_26_a_transaction_that_is_sent_again_makes_nothing_twice]),
    ),
];

static REST: &[Row] = &[
    (
        54,
        "scopes of one patient",
        Shown::Elsewhere(
            "The SMART matrix (client, scope, interaction) beside the authorization of this crate.",
        ),
    ),
    (55, "what names two patients", Shown::Tests(&[crate::linked::everything_of_one_brings_nobody_else])),
    (56, "scopes with a query", Shown::Elsewhere("The SMART matrix beside the authorization of this crate.")),
    (
        57,
        "no token, no existence",
        Shown::Tests(&[crate::access::without_a_token_of_this_node_there_is_nothing]),
    ),
    (
        58,
        "labels and consent",
        Shown::Tests(&[
            crate::scopes::a_label_hides_from_the_next_request_on,
            crate::consent::what_is_denied_is_hidden_from_the_next_request_on,
            crate::consent::what_is_denied_is_not_written_and_not_exported,
        ]),
    ),
    (
        58,
        "labels and consent, of what was released",
        Shown::Elsewhere(
            "The residency stories of tests/e2e: what consent or a label denies is withdrawn from the cloud at the next change.",
        ),
    ),
    (
        59,
        "the de-identified surface",
        Shown::Tests(&[
            crate::portal::a_parameter_that_could_test_a_removed_element_is_not_there,
            crate::portal::time_is_told_to_the_year,
            crate::search::links_never_carry_an_identifier,
            crate::portal::small_totals_are_not_told_of_many_people,
        ]),
    ),
    (
        60,
        "the CapabilityStatement is true",
        Shown::Tests(&[
            crate::capabilities::the_statement_is_valid_and_open_and_cached,
            crate::stated_parameters::every_stated_parameter_finds_who_holds_a_value_and_nobody_else,
            crate::stated_includes::every_stated_include_brings_what_it_names,
            crate::stated_interactions::every_stated_read_works_on_every_type_and_no_other,
            crate::stated_interactions::every_stated_write_works_on_every_type,
        ]),
    ),
    (
        61,
        "a record of every access, or no data",
        Shown::Tests(&[
            crate::access::every_read_and_search_is_recorded,
            crate::access::without_a_committed_record_there_is_no_data,
            writes::a_token_for_reading_does_not_write_and_refusals_are_recorded,
        ]),
    ),
    (
        62,
        "readers beside a large transaction",
        Shown::Tests(&[batch::a_large_transaction_does_not_disturb_readers]),
    ),
    (
        63,
        "search parameters of one's own",
        Shown::Tests(&[
            crate::custom::nothing_is_found_by_a_part_of_an_index_and_progress_is_told,
            crate::custom::what_is_stated_is_what_can_be_asked_for,
        ]),
    ),
    (
        64,
        "subscriptions",
        Shown::Not(
            "Subscriptions are not of this release; the CapabilityStatement lists none of their operations.",
        ),
    ),
];

const SINCE: &[Step] = &[
    refused(
        "Patient/ada/_history?_since=2020-01-01T00:00:00Z",
        200,
        &[At("/type", "history"), At("/total", "1"), At("/entry/0/response/etag", "W/\"1\"")],
    ),
    // Made at this very microsecond, which `_since` holds, and not at the next.
    refused("Patient/ada/_history?_since=2026-09-21T14:13:20.123457Z", 200, &[At("/total", "1")]),
    refused(
        "Patient/ada/_history?_since=2026-09-21T14:13:20.123458Z",
        200,
        &[At("/total", "0"), Absent("/entry")],
    ),
    refused("Patient/ada/_history?_at=2026-09-21", 200, &[At("/total", "1")]),
    refused("Patient/ada/_history?_at=2026-09-20", 200, &[At("/total", "0")]),
    refused("Patient/nope/_history?_since=2020-01-01T00:00:00Z", 404, &[]),
    refused(
        "Patient/_history?_since=2020-01-01T00:00:00Z&_count=2",
        200,
        &[
            At("/entry/0/fullUrl", "http://node.example/fhir/Patient/cy"),
            Absent("/entry/2"),
            At("/link/1/relation", "next"),
        ],
    ),
    refused("_history?_count=1", 200, &[At("/entry/0/resource/id", "risk"), At("/link/1/relation", "next")]),
    refused("_history?_since=2020-01-01T00:00:00+01:00", 400, &[Says("%2B")]),
    refused("_history?_since=2020", 400, &[Says("2026-01-01T00:00:00Z")]),
    refused("_history?_sort=_id", 400, &[Says("valid: _count, _since, _at")]),
];
const MEDIA: &[Step] = &[
    Step {
        method: "GET",
        path: "Patient/ada",
        headers: &[("accept", "*/*")],
        body: "",
        status: 200,
        holds: &[Header("content-type", "application/fhir+json; charset=utf-8")],
    },
    refused("Patient/ada", 200, &[Header("content-type", "application/fhir+json; charset=utf-8")]),
    Step {
        method: "GET",
        path: "Patient/ada",
        headers: &[("accept", "application/json")],
        body: "",
        status: 200,
        holds: &[Header("content-type", "application/json")],
    },
];
const FORMAT: &[Step] = &[
    Step {
        method: "GET",
        path: "Patient/ada?_format=json",
        headers: &[("accept", "text/html")],
        body: "",
        status: 200,
        holds: &[],
    },
    Step {
        method: "GET",
        path: "Patient/ada",
        headers: &[("accept", "application/fhir+turtle")],
        body: "",
        status: 406,
        holds: &[],
    },
];
const NOT_THERE: &[Step] = &[
    refused("Patient/nope", 404, &[At("/issue/0/code", "not-found")]),
    refused("Nonsense/1", 404, &[At("/issue/0/code", "not-supported")]),
    refused("a/b/c/d/e", 404, &[At("/issue/0/code", "not-supported")]),
];
const CONDITIONAL: &[Step] = &[
    Step {
        method: "GET",
        path: "Patient/ada",
        headers: &[("if-none-match", "W/\"1\"")],
        body: "",
        status: 304,
        holds: &[Empty],
    },
    Step {
        method: "GET",
        path: "Patient/ada",
        headers: &[("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")],
        body: "",
        status: 304,
        holds: &[Empty],
    },
    Step {
        method: "HEAD",
        path: "Patient/ada",
        headers: &[],
        body: "",
        status: 200,
        holds: &[Empty, Header("etag", "W/\"1\"")],
    },
];
const ERRORS: &[Step] = &[
    refused("Patient?Fairweather=Müller", 400, &[]),
    refused("Patient?birthdate=Fairweather", 400, &[]),
    Step {
        method: "POST",
        path: "Patient",
        headers: &[],
        body: r#"{"resourceType":"Patient","gender":"Müller","Fairweather":1}"#,
        status: 422,
        holds: &[],
    },
];
