"""Files of VS Code are changed without a loss of comments, commas and order."""

from __future__ import annotations

import pytest

from pytest_kdelve.controlplane import jsonc

NEW = {"name": "new", "port": 1}
COMMENTED = """\
{
\t// Use IntelliSense: "https://go.example/a//b"
\t"version": "0.2.0", /* {"configurations": [ */
\t"inputs": [{"name": "new"}, ["]"],],
\t"configurations": [
\t\t{
\t\t\t"name": "old // no comment", // the old one
\t\t\t"args": ["a,]", "\\\\\\"",],
\t\t}, // the last
\t],
}
"""


def with_new(text: str) -> str:
    return jsonc.with_element(text, "configurations", NEW, key="name")


def test_an_element_is_added_first_and_all_else_stays() -> None:
    added = """
\t\t{
\t\t\t"name": "new",
\t\t\t"port": 1
\t\t},"""
    result = with_new(COMMENTED)
    assert result == COMMENTED.replace('"configurations": [\n', f'"configurations": [{added}\n')
    assert jsonc.loads(result) == {
        "version": "0.2.0",
        "inputs": [{"name": "new"}, ["]"]],
        "configurations": [NEW, {"name": "old // no comment", "args": ["a,]", '\\"']}],
    }


def test_an_element_of_this_name_is_replaced_where_it_stands() -> None:
    first = with_new(COMMENTED)
    moved = first.replace('"port": 1', '"port": 2, // was 1')
    assert with_new(moved) == first
    assert with_new(first) == first


WRITTEN = """{
            "name": "new",
            "port": 1
        }"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{\n  "configurations": []\n}',
            '{\n  "configurations": [\n    {\n      "name": "new",\n      "port": 1\n    }\n  ]\n}',
        ),
        (
            '{"configurations":[{"name":"new","x":0},{"name":"b"}],"version":""}',
            f'{{"configurations":[{WRITTEN},{{"name":"b"}}],"version":""}}',
        ),
        (
            '\n{"configurations" : [ /* none */ ] , }',
            f'\n{{"configurations" : [\n        {WRITTEN}\n     /* none */ ] , }}',
        ),
    ],
)
def test_short_texts(text: str, expected: str) -> None:
    assert with_new(text) == expected
    assert NEW in jsonc.loads(expected)["configurations"]  # type: ignore[index]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"configurations": {}}', '{"configurations": [}', "// {}"]
)
def test_what_is_no_such_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|no object with an array 'configurations'"):
        with_new(text)
