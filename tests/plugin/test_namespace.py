"""The namespace of a test, which its breakpoints do not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

PATH = "/api/v1/namespaces"
MADE = [f"POST {PATH}", f"POST {PATH}/kdelve-1/serviceaccounts"]
REMOVED = [
    f"DELETE {PATH}/kdelve-1",
    "GET /api",
    "GET /apis",
    f"PUT {PATH}/kdelve-1/finalize",
]


def test_it_is_made_and_removed_while_nothing_is_recorded(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("a.go:1")
        def test_one(api, namespace):
            assert namespace == "kdelve-1"
            api.get("/reach/a.go")
    """)
    faked.runpytest().assert_outcomes(passed=1)
    recorded = ["set /src/a.go", "GET /reach/a.go", "cleared /src/a.go"]
    assert history() == [*MADE, *recorded, *REMOVED]


def test_without_markers(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    faked.makepyfile("""
        def test_one(namespace):
            assert namespace == "kdelve-1"

        def test_two():
            pass
    """)
    faked.runpytest().assert_outcomes(passed=2)
    assert history() == [*MADE, *REMOVED]


def test_a_fixture_of_the_same_name_is_the_users(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    """Its requests are the test's, as those of all fixtures."""
    faked.makepyfile("""
        import pytest

        @pytest.fixture
        def namespace(api):
            api.get("/reach/a.go")
            return "mine"

        @pytest.mark.hits("a.go:1")
        def test_one(namespace):
            assert namespace == "mine"
    """)
    faked.runpytest().assert_outcomes(passed=1)
    assert history() == ["set /src/a.go", "GET /reach/a.go", "cleared /src/a.go"]


def test_nothing_is_made_for_a_place_that_does_not_exist(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    faked.makepyfile("""
        import pytest

        @pytest.mark.hits("missing.go:1")
        def test_one(namespace):
            pass
    """)
    faked.runpytest().assert_outcomes(errors=1)
    assert history() == []


def test_one_that_cannot_be_made(faked: pytest.Pytester, history: Callable[[], list[str]]) -> None:
    faked.makepyfile("""
        import pytest
        from tests.unit.fake_http import Answer

        @pytest.fixture(autouse=True, scope="session")
        def refused(_kdelve_debugged):
            _kdelve_debugged.answers["POST /api/v1/namespaces"] = Answer(403, {"message": "no"})

        @pytest.mark.hits("a.go:1")
        def test_one(namespace):
            pass
    """)
    result = faked.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*__ ERROR at setup of test_one __*",
            f'could not create a namespace: POST {PATH}: 403 Forbidden: {{"message": "no"}}',
            "*= short test summary info =*",
        ],
        consecutive=True,
    )
    assert history() == [f"POST {PATH}"]


def test_one_that_cannot_be_removed(faked: pytest.Pytester) -> None:
    """It is said, beside how the test went."""
    faked.makepyfile("""
        import pytest
        from tests.unit.fake_http import Answer

        @pytest.fixture(autouse=True, scope="session")
        def refused(_kdelve_debugged):
            answer = Answer(409, {"message": "no"})
            _kdelve_debugged.answers["PUT /api/v1/namespaces/kdelve-1/finalize"] = answer

        def test_one(namespace):
            pass

        def test_two(namespace):
            assert not namespace
    """)
    result = faked.runpytest()
    result.assert_outcomes(passed=1, failed=1, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*__ ERROR at teardown of test_one __*",
            (
                "could not remove the namespace kdelve-1: "
                f'PUT {PATH}/kdelve-1/finalize: 409 Conflict: {{"message": "no"}}'
            ),
            "*__ ERROR at teardown of test_two __*",
        ],
    )


def test_one_of_an_apiserver_that_died(
    faked: pytest.Pytester, history: Callable[[], list[str]]
) -> None:
    """The death is said once, and nothing else."""
    faked.makepyfile("""
        import pytest

        @pytest.mark.not_hits("a.go:1")
        def test_one(api, namespace):
            api.get("/die-later")

        def test_two(namespace):
            pass
    """)
    result = faked.runpytest()
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_two*", "kube-apiserver ended with status 2"], consecutive=True
    )
    assert history() == [*MADE, "set /src/a.go", "GET /die-later"]
