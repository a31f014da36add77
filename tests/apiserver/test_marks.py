"""Marks wherever pytest takes them, and several at one line, each with a twin that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.apiserver.running import failure_of

if TYPE_CHECKING:
    import pytest

    from tests.apiserver.running import Runner

TESTS = """
    import pytest

    pytestmark = pytest.mark.hits(
        "filters/authorization.go", at="authorizationFinish := time.Now()"
    )
    SERVICES = "/api/v1/namespaces/default/services"
    GETTER = ("endpoints/handlers/get.go", "getter(ctx, name, req)")

    def getter(mark=pytest.mark.hits, **arguments):
        location, at = GETTER
        return mark(location, at=at, **arguments)

    def named(name):
        return getter(locals={"name": name})

    def test_of_a_module(api):
        assert api.get("/api").ok

    def test_of_a_module_twin(api):
        assert api.get("/api", auth=lambda request: request, headers={"Authorization": "x"}).ok

    @named("kubernetes")
    class TestClass:
        def test_of_a_class(self, api):
            assert api.get(f"{SERVICES}/kubernetes").ok

        def test_of_a_class_twin(self, api):
            assert api.get(SERVICES).ok

        @named("nope")
        def test_of_a_class_and_its_method(self, api):
            api.get(f"{SERVICES}/kubernetes")
            api.get(f"{SERVICES}/nope")

        @named("nope")
        def test_of_a_class_and_its_method_twin(self, api):
            api.get(f"{SERVICES}/nope")

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("kubernetes", marks=named("kubernetes"), id="holds"),
            pytest.param("nope", marks=named("nope"), id="holds_too"),
            pytest.param("nope", marks=named("kubernetes"), id="twin"),
        ],
    )
    def test_of_a_parameter(api, name):
        api.get(f"{SERVICES}/{name}")

    @getter(count=2)
    @named("kubernetes")
    @named("nope")
    @getter(pytest.mark.not_hits, locals={"name": "other"})
    def test_of_one_line(api, kdelve):
        api.get(f"{SERVICES}/kubernetes")
        api.get(f"{SERVICES}/nope")
        at_line = [b for b in kdelve.client.list_breakpoints() if b.line == 74 and b.id > 0]
        assert len([b for b in at_line if b.file.endswith(GETTER[0])]) == 1

    @getter(count=1)
    @named("kubernetes")
    @named("nope")
    @getter(pytest.mark.not_hits, locals={"name": "nope"})
    def test_of_one_line_twin(api):
        api.get(f"{SERVICES}/kubernetes")
        api.get(f"{SERVICES}/nope")

    @named("kubernetes")
    def test_of_the_line_of_a_watch(api, kdelve):
        location, at = GETTER
        with kdelve.watch(location, at=at, locals=["namespace"]) as hits:
            api.get(f"{SERVICES}/kubernetes")
        assert hits.only.values == {"namespace": "default"}
        api.get(f"{SERVICES}/nope")
        marked = kdelve.hits(location)
        assert [hit.values["name"] for hit in marked] == ["kubernetes", "nope"]
        assert "namespace" not in marked[0].values

    @named("nope")
    def test_of_the_line_of_a_watch_twin(api, kdelve):
        location, at = GETTER
        with kdelve.watch(location, at=at, locals=["name"]) as hits:
            api.get(f"{SERVICES}/kubernetes")
        assert hits.only.values == {"name": "kubernetes"}

    @pytest.mark.hits("handlers.getResourceHandler.func1", count=1)
    @pytest.mark.hits("handlers.getResourceHandler", at="About to write a response")
    def test_of_the_entry_of_a_function_that_is_watched(api):
        api.get(f"{SERVICES}/kubernetes")

    @pytest.mark.hits("handlers.getResourceHandler.func1", count=2)
    @pytest.mark.hits("handlers.getResourceHandler", at="About to write a response")
    def test_of_the_entry_of_a_function_that_is_watched_twin(api):
        api.get(f"{SERVICES}/nope")
"""
SAYS = {
    "test_of_a_module_twin": ("assert False",),
    "TestClass.test_of_a_class_twin": (
        "No request of this test's entered handlers.getResourceHandler.func1.",
    ),
    "TestClass.test_of_a_class_and_its_method_twin": (
        "with name == 'kubernetes'",
        "expected 'kubernetes'\n        was      'nope'",
    ),
    r"test_of_a_parameter\[twin\]": ("expected 'kubernetes'\n        was      'nope'",),
    "test_of_one_line_twin": (
        "Expected exactly 1 hit by this test's requests, but there were 2 hits:",
        "Expected no hit by this test's requests, but there was 1 hit:",
    ),
    "test_of_the_line_of_a_watch_twin": ("expected 'nope'\n        was      'kubernetes'",),
    "test_of_the_entry_of_a_function_that_is_watched_twin": (
        "Expected exactly 2 hits by this test's requests, but there was 1 hit:",
        "handlers.getResourceHandler.func1 (line 55) was",
        "left after line 76 by",
    ),
}


def test_marks_hold_and_their_twins_fail(runner: Runner, subtests: pytest.Subtests) -> None:
    result = runner.run_file(TESTS, "--kdelve-timeout=0.5")
    result.assert_outcomes(passed=8, failed=len(SAYS))
    for test, says in SAYS.items():
        with subtests.test(test):
            failure = failure_of(result, test)
            for text in says:
                assert text in failure
