"""The examples hold against the real server, and each fails when its expectation is wrong."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.apiserver.running import ROOT, failure_of

if TYPE_CHECKING:
    import pytest

    from tests.apiserver.running import Runner

EXAMPLE = ROOT / "examples" / "test_reading.py"


@dataclass(frozen=True)
class Twin:
    """A test of the examples with one thing changed, and what its failure must say."""

    test: str
    right: str
    wrong: str
    says: tuple[str, ...]


TWINS = (
    Twin(
        "test_main_builds_a_cobra_command_and_runs_it",
        '"command.Use": "kube-apiserver"',
        '"command.Use": "kube-scheduler"',
        (
            "Expected at least 1 hit during start-up",
            "expected 'kube-scheduler'",
            "was      'kube-apiserver'",
        ),
    ),
    Twin(
        "test_the_aggregator_answers_apis_with_a_group_list",
        '"req.URL.Path": "/apis"',
        '"req.URL.Path": "/api"',
        ("expected '/api'", "was      '/apis'", "GET /apis -> 200 OK"),
    ),
    Twin(
        "test_a_get_is_authorized_and_reaches_the_getter",
        '"name": "kubernetes", "namespace": "default"}',
        '"name": "kubernetes", "namespace": "kube-system"}',
        ("expected 'kube-system'", "was      'default'", "result, err := getter(ctx, name, req)"),
    ),
    Twin(
        "test_a_post_goes_through_admission_to_etcd",
        're.compile("/configmaps/default/reading-")',
        're.compile("/secrets/default/reading-")',
        ("expected re.compile('/secrets/default/reading-')", "/configmaps/default/reading-"),
    ),
    Twin(
        "test_a_request_with_a_wrong_token_ends_at_authentication",
        'locals={"ok": False}',
        'locals={"ok": True}',
        ("expected True", "was      False", "GET /api -> 401 Unauthorized"),
    ),
    Twin(
        "test_a_user_without_a_role_is_forbidden",
        '"attributes.(data).User.(data).Name": "somebody"',
        '"attributes.(data).User.(data).Name": "nobody"',
        ("expected 'nobody'", "was      'somebody'", "-> 403 Forbidden"),
    ),
)


def test_the_examples_hold(runner: Runner) -> None:
    shutil.copy(EXAMPLE, runner.pytester.path)
    result = runner.run("-W", "error")
    result.assert_outcomes(passed=len(TWINS))


def test_each_example_has_a_twin() -> None:
    names = re.findall(r"^def (test_\w+)", EXAMPLE.read_text(), re.MULTILINE)
    assert names == [twin.test for twin in TWINS]


def test_the_examples_fail_when_their_expectations_are_wrong(
    runner: Runner, subtests: pytest.Subtests
) -> None:
    source = EXAMPLE.read_text()
    for twin in TWINS:
        assert source.count(twin.right) == 1, twin
        source = source.replace(twin.right, twin.wrong)
    runner.pytester.makepyfile(source)
    result = runner.run("--kdelve-timeout=0.5")
    result.assert_outcomes(failed=len(TWINS))
    for twin in TWINS:
        with subtests.test(twin.test):
            failure = failure_of(result, twin.test)
            for text in twin.says:
                assert text in failure


def test_a_place_that_must_not_be_reached_fails_when_it_is(runner: Runner) -> None:
    """The twin of the examples' ``not_hits``: the same mark where the request goes through."""
    result = runner.run_file(
        """
        import pytest

        @pytest.mark.not_hits("endpoints/handlers/get.go", at="getter(ctx, name, req)")
        def test_reached(api):
            assert api.get("/api/v1/namespaces/default/services/kubernetes").ok

        @pytest.mark.hits("handlers.DeleteResource", at="ctx := req.Context()", timeout=0)
        def test_never_reached(api):
            assert api.get("/api/v1/namespaces/default/services/kubernetes").ok
        """
    )
    result.assert_outcomes(failed=2)
    reached = failure_of(result, "test_reached")
    assert "Expected no hit by this test's requests, but there was 1 hit:" in reached
    assert "1 hit as described" in reached
    assert "Nothing reached it." in failure_of(result, "test_never_reached")
