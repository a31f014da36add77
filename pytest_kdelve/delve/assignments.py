"""How often a variable gets a value in the source of the function that it belongs to."""

from __future__ import annotations

import functools
import itertools
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r"(?P<skipped>//[^\n]*|/\*.*?\*/|[ \t\r]+)"
    r"|(?P<text>`[^`]*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<number>\d\w*)"
    r"|(?P<sign>\n|(?:<<|>>|&\^)=|:=|\+\+|--|[-+*/%&|^]=|[=!<>]=|&&|\|\||<-|&\^|<<|>>|.)",
    re.DOTALL,
)
_ASSIGNS = frozenset(
    {"=", ":=", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "&^="}
)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
#: What ends a list of operands that is none to be assigned to.
_ENDS_LIST = frozenset({"\n", ";", ":", "{", "}", ")", "]"})
#: Behind these, a new line ends no statement.
_GOES_ON = frozenset({",", "."})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Assignments:
    """How often a variable may get a value as a ``whole``, and how often ``parts`` of it may.

    ``p.field = 1``, ``&p.field`` and ``p[1:]`` are of a part, which is no part of the variable
    where that is a pointer or a slice. ``calls`` are those of methods, which may change a variable
    that is no pointer.
    """

    whole: int = 0
    parts: int = 0
    calls: int = 0


def count(source: tuple[str, ...], line: int, name: str) -> Assignments:
    """Return how often a variable of this name may get a value in the declaration around ``line``.

    ``source`` are the file's lines. Counted are its declaration, also as a parameter, each
    assignment, and each place where its address is taken; a named result counts twice, since each
    ``return`` assigns to it. All variables of the name count together, those of closures and of
    inner blocks, too, so the number is never too small. It is 0 where the name is not declared
    there.
    """
    begun = [span for span in _declarations(source) if span[0] <= line]
    counts = _counts(source, *begun[-1][1:]) if begun else ()
    return Assignments(*(each[name] for each in counts))


@functools.lru_cache(maxsize=16)
def _tokens(source: tuple[str, ...]) -> tuple[_Token, ...]:
    found = []
    line = 1
    for match in _TOKEN.finditer("\n".join(source)):
        kind = str(match.lastgroup)
        if kind != "skipped":
            found.append(_Token(kind, match[0], line))
        line += match[0].count("\n")
    return tuple(found)


@functools.lru_cache(maxsize=16)
def _declarations(source: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
    """Return of each function and variable of the file its line, and the span of its tokens."""
    tokens = _tokens(source)
    starts, depth = [], 0
    for index, token in enumerate(tokens):
        if not depth and token.text in {"func", "var"} and _text(tokens, index - 1) in {"\n", ""}:
            starts.append(index)
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
    pairs = itertools.pairwise([*starts, len(tokens)])
    return tuple((tokens[at].line, at, end) for at, end in pairs)


@functools.lru_cache(maxsize=256)
def _counts(source: tuple[str, ...], first: int, last: int) -> tuple[Counter[str], ...]:
    """Return for each name of a declaration what ``Assignments`` has."""
    tokens = _tokens(source)[first:last]
    declared = {at for span in _declaring(tokens) for at in range(*span)}
    results = {at for span in _results(tokens) for at in range(*span)}
    whole: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for at, token in enumerate(tokens):
        if token.kind != "name" or _text(tokens, at - 1) == ".":
            continue
        brackets = _opened_before(tokens, at)
        is_referred_to = _text(tokens, at - brackets - 1) == "&" or _is_sliced(tokens, at)
        if at in declared and _text(tokens, at + 1) != ".":
            whole[token.text] += 1 + (at in results)
        elif is_referred_to or _is_assigned(tokens, at, brackets):
            is_part = _text(tokens, at + 1) in {".", "["}
            (parts if is_part else whole)[token.text] += 1
        calls[token.text] += _is_called_on(tokens, at, brackets)
    return whole, parts, calls


def _opened_before(tokens: Sequence[_Token], index: int) -> int:
    """Return how many round brackets stand directly before an operand, such as 1 in ``(x) = 1``.

    Those of a call are among them, which closes them only behind a whole operand, too.
    """
    return next(n for n in itertools.count() if _text(tokens, index - n - 1) != "(")


def _is_assigned(tokens: Sequence[_Token], index: int, brackets: int) -> bool:
    """Whether an assignment's sign follows, behind the parts of an operand and further operands."""
    is_list, before = False, ""
    for token in _behind(tokens, index, brackets):
        text = token.text
        if text in _ASSIGNS:
            return True
        is_list = is_list or text == ","
        is_part = text in {".", "["} or before == "."
        if text in _ENDS_LIST or not (is_list or is_part):
            return False
        before = text
    return False


def _is_called_on(tokens: Sequence[_Token], index: int, brackets: int) -> bool:
    """Whether a method of an operand, or of a part of it, is called."""
    before = _Token("", "", 0)
    for token in _behind(tokens, index, brackets):
        if token.text == "(":
            return before.kind == "name"
        if token.text not in {".", "["} and before.text != ".":
            return False
        before = token
    return False


def _is_sliced(tokens: Sequence[_Token], index: int) -> bool:
    """Whether a part of an operand is taken as a slice, which refers to an array."""
    at = index + 1
    while _text(tokens, at) in {".", "["}:
        if _text(tokens, at) == ".":
            at += 2
            continue
        last = _end_of_group(tokens, at)
        if ":" in (token.text for token in tokens[at:last]):
            return True
        at = last + 1
    return False


def _behind(tokens: Sequence[_Token], index: int, brackets: int) -> Iterator[_Token]:
    """Yield what follows an operand: of what is in brackets, the opening one alone.

    Passed over are as many brackets as there are before the operand, which close behind it, and the
    ends of lines that end no statement.
    """
    depth, before = 0, ""
    for token in tokens[index + 1 :]:
        text = token.text
        if text == "\n" and before in _GOES_ON:
            continue
        before = text
        if not depth and text == ")" and brackets:
            brackets -= 1
            continue
        if not depth:
            yield token
        depth += (text in _OPENING) - (text in _CLOSING)


def _declaring(tokens: Sequence[_Token]) -> Iterator[tuple[int, int]]:
    """Yield the spans where names are declared without a sign: signatures, and after ``var``."""
    for at, token in enumerate(tokens):
        if token.text == "func":
            yield from _groups(tokens, at + 1)
        elif token.text == "var":
            begin = _end_of_group(tokens, at + 1) if _text(tokens, at + 1) == "(" else at
            ends = (end for end in range(begin, len(tokens)) if tokens[end].text in {"\n", "="})
            yield at, next(ends, len(tokens))


def _results(tokens: Sequence[_Token]) -> Iterator[tuple[int, int]]:
    """Yield the spans of the results of functions, where these may have names."""
    for at, token in enumerate(tokens):
        if token.text == "func":
            groups = [span for span in _groups(tokens, at + 1) if tokens[span[0]].text == "("]
            is_method = len(groups) > 1 and _kind(tokens, groups[0][1] + 1) == "name"
            yield from groups[2 if is_method else 1 :]


def _groups(tokens: Sequence[_Token], at: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of a signature's bracketed parts: receiver, parameters, results."""
    while True:
        if _text(tokens, at) in {"(", "["}:
            last = _end_of_group(tokens, at)
            yield at, last
            at = last + 1
        elif _kind(tokens, at) == "name" and _text(tokens, at + 1) in {"(", "["}:
            at += 1
        else:
            return


def _end_of_group(tokens: Sequence[_Token], first: int) -> int:
    depth = 0
    for at in range(first, len(tokens)):
        depth += (tokens[at].text in _OPENING) - (tokens[at].text in _CLOSING)
        if not depth:
            return at
    return len(tokens)


def _text(tokens: Sequence[_Token], index: int) -> str:
    return tokens[index].text if 0 <= index < len(tokens) else ""


def _kind(tokens: Sequence[_Token], index: int) -> str:
    return tokens[index].kind if 0 <= index < len(tokens) else ""
