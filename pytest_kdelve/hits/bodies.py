"""Functions of the target: where they are entered, and where they are left."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_kdelve.delve.functions import around
from pytest_kdelve.errors import DelveError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from pytest_kdelve.delve import api
    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.locations import Place

_JUMP = re.compile(r"j\w+ 0x(?P<target>[0-9a-f]+)")
#: What comes after these in memory is not what runs next.
_ENDS = ("jmp", "ret", "ud2")
#: ``call runtime.deferproc``, ``test eax, eax`` and the jump.
_CHECK = 2


@dataclass(frozen=True, slots=True)
class Exit:
    """Where a function returns: ``place`` has the address of the instruction.

    Its line is that of the ``return`` statement or of the function's end, or else, with
    ``is_after``, that of the last statement before the function's deferred calls. With
    ``is_recovered`` it is left there by a panic only, which one of these calls has recovered; with
    ``may_be_recovered`` possibly so.
    """

    place: Place
    is_after: bool = False
    is_recovered: bool = False
    may_be_recovered: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A function with the place where it is entered, and those where it returns."""

    entry: Place
    exits: tuple[Exit, ...]


class Bodies:
    """Finds the functions around places of one target, and remembers them.

    Delve and the compiler know where a function returns: without optimisation each ``return`` has
    an instruction of its own. ``client`` gives one that may be called at any time.
    """

    def __init__(self, client: Callable[[], Client]) -> None:
        self._client = client
        self._found: dict[str, Sequence[Body]] = {}

    def around(self, place: Place) -> Sequence[Body]:
        """Return the function of a place and those that it is written inside of, innermost first.

        A function whose entry is the place itself is left out, and so is what has no body or
        several. Raises nothing: what Delve cannot tell is left out, too.
        """
        if len(place.pcs) != 1 or not place.function:
            return ()
        if place.function not in self._found:
            try:
                self._found[place.function] = self._find(place)
            except DelveError:
                return ()
        return [body for body in self._found[place.function] if body.entry.pcs != place.pcs]

    def _find(self, place: Place) -> Sequence[Body]:
        client = self._client()
        names = around(place.function)
        # Delve does not parse the names of all closures, but finds each by an expression.
        either = "|".join(re.escape(name).replace("/", r"\/") for name in names)
        located = {
            found.function.name: found
            for found in client.find_location(f"/^({either})$/")
            if found.function and len(found.pcs or [found.pc]) == 1
        }
        return [
            self._body(client, replace(place, line=entry.line, function=name, pcs=(entry.pc,)))
            for name in names
            if (entry := located.get(name)) and entry.file == place.file
        ]

    def _body(self, client: Client, entry: Place) -> Body:
        returns = client.function_return_locations(entry.function)
        code = client.disassemble(entry.pcs[0])
        return Body(entry, tuple(exits(entry, code, returns)))


def exits(
    entry: Place, code: Sequence[api.AsmInstruction], returns: Collection[int]
) -> Iterator[Exit]:
    """Yield where a function returns, in the order of the addresses.

    ``code`` are all its instructions. Delve gives in ``returns`` the address of each ``ret`` and,
    where calls are deferred, also of each call of ``runtime.deferreturn`` before it.
    """
    is_first, deferred = True, 0
    for number, instruction in enumerate(code):
        if instruction.loc.pc not in returns:
            continue
        if instruction.dest_loc is not None:
            deferred = deferred or number
            continue
        place = replace(entry, line=instruction.loc.line, pcs=(instruction.loc.pc,))
        if deferred:
            exit_ = _after_deferred(place, code, deferred, number)
            # A recovered panic goes on at the first one (``computeDeferReturn`` in Go's linker).
            yield replace(exit_, may_be_recovered=is_first and not exit_.is_recovered)
            is_first, deferred = False, 0
        else:
            yield Exit(place)


def _after_deferred(place: Place, code: Sequence[api.AsmInstruction], start: int, end: int) -> Exit:
    """Tell from where the deferred calls were come to, which may all be on the last line."""
    before, line = code[start - 1], code[start].loc.line
    falls_through = not before.text.startswith(_ENDS)
    if falls_through and before.loc.line == line:
        return Exit(replace(place, line=line))  # As Go 1.18 does it.
    jumps = [(jump, number) for number, each in enumerate(code) if (jump := _JUMP.match(each.text))]
    if not jumps:
        return Exit(place)  # Another processor, whose jumps are written otherwise.
    sources = [
        number
        for jump, number in jumps
        if code[start].loc.pc <= int(jump["target"], 16) <= code[end].loc.pc
    ]
    if falls_through:
        sources.append(start - 1)
    if all(_follows_defer(code, number) for number in sources):
        return Exit(place, is_recovered=True)
    lines = {code[number].loc.line for number in sources}
    return Exit(replace(place, line=lines.pop()), is_after=True) if len(lines) == 1 else Exit(place)


def _follows_defer(code: Sequence[api.AsmInstruction], number: int) -> bool:
    """Whether a jump is the one behind a ``defer`` statement, taken when a panic is recovered."""
    called = [each.dest_loc for each in code[max(0, number - _CHECK) : number] if each.dest_loc]
    names = [loc.function.name for loc in called if loc.function]
    return any(name.startswith("runtime.deferproc") for name in names)
