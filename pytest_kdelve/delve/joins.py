"""Where all ways to a statement meet.

Behind an ``if`` without ``else``, the compiler may give the statement's line to a jump as well, by
which only those come for whom a condition was false. Delve takes the first instruction of a line,
which is that jump, and does not see the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_kdelve.delve import api
    from pytest_kdelve.delve.client import Client

#: No instruction of amd64 is longer, in bytes.
_LONGEST = 15
_JUMP = "jmp "


def join(client: Client, pc: int) -> int:
    """Return the address of a statement that everybody passes who comes to its line at ``pc``.

    It is ``pc`` unless a jump leads from there to the same line, and is no way into a loop.
    """
    code: dict[int, api.AsmInstruction] | None = None
    while (target := _target(client, pc)) is not None:
        if code is None:
            code = {each.loc.pc: each for each in client.disassemble(pc)}
        if target not in code or any(_leads_back(each, target) for each in code.values()):
            break
        pc = target
    return pc


def _target(client: Client, pc: int) -> int | None:
    """Return where the instruction there jumps to, if that is of the same line."""
    first = next(iter(client.disassemble(pc, pc + _LONGEST)), None)
    if first is None or not first.text.startswith(_JUMP) or first.dest_loc is None:
        return None
    here, there = first.loc, first.dest_loc
    is_same_line = (here.file, here.line) == (there.file, there.line)
    return there.pc if is_same_line and there.pc > pc else None


def _leads_back(instruction: api.AsmInstruction, target: int) -> bool:
    return instruction.loc.pc >= target and f"{target:#x}" in instruction.text.split()
