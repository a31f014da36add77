"""Where all ways to a statement meet.

Behind an ``if`` without ``else`` and behind a loop, the compiler may give the statement's line to a
jump as well, by which only those come for whom a condition was false. Delve takes the first
instruction of a line, which is that jump, and does not see the others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_kdelve.errors import RPCError

if TYPE_CHECKING:
    from pytest_kdelve.delve import api
    from pytest_kdelve.delve.client import Client

_JUMP = "jmp "
#: A loop, perhaps behind a label, and a ``switch``.
_LOOP = re.compile(r"(\w+:\s*)?for\b")
_SWITCH = re.compile(r"(\w+:\s*)?switch\b")


def join(client: Client, pc: int, source: str) -> int:
    """Return the address of a statement that everybody passes who comes to its line at ``pc``.

    It is ``pc`` unless a jump leads from there to the same line. ``source`` is the line's text: of
    a loop, its beginning stays where it is, and so does whatever has no text here. Of a ``switch``
    that only has a jump behind its end left, it is 0.
    """
    code: dict[int, api.AsmInstruction] = {}
    while (target := _target(client, code, pc)) is not None:
        is_loop = not source or _LOOP.match(source)
        if is_loop and any(_leads_back(each, target) for each in code.values()):
            break
        pc = target
    is_end = pc in code and _is_jump(code[pc]) and _SWITCH.match(source)
    return 0 if is_end else pc


def _target(client: Client, code: dict[int, api.AsmInstruction], pc: int) -> int | None:
    """Return where the instruction there jumps to, if that is of the same line.

    ``code`` is filled with the whole function: a part that ends within an instruction is more than
    some Delves can read.
    """
    if not code:
        try:
            code.update((each.loc.pc, each) for each in client.disassemble(pc))
        except RPCError:
            return None
    first = code.get(pc)
    if first is None or not _is_jump(first) or first.dest_loc is None:
        return None
    here, there = first.loc, first.dest_loc
    is_same_line = (here.file, here.line) == (there.file, there.line)
    return there.pc if is_same_line and there.pc > pc and there.pc in code else None


def _is_jump(instruction: api.AsmInstruction) -> bool:
    return instruction.text.startswith(_JUMP)


def _leads_back(instruction: api.AsmInstruction, target: int) -> bool:
    return instruction.loc.pc >= target and f"{target:#x}" in instruction.text.split()
