"""Twins of the examples: the same requests with one expectation changed, so that each must fail.

It is a pytest plugin: ``pytest -p tests.apiserver.twins examples`` runs the twins. What they must
print is in ``twins.txt``, which ``python -m tests.apiserver.twins`` writes anew.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve import at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXPECTED = Path(__file__).with_suffix(".txt")
#: All hits of these requests come before the answers do, so there is nothing to wait for.
OPTIONS = ("--kdelve-timeout=0",)


class Twin:
    """What is changed in one mark of a test, counted from 0 in the order in which they are written.

    Of ``locals``, those that are named are changed, and the others are left. ``places`` take the
    place of those of an order.
    """

    def __init__(
        self,
        *places: object,
        mark: int = 0,
        locals: Mapping[str, object] | None = None,  # noqa: A002 - the mark's name
        **changes: object,
    ) -> None:
        self._places = places
        self._mark = mark
        self._locals = locals
        self._changes = changes

    def change(self, item: pytest.Item) -> None:
        """Replace the mark in a test that has been collected."""
        indexes = [n for n, mark in enumerate(item.own_markers) if "hits" in mark.name]
        # pytest has the lowest mark of a function first.
        index = indexes[::-1][self._mark]
        mark = item.own_markers[index]
        changed = {**mark.kwargs, **self._changes}
        if self._locals:
            changed["locals"] = {**mark.kwargs["locals"], **self._locals}
        item.own_markers[index] = getattr(pytest.mark, mark.name)(
            *(self._places or mark.args), **changed
        ).mark


TWINS: Mapping[str, Twin] = {
    # test_reading.py
    "test_main_builds_a_cobra_command_and_runs_it": Twin(during="test"),
    "test_the_aggregator_answers_apis_with_a_group_list": Twin(locals={"req.URL.Path": "/api"}),
    "test_a_get_is_authorized_and_reaches_the_getter": Twin(
        mark=1, locals={"namespace": "kube-system"}
    ),
    "test_a_post_goes_through_admission_to_etcd": Twin(
        mark=1, locals={"key": re.compile("/secrets/default/reading-")}
    ),
    "test_a_request_with_a_wrong_token_ends_at_authentication": Twin(locals={"ok": True}),
    "test_a_user_without_a_role_is_forbidden": Twin(
        locals={"attributes.(data).User.(data).Name": "nobody"}
    ),
    "test_a_post_goes_down_through_all_layers": Twin("etcd3.(*store).Create", "(*Store).Create"),
    "test_a_decision_that_is_changed_is_obeyed": Twin(locals={"authorized": "DecisionNoOpinion"}),
    # test_authentication.py
    "test_a_token_becomes_a_user_and_groups": Twin(
        locals={"resp.User.(data).Groups": ["system:masters", "system:authenticated"]}
    ),
    "test_a_request_without_a_token_is_anonymous": Twin(mark=1, locals={"auds": ["vault"]}),
    "test_the_claims_of_a_token_are_checked_once": Twin(count=2),
    "test_a_token_request_is_for_the_apiserver_by_default": Twin(
        locals={"req.Spec.Audiences": ["vault"]}
    ),
    "test_a_token_for_a_minute_is_refused": Twin(
        locals={"allErrs[0].Detail": re.compile("a duration less than 5 minutes")}
    ),
    # test_authorization.py
    "test_rbac_finds_the_binding_that_allows": Twin(
        mark=1, locals={"requestAttributes.(data).Verb": "get"}
    ),
    "test_an_access_review_asks_for_another_user": Twin(
        mark=1, locals={"decision": "DecisionDeny"}
    ),
    "test_an_administrator_acts_as_jane": Twin(
        at("audit.LogImpersonatedUser", locals={"user.(data).Groups": ["readers"]}),
        at("endpoints/filters/authorization.go", "a.Authorize(ctx, attributes)"),
    ),
    "test_not_everybody_may_act_as_jane": Twin(locals={"requestAttributes.(data).Name": "john"}),
    # test_priority_and_fairness.py
    "test_a_service_account_is_a_workload_of_low_priority": Twin(
        locals={"fs.Name": "global-default", "pl.Name": "global-default"}
    ),
    "test_a_probe_never_waits": Twin(locals={"isExempt": False}),
    "test_each_user_has_queues_of_their_own": Twin(locals={"numQueues": 64}),
    # test_admission.py
    "test_a_limit_range_gives_a_container_what_it_lacks": Twin(
        locals={"annotations": ["cpu limit for container book"]}
    ),
    "test_a_limit_range_refuses_a_container_that_wants_too_much": Twin(
        at="if reqExists && (observedReqValue > enforcedValue) {"
    ),
    "test_a_pod_gets_the_token_of_its_service_account": Twin(
        locals={"volumeMount": {"ReadOnly": False, "MountPath": re.compile("^/var/run/")}}
    ),
    "test_a_namespace_is_looked_for_in_etcd_before_it_is_said_to_be_missing": Twin(
        locals={"exists": True}
    ),
    "test_a_policy_refuses_a_draft": Twin(locals={"len(deniedDecisions)": 2}),
    "test_a_policy_lets_a_chapter_pass": Twin(mark=1, at="if len(deniedDecisions) > 0 {"),
    # test_objects.py
    "test_a_service_gets_its_defaults": Twin(locals={"obj.Spec.Type": "NodePort"}),
    "test_a_deployment_gets_its_defaults": Twin(locals={"*obj.Spec.Replicas": 3}),
    "test_one_field_of_autoscaling_v1_is_a_metric_inside": Twin(
        locals={"out.Metrics[0].Resource.Target.Type": "AverageValue"}
    ),
    "test_what_was_written_as_v1_is_read_as_v2": Twin(
        locals={"*in.Metrics[0].Resource.Target.AverageUtilization": 90}
    ),
    "test_a_key_with_a_space_is_invalid": Twin(locals={"allErrs[0].Field": "data[a_b]"}),
    "test_an_immutable_config_map_stays_as_it_is": Twin(locals={"newCfg.Data": {"chapter": "1"}}),
    # test_storage.py
    "test_the_registry_generates_names_before_anything_is_stored": Twin(
        locals={"options.DryRun": []}
    ),
    "test_an_update_of_an_old_version_is_a_conflict": Twin(locals={"newResourceVersion": 2}),
    "test_an_update_is_a_transaction_at_the_version_that_was_read": Twin(
        locals={"txnResp.Succeeded": False}
    ),
    "test_an_update_that_changes_nothing_is_not_written": Twin(
        mark=1, at="if !origStateIsCurrent {"
    ),
    "test_any_version_is_read_from_the_watch_cache": Twin(locals={"getRV": 1}),
    "test_the_newest_version_is_read_from_etcd": Twin(locals={"opts.ResourceVersion": "0"}),
    "test_a_list_comes_from_the_watch_cache_even_without_a_version": Twin(
        mark=1, locals={"len(selectedObjects)": 2}
    ),
    "test_a_delete_is_a_transaction_too": Twin(locals={"preconditions.UID": "another"}),
    # test_watch.py
    "test_a_watch_ends_when_its_seconds_are_over": Twin(locals={"opts.ResourceVersion": ""}),
    "test_what_is_there_already_was_added": Twin(mark=1, locals={"event.Type": "MODIFIED"}),
    "test_a_bookmark_ends_a_list_that_is_streamed": Twin(locals={"event.Type": "ERROR"}),
    # test_discovery.py
    "test_the_accept_header_asks_for_all_of_discovery_at_once": Twin(
        locals={"mediaType.Convert": {"Version": "v2beta1"}}
    ),
    "test_what_a_client_knows_of_discovery_is_not_sent_again": Twin(count=2),
    "test_each_version_of_a_group_lists_its_resources": Twin(
        locals={"s.groupVersion": {"Group": "apps", "Version": "v2"}}
    ),
    "test_the_aggregator_knows_that_a_service_is_not_there": Twin(
        locals={"handlingInfo": {"serviceName": "somebody", "serviceAvailable": False}}
    ),
    "test_the_aggregator_serves_built_in_groups_itself": Twin(
        locals={"handlingInfo": {"local": False}}
    ),
    # test_custom_resources.py
    "test_one_handler_serves_all_custom_resources": Twin(locals={"crd.Spec.Scope": "Cluster"}),
    "test_what_is_not_in_the_schema_is_pruned": Twin(locals={"v.(data)": "blue"}),
    "test_what_is_pruned_is_warned_of": Twin(
        locals={"unknownFieldPaths": ["spec.colour", "spec.pages"]}
    ),
    "test_a_default_of_the_schema_fills_what_is_missing": Twin(
        locals={"prop.Default.Object": "100"}
    ),
    "test_what_the_schema_forbids_is_invalid": Twin(locals={"errs[0].Type": "FieldValueRequired"}),
    # test_patch.py
    "test_a_json_patch_is_a_list_of_operations": Twin(locals={"len(patchObj)": 1}),
    "test_null_in_a_merge_patch_removes_a_field": Twin(
        locals={"p.patchBytes": b'{"data": {"chapter": ""}}'}
    ),
    "test_a_strategic_patch_merges_lists_by_their_key": Twin(
        locals={'patchMap["spec"]': {"ports": [{"name": "tls", "port": 8443}]}}
    ),
    "test_an_apply_has_a_manager_of_its_fields": Twin(
        locals={'patchObj.Object["data"]': {"title": "C"}, "force": True}
    ),
    "test_two_managers_of_one_field_are_in_conflict": Twin(mark=1, locals={"len(conflicts)": 0}),
    # test_delete.py
    "test_orphans_are_made_by_a_finalizer": Twin(locals={"newFinalizers": ["foregroundDeletion"]}),
    "test_foreground_deletion_waits_for_dependents": Twin(
        locals={"obj.(data).ObjectMeta.Finalizers": ["orphan"]}
    ),
    "test_another_object_of_the_same_name_is_not_deleted": Twin(
        locals={"*options.Preconditions.UID": "the same"}
    ),
    "test_a_pod_on_a_node_has_the_grace_that_was_asked_for": Twin(mark=1, locals={"period": 40}),
}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Make a test its own twin."""
    TWINS[item.name].change(item)


def failures(output: str) -> dict[str, str]:
    """Return what pytest printed of each test that failed, without what no run has twice."""
    heading = re.compile(r"^_+ (?P<test>test_\w+) _+$|^=+ .* =+$")
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output.splitlines():
        if is_heading := heading.match(line):
            lines = found.setdefault(is_heading["test"] or "", [])
        else:
            lines.append(line)
    return {test: "\n".join(_known(lines)).strip() for test, lines in found.items() if test}


def _known(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.lstrip().startswith("Not counted: "):  # How many others came by is by chance.
            without_goroutine = re.sub(r"goroutine \d+", "goroutine N", line)
            yield re.sub(r"\b(reading|kdelve)-[0-9a-z]+\b", r"\1-NAME", without_goroutine).rstrip()


def _write() -> None:
    command = [sys.executable, "-m", "pytest", "-p", __spec__.name, *OPTIONS, "examples"]
    run = subprocess.run(command, capture_output=True, check=False, text=True)
    written = [f"___ {test} ___\n{text}\n" for test, text in failures(run.stdout).items()]
    EXPECTED.write_text("\n".join(written))


if __name__ == "__main__":
    _write()
