"""The wire types of Delve's API version 2, in Delve's own names.

They mirror ``service/api/types.go`` of Delve 1.27.2. A key that this module does not know is
ignored, and ``null`` or a missing key stands for the type's zero value, because Delve adds
fields between releases and Go encodes an empty list as ``null``.
"""

from __future__ import annotations

import enum
from datetime import datetime
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
    C_POINTER = 64
    CPU_REGISTER = 128


class WatchType(enum.IntFlag):
    """What a watchpoint stops at."""

    READ = 1
    WRITE = 2


class StacktraceOptions(enum.IntFlag):
    """How a stack is read: with deferred calls, on one stack only, from the saved registers."""

    READ_DEFERS = 1
    SIMPLE = 2
    G = 4


class AssemblyFlavour(enum.IntEnum):
    """The syntax of disassembled code."""

    GNU = 0
    INTEL = 1
    GO = 2


class GoroutineField(enum.IntEnum):
    """What ``list_goroutines`` filters and groups by."""

    NONE = 0
    CURRENT_LOC = 1
    USER_LOC = 2
    GO_LOC = 3
    START_LOC = 4
    LABEL = 5
    RUNNING = 6
    USER = 7
    WAITING_ON_CHANNEL = 8


class EventKind(enum.IntEnum):
    """``Event.kind``."""

    RESUMED = 0
    STOPPED = 1
    BINARY_INFO_DOWNLOAD = 2
    BREAKPOINT_MATERIALIZED = 3
    PROCESS_SPAWNED = 4
    DOWNLOAD_LIBRARY_INFO_DONE = 5


class CommandName(enum.StrEnum):
    """``DebuggerCommand.name``; those with REVERSE and REWIND need a recorded target."""

    CONTINUE = "continue"
    REWIND = "rewind"
    DIRECTION_CONGRUENT_CONTINUE = "directionCongruentContinue"
    STEP = "step"
    REVERSE_STEP = "reverseStep"
    STEP_OUT = "stepOut"
    REVERSE_STEP_OUT = "reverseStepOut"
    STEP_INSTRUCTION = "stepInstruction"
    NEXT_INSTRUCTION = "nextInstruction"
    REVERSE_STEP_INSTRUCTION = "reverseStepInstruction"
    REVERSE_NEXT_INSTRUCTION = "reverseNextInstruction"
    NEXT = "next"
    REVERSE_NEXT = "reverseNext"
    SWITCH_THREAD = "switchThread"
    SWITCH_GOROUTINE = "switchGoroutine"
    HALT = "halt"
    CALL = "call"


class _Sent(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What only the client sends."""


class LoadConfig(_Sent, frozen=True, kw_only=True):
    """How much of a value Delve reads from the target's memory."""

    follow_pointers: bool = True
    max_variable_recurse: int = 1
    max_string_len: int = 64
    max_array_values: int = 64
    max_struct_fields: int = -1


class EvalScope(_Sent, frozen=True, kw_only=True):
    """Where an expression is evaluated; goroutine -1 is the selected one."""

    goroutine_id: int = msgspec.field(default=-1, name="GoroutineID")
    frame: int = 0
    deferred_call: int = 0


class ListGoroutinesFilter(_Sent, frozen=True, kw_only=True):
    """Which goroutines are listed: those whose ``kind`` holds ``arg``, or not, if ``negated``."""

    kind: GoroutineField
    negated: bool = False
    arg: str = ""


class GoroutineGroupingOptions(_Sent, frozen=True, kw_only=True):
    """How listed goroutines are grouped; ``group_by_key`` is the name of a label."""

    group_by: GoroutineField
    group_by_key: str = ""
    max_group_members: int = 0
    max_groups: int = 0


class _Wire(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What arrives from Delve; a field that is not sent is the type's zero value for Go, too."""


class _Pascal(_Wire, kw_only=True, omit_defaults=True, rename="pascal"):
    """The same, where Delve's names begin with a capital."""


class Function(_Wire):
    """A function of the target; ``optimized`` means that its locals cannot be trusted."""

    name: str = ""
    value: int = 0
    type: int = 0
    go_type: int = msgspec.field(default=0, name="goType")
    optimized: bool = False


class Location(_Wire):
    """A place in the source; ``pcs`` has all its addresses where the place is logical."""

    pc: int = 0
    file: str = ""
    line: int = 0
    function: Function | None = None
    pcs: list[int] | None = None
    pc_pids: list[int] | None = msgspec.field(default=None, name="pcpids")


class Variable(_Wire):
    """A value as Delve read it; see ``values`` for its Python form.

    ``len`` is the real length, of which ``children`` and ``value`` may hold only a part.
    ``string_value_bytes`` is set where ``value`` is not UTF-8, from Delve 1.26.0 on; an older one
    leaves it out. ``loading`` keeps the bytes of what it loaded there, of byte slices, too.
    """

    name: str = ""
    addr: int = 0
    only_addr: bool = msgspec.field(default=False, name="onlyAddr")
    type: str = ""
    real_type: str = msgspec.field(default="", name="realType")
    flags: int = 0
    kind: int = 0
    value: str = ""
    string_value_bytes: bytes | msgspec.UnsetType | None = msgspec.field(
        default=msgspec.UNSET, name="StringValueBytes"
    )
    len: int = 0
    cap: int = 0
    children: list[Variable] | None = None
    base: int = 0
    unreadable: str = ""
    location_expr: str = msgspec.field(default="", name="LocationExpr")
    decl_line: int = msgspec.field(default=0, name="DeclLine")


class Defer(_Pascal):
    """A deferred call: of what, and where it was deferred."""

    deferred_loc: Location = msgspec.field(default_factory=Location)
    defer_loc: Location = msgspec.field(default_factory=Location)
    sp: int = msgspec.field(default=0, name="SP")
    unreadable: str = ""


class Stackframe(Location):
    """One frame of a stack, innermost first."""

    locals: list[Variable] | None = msgspec.field(default=None, name="Locals")
    arguments: list[Variable] | None = msgspec.field(default=None, name="Arguments")
    frame_offset: int = msgspec.field(default=0, name="FrameOffset")
    frame_pointer_offset: int = msgspec.field(default=0, name="FramePointerOffset")
    defers: list[Defer] | None = msgspec.field(default=None, name="Defers")
    bottom: bool = msgspec.field(default=False, name="Bottom")
    err: str = msgspec.field(default="", name="Err")


class Ancestor(_Pascal):
    """A goroutine that started another one, with its stack at that moment."""

    id: int = msgspec.field(default=0, name="ID")
    stack: list[Stackframe] | None = None
    unreadable: str = ""


class Goroutine(_Wire):
    """A goroutine of the target; ``thread_id`` is 0 where it is not on a thread."""

    id: int = 0
    current_loc: Location = msgspec.field(default_factory=Location, name="currentLoc")
    user_current_loc: Location = msgspec.field(default_factory=Location, name="userCurrentLoc")
    go_statement_loc: Location = msgspec.field(default_factory=Location, name="goStatementLoc")
    start_loc: Location = msgspec.field(default_factory=Location, name="startLoc")
    thread_id: int = msgspec.field(default=0, name="threadID")
    status: int = 0
    wait_since: int = msgspec.field(default=0, name="waitSince")
    wait_reason: int = msgspec.field(default=0, name="waitReason")
    unreadable: str = ""
    labels: dict[str, str] | None = None


class GoroutineGroup(_Pascal):
    """A part of the listed goroutines that belong together: from ``offset``, ``count`` long."""

    name: str = ""
    offset: int = 0
    count: int = 0
    total: int = 0


class Breakpoint(_Wire):
    """A logical breakpoint, and what Delve collects each time it is hit.

    ``variables`` are expressions; ``stacktrace`` is a number of frames.
    """

    id: int = 0
    name: str = ""
    addr: int = 0
    addrs: list[int] | None = None
    addr_pid: list[int] | None = msgspec.field(default=None, name="addrpid")
    file: str = ""
    line: int = 0
    function_name: str = msgspec.field(default="", name="functionName")
    expr_string: str = msgspec.field(default="", name="ExprString")
    cond: str = msgspec.field(default="", name="Cond")
    hit_cond: str = msgspec.field(default="", name="HitCond")
    hit_cond_per_g: bool = msgspec.field(default=False, name="HitCondPerG")
    tracepoint: bool = msgspec.field(default=False, name="continue")
    trace_return: bool = msgspec.field(default=False, name="traceReturn")
    goroutine: bool = False
    stacktrace: int = 0
    variables: list[str] | None = None
    load_args: LoadConfig | None = msgspec.field(default=None, name="LoadArgs")
    load_locals: LoadConfig | None = msgspec.field(default=None, name="LoadLocals")
    custom_commands: list[str] | None = msgspec.field(default=None, name="customCommands")
    watch_expr: str = msgspec.field(default="", name="WatchExpr")
    watch_type: int = msgspec.field(default=0, name="WatchType")
    verbose_descr: list[str] | None = msgspec.field(default=None, name="VerboseDescr")
    hit_count: dict[str, int] | None = msgspec.field(default=None, name="hitCount")
    total_hit_count: int = msgspec.field(default=0, name="totalHitCount")
    disabled: bool = False
    root_func_name: str = msgspec.field(default="", name="RootFuncName")
    trace_follow_calls: int = msgspec.field(default=0, name="TraceFollowCalls")


class DiscardedBreakpoint(_Pascal):
    """A breakpoint that could not be set again after a restart."""

    breakpoint: Breakpoint | None = None
    reason: str = ""


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
    return_values: list[Variable] | None = msgspec.field(default=None, name="ReturnValues")
    call_return: bool = msgspec.field(default=False, name="CallReturn")


class DebuggerState(_Pascal):
    """The target as a whole, at the moment of the reply.

    ``stop_reason`` is Delve's own word for it, empty before Delve 1.26.1; see ``stops``.
    """

    pid: int = 0
    target_command_line: str = ""
    running: bool = False
    recording: bool = False
    core_dumping: bool = False
    current_thread: Thread | None = msgspec.field(default=None, name="currentThread")
    selected_goroutine: Goroutine | None = msgspec.field(default=None, name="currentGoroutine")
    threads: list[Thread] | None = None
    next_in_progress: bool = False
    watch_out_of_scope: list[Breakpoint] | None = None
    exited: bool = msgspec.field(default=False, name="exited")
    exit_status: int = msgspec.field(default=0, name="exitStatus")
    when: str = ""
    stop_reason: str = msgspec.field(default="", name="stopReason")


class TracepointResult(_Wire):
    """One entry or return of a function that an eBPF tracepoint saw."""

    addr: int = 0
    file: str = ""
    line: int = 0
    is_ret: bool = False
    function_name: str = msgspec.field(default="", name="functionName")
    goroutine_id: int = msgspec.field(default=0, name="goroutineID")
    input_params: list[Variable] | None = msgspec.field(default=None, name="inputParams")
    return_params: list[Variable] | None = msgspec.field(default=None, name="returnParams")


class Register(_Pascal):
    """A register of the CPU; ``value`` is as Delve formats it."""

    name: str = ""
    value: str = ""
    dwarf_number: int = 0


class AsmInstruction(_Pascal):
    """One machine instruction, the line it was compiled from, and where a call or jump goes."""

    loc: Location = msgspec.field(default_factory=Location)
    dest_loc: Location | None = None
    text: str = ""
    bytes_: bytes | None = msgspec.field(default=None, name="Bytes")
    breakpoint: bool = False
    at_pc: bool = msgspec.field(default=False, name="AtPC")


class Checkpoint(_Pascal):
    """A point of a recording to restart from."""

    id: int = msgspec.field(default=0, name="ID")
    when: str = ""
    where: str = ""


class Image(_Pascal):
    """A shared library of the target."""

    path: str = ""
    address: int = 0
    load_error: str = ""
    trimpath: bool = False


class PackageBuildInfo(_Pascal):
    """Where the files of a package were when it was compiled."""

    import_path: str = ""
    directory_path: str = ""
    files: list[str] | None = None


class DumpState(_Pascal):
    """How far a core dump is; ``mem_done`` and ``mem_total`` are in bytes."""

    dumping: bool = False
    all_done: bool = False
    threads_done: int = 0
    threads_total: int = 0
    mem_done: int = 0
    mem_total: int = 0
    err: str = ""


class Target(_Pascal):
    """One of the processes that are debugged; there are several with follow-exec."""

    pid: int = 0
    cmd_line: str = ""
    current_thread: Thread | None = None


class Event(_Pascal):
    """What happened while the target ran; the fields of other kinds are empty."""

    kind: int = 0
    image_path: str = ""
    progress: str = ""
    breakpoint: Breakpoint | None = None
    pid: int = msgspec.field(default=0, name="PID")
    thread_id: int = msgspec.field(default=0, name="ThreadID")
    cmdline: str = ""
    will_follow: bool = False


class TypeInfoField(_Pascal):
    """A field of a struct type."""

    name: str = ""
    type: str = ""


class TypeInfoMethod(_Pascal):
    """A method of a type."""

    name: str = ""


class TypeInfo(_Pascal):
    """A type of the target; ``size`` is in bytes."""

    kind: int = 0
    size: int = 0
    real_type: str = ""
    fields: list[TypeInfoField] | None = None
    methods: list[TypeInfoMethod] | None = None


class GetVersionOut(_Pascal):
    """The versions of Delve and of the Go that built the target."""

    delve_version: str = ""
    api_version: int = msgspec.field(default=0, name="APIVersion")
    backend: str = ""
    target_go_version: str = ""
    min_supported_version_of_go: str = ""
    max_supported_version_of_go: str = ""


class LastModifiedOut(_Pascal):
    """When the target's executable was last modified, as Delve saw it at the start."""

    time: datetime


class ListGoroutinesOut(_Pascal):
    """A part of the goroutines; the next part starts at ``nextg``, -1 after the last one."""

    goroutines: list[Goroutine] | None = None
    nextg: int = 0
    groups: list[GoroutineGroup] | None = None
    too_many_groups: bool = False


class ListRegistersOut(_Pascal):
    """The registers, and all of them as one text."""

    registers: str = ""
    regs: list[Register] | None = None


class FindLocationOut(_Pascal):
    """What a location expression means; ``substitute_loc_expr`` is for a suspended breakpoint."""

    locations: list[Location] | None = None
    substitute_loc_expr: str = ""


class ListDynamicLibrariesOut(_Pascal):
    """The shared libraries, and whether the executable was built with -trimpath."""

    images: list[Image] | None = msgspec.field(default=None, name="List")
    executable_trimpath: bool = False


class RecordedOut(_Pascal):
    """Whether the target is a recording, and where that is."""

    recorded: bool = False
    trace_directory: str = ""


class ExaminedMemoryOut(_Pascal):
    """A piece of the target's memory."""

    mem: bytes | None = None
    is_little_endian: bool = False


class Reply(msgspec.Struct):
    """The envelope of JSON-RPC 1.0; ``id`` is missing in nothing that Delve sends."""

    id: int
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Any = None
