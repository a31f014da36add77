"""Nothing that pytest prints or writes of a test has a secret in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrZGVsdmUifQ.c2lnbmF0dXJl"


@pytest.fixture
def report(pytester: pytest.Pytester) -> Path:
    """Return the JUnit report of a run that shows a token in every way that pytest has."""
    (pytester.path / "token").write_text(JWT)
    pytester.makepyfile("""
        import logging
        import pathlib
        import sys

        import pytest

        TOKEN = pathlib.Path("token").read_text()

        def refuse(token):
            raise ValueError("not accepted: " + token)

        def test_shows_it():
            print("printed", TOKEN)
            print("printed as an error", TOKEN, file=sys.stderr)
            logging.warning("logged Bearer %s", TOKEN)
            headers = {"Authorization": "Bearer " + TOKEN}
            refuse(TOKEN)

        @pytest.fixture
        def broken():
            raise ValueError("not accepted: " + TOKEN)

        def test_that_errors(broken):
            pass

        def test_that_compares():
            assert TOKEN == "another"

        @pytest.mark.xfail
        def test_that_is_expected_to_fail():
            refuse(TOKEN)

        def test_that_skips():
            pytest.skip("for a reason")
    """)
    path = pytester.path / "junit.xml"
    result = pytester.runpytest(
        "--showlocals", "--tb=long", "-o", "junit_logging=all", f"--junit-xml={path}", "-rA"
    )
    result.assert_outcomes(failed=2, errors=1, skipped=1, xfailed=1)
    (pytester.path / "output").write_text(result.stdout.str() + result.stderr.str())
    return path


def test_a_token_is_redacted_wherever_it_was_shown(report: Path) -> None:
    for path in (report, report.with_name("output")):
        text = path.read_text()
        assert JWT not in text
        assert JWT.partition(".")[0] not in text
        assert JWT.rpartition(".")[2] not in text
        for shown in ("printed", "printed as an error", "logged Bearer", "not accepted:"):
            assert f"{shown} (redacted)" in text


def test_a_failure_without_secrets_keeps_its_form(pytester: pytest.Pytester) -> None:
    """Its crash line is in the summary, which a plain text would not have."""
    pytester.makepyfile("def test_one():\n    assert 1 == 2")
    result = pytester.runpytest("-rf")
    result.stdout.fnmatch_lines(["FAILED *::test_one - assert 1*"])
