"""What the fixtures give to a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_apiserver_and_its_credentials(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        def test_one(apiserver, credentials, api):
            assert apiserver.url == api.base_url
            assert apiserver.version == "v1.37.2"
            assert apiserver.ca_file == credentials.ca_file
            assert apiserver.kubeconfig.name == "kubeconfig"
            assert apiserver.argv == ("kube-apiserver", "--secure-port=6443")
            assert apiserver.pid == 4711
            assert apiserver.mode == "started"
            assert apiserver.log_tail(3) == "the last 3 lines"
            assert credentials.token not in repr((apiserver, credentials, api))
    """)
    faked.runpytest().assert_outcomes(passed=1)


def test_the_hits_of_the_markers(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1")
        @pytest.mark.hits("b.go", at="text")
        @pytest.mark.not_hits("c.go:1")
        def test_one(api, kdelve):
            assert kdelve.hits() == []
            for path in ("/reach/b.go", "/reach/a.go", "/others/a.go"):
                api.get(path)
            assert len(kdelve.hits()) == 2
            assert [hit.file for hit in kdelve.hits("a.go:1")] == ["/src/a.go"]
            assert [hit.request.path for hit in kdelve.hits("b.go")] == ["/reach/b.go"]
            assert kdelve.hits("c.go:1") == []

        def test_two(kdelve):
            assert kdelve.hits() == []
    """)
    faked.runpytest().assert_outcomes(passed=2)


def test_watching(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    faked.makepyfile("""
        def test_one(api, kdelve):
            with kdelve.watch("a.go:1", locals=["name"]) as hits:
                api.get("/reach/a.go", params={"name": "a"})
                api.get("/others/a.go")
            assert hits.only.values == {"name": "a"}
            assert "handlers.GetResource" in hits.only.stack
            with kdelve.watch("a.go:1", by="anyone", stack=False) as hits:
                api.get("/others/a.go")
            assert len(hits.only.stack) == 0
            with kdelve.watch("a.go:1") as hits:
                pass
            assert len(hits) == 0
    """)
    faked.runpytest().assert_outcomes(passed=1)
    assert history().count("cleared /src/a.go") == 3


def test_watching_with_a_condition(faked: pytest.Pytester) -> None:
    """A condition that could not be evaluated is an error, not a hit that is missing."""
    faked.makepyfile("""
        import pytest
        from pytest_kdelve.errors import KdelveError, LocationError, UsageError

        def test_one(api, kdelve, _kdelve_debugged):
            owned = []

            def reach(**values):
                _kdelve_debugged.recorder.reach("a.go", values, owned[0])

            with kdelve.watch("a.go:1", by="anyone") as hits:
                api.get("/reach/a.go")
            owned.append(hits.only.request.audit_id)
            with kdelve.watch("a.go:1", when="x > 1") as hits:
                reach(**{"x > 1": True})
                reach(**{"x > 1": False})
            assert len(hits) == 1
            with pytest.raises(KdelveError) as raised:
                with kdelve.watch("a.go:1", when="x > 1") as hits:
                    reach()
            reason = "could not find symbol"
            assert str(raised.value) == (
                f"when='x > 1' could not be evaluated in 1 hit: {reason}"
            )
            with pytest.raises(KdelveError) as raised:
                with kdelve.watch("a.go:1", when="len(errs)") as hits:
                    reach(**{"len(errs)": 1})
                    reach(**{"len(errs)": 3})
            reason = "it is neither true nor false, but 1"
            assert str(raised.value) == (
                f"when='len(errs)' could not be evaluated in 2 hits: {reason}"
            )
            with pytest.raises(LocationError) as raised:
                with kdelve.watch("missing.go:1"):
                    pass
            assert str(raised.value) == (
                "missing.go:1: the binary has no source file of this name"
            )
            with pytest.raises(UsageError) as raised:
                with kdelve.watch("a.go:1", by="me"):
                    pass
            assert str(raised.value) == "by='me'; it is 'test' or 'anyone'"
    """)
    faked.runpytest().assert_outcomes(passed=1)


def test_requests_of_all_clients_are_the_tests(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1", count=2)
        def test_one(api, kube_client):
            api.get("/reach/a.go")
            headers = {"Accept": "application/json"}
            kube_client.rest_client.request("GET", f"{api.base_url}/reach/a.go", headers=headers)
    """)
    faked.runpytest().assert_outcomes(passed=1)


def test_what_users_override(faked: pytest.Pytester) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.fixture(scope="session")
        def kdelve_cluster_role(): return "view"

        def test_one(kdelve_apiserver_args, kdelve_environment, kdelve_cluster_role):
            assert (tuple(kdelve_apiserver_args), dict(kdelve_environment)) == ((), {})
            assert kdelve_cluster_role == "view"
    """)
    faked.runpytest().assert_outcomes(passed=1)


def test_an_error_of_ours_ends_at_the_line_of_the_test(faked: pytest.Pytester) -> None:
    """What is below is ours; and the test's requests are said, though it has no marks."""
    faked.makepyfile("""
        def helper(kdelve):
            with kdelve.watch("a.go:1") as hits:
                pass
            return hits.only

        def test_one(api, kdelve):
            api.get("/reach/b.go")
            helper(kdelve)
    """)
    result = faked.runpytest("--tb=short")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*__ test_one __*",
            "test_*.py:8: in test_one",
            "    helper(kdelve)",
            "test_*.py:4: in helper",
            "    return hits.only",
            "E *KdelveError: one hit was expected at /src/a.go:1, 0 were recorded",
            "*- Captured kdelve call -*",
            "GET /reach/b.go -> 200 OK",
        ],
    )
    result.stdout.no_fnmatch_line("*collected.py*")


def test_an_error_of_another_kind_is_shown_whole(faked: pytest.Pytester) -> None:
    faked.makepyfile("def test_one(api): api.get(None)")
    result = faked.runpytest("--tb=short")
    result.stdout.fnmatch_lines(["*http.py:*"])


LIST = (
    "locals={}; for a watch it is a list of Delve expressions, whose values the test compares "
    "itself"
)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "watch('a.go:1', locals={'name': 1})",
            LIST.format("{'name': 1}"),
        ),
        (
            "watch('a.go:1', locals='name')",
            LIST.format("'name'"),
        ),
        (
            "watch('a.go:1', locals=[1])",
            "an expression in locals=1; it is a text, and not an empty one",
        ),
        ("watch(3)", "location=3; it is a text, and not an empty one"),
        ("pause('a.go:1', at=3)", "at=3; it is a text, and not an empty one"),
        ("pause('a.go:1', when=' ')", "when=' '; it is a text, and not an empty one"),
    ],
)
def test_wrong_arguments(faked: pytest.Pytester, call: str, message: str) -> None:
    faked.makepyfile(f"""
        import pytest
        from pytest_kdelve.errors import UsageError

        def test_one(kdelve):
            with pytest.raises(UsageError) as caught:
                with kdelve.{call}:
                    pass
            assert str(caught.value) == {message!r}
    """)
    faked.runpytest().assert_outcomes(passed=1)
