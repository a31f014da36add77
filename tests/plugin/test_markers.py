"""Wrong markers are collection errors that say what is right."""

from __future__ import annotations

import pytest

PLAIN = """
import pytest
import re

@pytest.mark.{mark}
def test_one(api):
    pass
"""
ARGUMENTS = (
    "location, *, at=None, locals=None, count=None, when=None, by='test', during='test', "
    "timeout=None"
)
NOT_ARGUMENTS = ARGUMENTS.replace("count=None, ", "")
NO_COUNT = "it is a number, or a range such as range(1, 4)"
FILE_ONLY = "names a file only; add a line, or at='text of the line'"
NO_SECONDS = "it is a number of seconds"
WRONG = {
    "no parentheses": ("hits", f"missing a required argument: 'location'; write hits({ARGUMENTS})"),
    "no arguments": ("hits()", f"missing a required argument: 'location'; write hits({ARGUMENTS})"),
    "no location": (
        "hits(at='x')",
        f"missing a required argument: 'location'; write hits({ARGUMENTS})",
    ),
    "no arguments of not_hits": (
        "not_hits()",
        f"missing a required argument: 'location'; write not_hits({NOT_ARGUMENTS})",
    ),
    "unknown keyword": (
        "hits('a.go:1', local={})",
        f"got an unexpected keyword argument 'local'; write hits({ARGUMENTS})",
    ),
    "unknown keyword of not_hits": (
        "not_hits('a.go:1', local={})",
        f"got an unexpected keyword argument 'local'; write not_hits({NOT_ARGUMENTS})",
    ),
    "too many": ("hits('a.go', 'text')", f"too many positional arguments; write hits({ARGUMENTS})"),
    "location is a number": ("hits(120)", "location=120; it is a text, and not an empty one"),
    "location is empty": ("hits('')", "location=''; it is a text, and not an empty one"),
    "location of another form": (
        "hits('get.go:ten')",
        (
            "'get.go:ten' is no location; write 'path/file.go:LINE', 'path/file.go' with at=, "
            "'package.Function', '(*Type).Method' or 'package.Function:LINE'"
        ),
    ),
    "file only": (
        "hits('handlers/get.go')",
        f"'handlers/get.go' {FILE_ONLY}",
    ),
    "empty at": ("hits('a.go', at=' ')", "at=' '; it is a text, and not an empty one"),
    "at is a number": ("hits('a.go', at=12)", "at=12; it is a text, and not an empty one"),
    "empty when": ("hits('a.go:1', when='')", "when=''; it is a text, and not an empty one"),
    "negative count": (
        "hits('a.go:1', count=-1)",
        f"count=-1; {NO_COUNT}",
    ),
    "count is a bool": ("hits('a.go:1', count=True)", f"count=True; {NO_COUNT}"),
    "count is a float": ("hits('a.go:1', count=1.0)", f"count=1.0; {NO_COUNT}"),
    "empty range": ("hits('a.go:1', count=range(3, 3))", f"count=range(3, 3); {NO_COUNT}"),
    "range in steps": ("hits('a.go:1', count=range(1, 9, 2))", f"count=range(1, 9, 2); {NO_COUNT}"),
    "range from below 0": ("hits('a.go:1', count=range(-1, 2))", f"count=range(-1, 2); {NO_COUNT}"),
    "count of not_hits": (
        "not_hits('a.go:1', count=0)",
        "not_hits has no count; use hits(..., count=...)",
    ),
    "by": ("hits('a.go:1', by='me')", "by='me'; it is 'test' or 'anyone'"),
    "during": ("hits('a.go:1', during='night')", "during='night'; it is 'test' or 'startup'"),
    "timeout is a text": ("hits('a.go:1', timeout='2')", f"timeout='2'; {NO_SECONDS}"),
    "timeout is a bool": ("hits('a.go:1', timeout=True)", f"timeout=True; {NO_SECONDS}"),
    "negative timeout": ("hits('a.go:1', timeout=-1)", f"timeout=-1; {NO_SECONDS}"),
    "no timeout": ("hits('a.go:1', timeout=float('nan'))", f"timeout=nan; {NO_SECONDS}"),
    "endless timeout": ("hits('a.go:1', timeout=float('inf'))", f"timeout=inf; {NO_SECONDS}"),
    "locals is a list": (
        "hits('a.go:1', locals=['x'])",
        "locals=['x']; it is a dict of Delve expressions and their values",
    ),
    "locals of a number": (
        "hits('a.go:1', locals={1: 2})",
        "an expression in locals=1; it is a text, and not an empty one",
    ),
}


def escaped(text: str) -> str:
    """Return a pattern that means nothing but the text."""
    return text.replace("[", "[[]").replace("*", "[*]")


def said(result: pytest.RunResult) -> str:
    return "\n".join(result.outlines)


@pytest.mark.parametrize(("mark", "text"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("option", ["--collect-only", "--quiet"])
def test_a_wrong_marker_is_a_collection_error(
    pytester: pytest.Pytester, mark: str, text: str, option: str
) -> None:
    pytester.makepyfile(PLAIN.format(mark=mark))
    result = pytester.runpytest(option)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    shown = (mark if "(" in mark else f"{mark}()").replace("float('nan')", "nan")
    shown = shown.replace("float('inf')", "inf")
    file = "test_a_wrong_marker_is_a_collection_error.py"
    result.stdout.fnmatch_lines(
        [
            f"*__ ERROR collecting {file} __*",
            escaped(f"{file}::test_one: @pytest.mark.{shown}: {text}"),
            "*= short test summary info =*",
        ],
        consecutive=True,
    )


RIGHT = [
    "hits('handlers/get.go:74')",
    "hits('staging/src/k8s.io/apiserver/pkg/endpoints/handlers/get.go:74')",
    "hits('get.go', at='getter(ctx, name, req)')",
    "hits('handlers.getResourceHandler')",
    "hits('(*Store).Get:12')",
    "hits('(*Store).Get', at='return')",
    "hits('a.go:1', locals={'name': re.compile('x'), 'req.URL.Path': str.isupper}, when='x > 1')",
    "hits('a.go:1', count=0)",
    "hits('a.go:1', count=range(1, 4), timeout=0)",
    "hits('a.go:1', by='anyone', timeout=0.5)",
    "hits('a.go:1', during='startup', locals=None)",
    "not_hits('a.go:1', locals={'name': None}, timeout=1)",
    "hits(location='a.go:1')",
    "hits_in_order('a.go:1', 'handlers.getResourceHandler')",
    "hits_in_order(at('a.go', 'x', locals={'n': 1}), 'a.go:1', at('b.go:2', locals={'n': 2}))",
]


@pytest.mark.usefixtures("no_process")
def test_right_markers_are_collected(pytester: pytest.Pytester) -> None:
    marks = "".join(f"@pytest.mark.{mark}\n" for mark in RIGHT)
    pytester.makepyfile(
        f"import pytest, re\nfrom pytest_kdelve import at\n\n{marks}def test_one(api):\n    pass\n"
    )
    result = pytester.runpytest("--collect-only", "--strict-markers")
    assert result.ret == pytest.ExitCode.OK
    assert "1 test collected" in said(result)


PLACES = {
    "class": """
        import pytest
        @pytest.mark.hits('a.go:1', count=-1)
        class TestClass:
            def test_one(self): pass
            def test_two(self): pass
    """,
    "base class": """
        import pytest
        @pytest.mark.hits('a.go:1', count=-1)
        class Base: pass
        class TestClass(Base):
            def test_one(self): pass
    """,
    "module": """
        import pytest
        pytestmark = [pytest.mark.not_hits('b.go:1'), pytest.mark.hits('a.go:1', count=-1)]
        def test_one(): pass
        def test_two(): pass
    """,
    "second of several": """
        import pytest
        @pytest.mark.hits('b.go:1')
        @pytest.mark.hits('a.go:1', count=-1)
        def test_one(): pass
    """,
    "parameter": """
        import pytest
        bad = pytest.param(2, marks=pytest.mark.hits('a.go:1', count=-1))
        @pytest.mark.parametrize('x', [1, bad])
        def test_one(x): pass
    """,
    "TestCase": """
        import pytest, unittest
        class TestCase(unittest.TestCase):
            @pytest.mark.hits('a.go:1', count=-1)
            def test_one(self): pass
    """,
    "class of a TestCase": """
        import pytest, unittest
        @pytest.mark.hits('a.go:1', count=-1)
        class TestCase(unittest.TestCase):
            def test_one(self): pass
    """,
}


@pytest.mark.parametrize("source", PLACES.values(), ids=PLACES)
def test_wherever_it_stands(pytester: pytest.Pytester, source: str) -> None:
    """It is said once, however many tests share the marker."""
    pytester.makepyfile(source)
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    wrong = "@pytest.mark.hits('a.go:1', count=-1): count=-1; it is a number, or a range such as"
    assert said(result).count(wrong) == 1
    assert "INTERNALERROR" not in said(result) + "\n".join(result.errlines)


def test_all_that_is_wrong_is_said_at_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest
        @pytest.mark.hits('a.go:1', count=-1)
        def test_one(): pass
        @pytest.mark.hits('a.go')
        def test_two(): pass
    """)
    result = pytester.runpytest()
    file = "test_all_that_is_wrong_is_said_at_once.py"
    result.stdout.fnmatch_lines(
        [
            f"{file}::test_one: @pytest.mark.hits('a.go:1', count=-1): count=-1; {NO_COUNT}",
            f"{file}::test_two: @pytest.mark.hits('a.go'): 'a.go' {FILE_ONLY}",
            "*= short test summary info =*",
        ],
        consecutive=True,
    )


def test_a_marker_that_a_hook_adds(pytester: pytest.Pytester) -> None:
    """It comes after the collection, so its test is an error at set-up."""
    pytester.makeconftest("""
        import pytest
        def pytest_collection_modifyitems(items):
            items[0].add_marker(pytest.mark.hits('a.go'))
    """)
    pytester.makepyfile("def test_one(): pass\ndef test_two(): pass")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_one*", f"@pytest.mark.hits('a.go'): 'a.go' {FILE_ONLY}"],
        consecutive=True,
    )


def test_items_that_are_no_functions(pytester: pytest.Pytester) -> None:
    """Doctests, and what other plugins collect."""
    pytester.makeconftest("""
        import pytest
        class Item(pytest.Item):
            def runtest(self): pass
        class File(pytest.File):
            def collect(self):
                yield Item.from_parent(self, name="item")
        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".yaml":
                return File.from_parent(parent, path=file_path)
    """)
    pytester.makefile(".yaml", items="")
    pytester.makefile(".txt", test_doc=">>> 1 + 1\n2\n")
    pytester.makepyfile('def test_one():\n    """\n    >>> 2\n    2\n    """\n')
    result = pytester.runpytest("--doctest-modules")
    result.assert_outcomes(passed=4)


def test_markers_are_documented(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest("--markers")
    result.stdout.fnmatch_lines(
        [
            f"@pytest.mark.hits({ARGUMENTS}): *must reach the place*",
            "@pytest.mark.not_hits(location, [*], at=None, locals=None, when=None, *must not*",
            "@pytest.mark.hits_in_order(first, second, …): one request of this test's must*",
        ]
    )
