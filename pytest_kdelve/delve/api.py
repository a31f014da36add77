"""The wire types of Delve's API version 2, in Delve's own names.

They mirror ``service/api/types.go`` of Delve 1.27.2. A key that this module does not know is
ignored, and ``null`` or a missing key stands for the type's zero value, because Delve adds
fields between releases and Go encodes an empty list as ``null``.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec


class Kind(enum.IntEnum):
    """Go's ``reflect.Kind``, as Delve sends it in ``Variable.kind``."""

    INVALID = 0
    BOOL = 1
    INT = 2
    INT8 = 3
    INT16 = 4
    INT32 = 5
    INT64 = 6
    UINT = 7
    UINT8 = 8
    UINT16 = 9
    UINT32 = 10
    UINT64 = 11
    UINTPTR = 12
    FLOAT32 = 13
    FLOAT64 = 14
    COMPLEX64 = 15
    COMPLEX128 = 16
    ARRAY = 17
    CHAN = 18
    FUNC = 19
    INTERFACE = 20
    MAP = 21
    POINTER = 22
    SLICE = 23
    STRING = 24
    STRUCT = 25
    UNSAFE_POINTER = 26


class VariableFlags(enum.IntFlag):
    """``Variable.flags``."""

    ESCAPED = 1
    SHADOWED = 2
    CONSTANT = 4
    ARGUMENT = 8
    RETURN_ARGUMENT = 16
    FAKE_ADDRESS = 32


class LoadConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a value Delve reads from the target's memory."""

    follow_pointers: bool = msgspec.field(default=True, name="FollowPointers")
    max_variable_recurse: int = msgspec.field(default=1, name="MaxVariableRecurse")
    max_string_len: int = msgspec.field(default=64, name="MaxStringLen")
    max_array_values: int = msgspec.field(default=64, name="MaxArrayValues")
    max_struct_fields: int = msgspec.field(default=-1, name="MaxStructFields")


class EvalScope(msgspec.Struct, frozen=True, kw_only=True):
    """Where an expression is evaluated; goroutine -1 is the selected one."""

    goroutine_id: int = msgspec.field(default=-1, name="GoroutineID")
    frame: int = msgspec.field(default=0, name="Frame")
    deferred_call: int = msgspec.field(default=0, name="DeferredCall")


class _Wire(msgspec.Struct, kw_only=True):
    """What arrives from Delve."""


class Function(_Wire):
    """A function of the target; ``optimized`` means that its locals cannot be trusted."""

    name: str = ""
    value: int = 0
    optimized: bool = False


class Location(_Wire):
    """A place in the source; ``pcs`` has all its addresses where the place is logical."""

    pc: int = 0
    file: str = ""
    line: int = 0
    function: Function | None = None
    pcs: list[int] | None = None


class Variable(_Wire):
    """A value as Delve read it; see ``values`` for its Python form.

    ``len`` is the real length, of which ``children`` and ``value`` may hold only a part.
    """

    name: str = ""
    addr: int = 0
    only_addr: bool = msgspec.field(default=False, name="onlyAddr")
    type: str = ""
    real_type: str = msgspec.field(default="", name="realType")
    flags: int = 0
    kind: int = 0
    value: str = ""
    string_value_bytes: bytes | None = msgspec.field(default=None, name="StringValueBytes")
    len: int = 0
    cap: int = 0
    children: list[Variable] | None = None
    base: int = 0
    unreadable: str = ""
    decl_line: int = msgspec.field(default=0, name="DeclLine")


class Stackframe(Location):
    """One frame of a stack, innermost first."""

    locals: list[Variable] | None = msgspec.field(default=None, name="Locals")
    arguments: list[Variable] | None = msgspec.field(default=None, name="Arguments")
    err: str = msgspec.field(default="", name="Err")


class Goroutine(_Wire):
    """A goroutine of the target."""

    id: int = 0
    thread_id: int = msgspec.field(default=0, name="threadID")


class Breakpoint(_Wire):
    """A logical breakpoint, and what Delve collects each time it is hit.

    ``variables`` are expressions; ``stacktrace`` is a number of frames.
    """

    id: int = 0
    name: str = ""
    addr: int = 0
    addrs: list[int] | None = None
    file: str = ""
    line: int = 0
    function_name: str = msgspec.field(default="", name="functionName")
    cond: str = msgspec.field(default="", name="Cond")
    goroutine: bool = False
    stacktrace: int = 0
    variables: list[str] | None = None
    load_args: LoadConfig | None = msgspec.field(default=None, name="LoadArgs")
    load_locals: LoadConfig | None = msgspec.field(default=None, name="LoadLocals")
    total_hit_count: int = msgspec.field(default=0, name="totalHitCount")
    disabled: bool = False


class BreakpointInfo(_Wire):
    """What a breakpoint collected in one hit."""

    stacktrace: list[Stackframe] | None = None
    goroutine: Goroutine | None = None
    variables: list[Variable] | None = None
    arguments: list[Variable] | None = None
    locals: list[Variable] | None = None


class Thread(_Wire):
    """A thread of the target; ``breakpoint`` is set where it stands at one that counted."""

    id: int = 0
    pc: int = 0
    file: str = ""
    line: int = 0
    function: Function | None = None
    goroutine_id: int = msgspec.field(default=0, name="goroutineID")
    breakpoint: Breakpoint | None = msgspec.field(default=None, name="breakPoint")
    breakpoint_info: BreakpointInfo | None = msgspec.field(default=None, name="breakPointInfo")


class DebuggerState(_Wire):
    """The target as a whole, at the moment of the reply."""

    pid: int = msgspec.field(default=0, name="Pid")
    running: bool = msgspec.field(default=False, name="Running")
    threads: list[Thread] | None = msgspec.field(default=None, name="Threads")
    selected_goroutine: Goroutine | None = msgspec.field(default=None, name="currentGoroutine")
    next_in_progress: bool = msgspec.field(default=False, name="NextInProgress")
    exited: bool = False
    exit_status: int = msgspec.field(default=0, name="exitStatus")


class AsmInstruction(_Wire):
    """One machine instruction, the line it was compiled from, and where a call or jump goes."""

    loc: Location = msgspec.field(default_factory=Location, name="Loc")
    dest_loc: Location | None = msgspec.field(default=None, name="DestLoc")


class GetVersionOut(_Wire):
    """The versions of Delve and of the Go that built the target."""

    delve_version: str = msgspec.field(default="", name="DelveVersion")
    api_version: int = msgspec.field(default=0, name="APIVersion")
    target_go_version: str = msgspec.field(default="", name="TargetGoVersion")


class Reply(_Wire):
    """The envelope of JSON-RPC 1.0; ``id`` is missing in nothing that Delve sends."""

    id: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Any = None
