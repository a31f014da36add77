"""Delve's RPCs, one short method each, named as in ``service/rpc2/server.go``."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from pytest_kdelve.delve import api, versions
from pytest_kdelve.delve.rpc import Connection
from pytest_kdelve.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from pytest_kdelve.delve.rpc import Pending

T = TypeVar("T")

#: Seconds for a call that reads or changes a stopped target.
DEFAULT_TIMEOUT = 30.0
_SELECTED = api.EvalScope()
_NO_OPTIONS = api.StacktraceOptions(0)
#: From a directory as it was when the program was compiled to the same one here.
SubstitutePath = tuple[str, str]


def _make_out(name: str, type_: object, *, is_list: bool) -> type[msgspec.Struct]:
    """Return the type of a result with one field of interest; Go sends an empty list as null."""
    if not is_list:
        return msgspec.defstruct("Out", [("value", type_, msgspec.field(name=name))])
    many = list[type_] | None  # type: ignore[valid-type]
    return msgspec.defstruct("Out", [("value", many, msgspec.field(name=name, default=None))])


_out: Callable[..., type[Any]] = functools.cache(_make_out)
_StateOut = _out("State", api.DebuggerState, is_list=False)


class Client:
    """One connection to a headless Delve with API version 2.

    All calls but ``command``, ``state``, ``restart``, ``stop_recording``, ``get_events``,
    ``cancel_downloads`` and ``download_library_debug_info`` need a stopped target: sent while it
    runs, they wedge this connection on the server's side until the target stops by itself. A
    ``Session`` keeps that from happening.

    Every method raises ``DelveError`` in one of its forms; ``UnsupportedError`` where this Delve
    is too old for what is asked. ``timeout`` is in seconds, ``Client``'s own where it is None.
    """

    def __init__(self, host: str, port: int, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._timeout = timeout
        self._connection = Connection(host, port, timeout=timeout)
        self._own_breakpoints: set[int] = set()

    @property
    def address(self) -> str:
        """``HOST:PORT`` of the server."""
        return self._connection.address

    @property
    def local_address(self) -> tuple[str, int]:
        """The host and port of this end."""
        return self._connection.local_address

    @property
    def port(self) -> int:
        """The port of the server."""
        return self._connection.port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the server and its target go on if it accepts many clients."""
        self._connection.close()

    def _call(
        self,
        result: type[T],
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> T:
        params = params or {}
        self._check_parameters(method, params)
        timeout = self._timeout if timeout is None else timeout
        return self._connection.call(method, params, result, timeout=timeout)

    def _check_parameters(self, method: str, params: Mapping[str, object]) -> None:
        """Refuse what this Delve would pass over without a word."""
        for name, value in params.items():
            if value:
                self._check_since(f"{name} of {method}", versions.PARAMETERS.get((method, name)))

    def _check_since(self, what: str, since: str | None) -> None:
        if since and not self.is_at_least(since):
            raise UnsupportedError(what, since=since)

    def is_at_least(self, version: str) -> bool:
        """Whether this Delve is of a version such as ``1.26.0``, or newer."""
        return self._version >= versions.numbers(version)

    @functools.cached_property
    def _version(self) -> tuple[int, ...]:
        return versions.numbers(self.get_version().delve_version)

    def _do(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        self._call(msgspec.Raw, method, params, timeout=timeout)

    def _one(
        self,
        field: str,
        type_: type[T],
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> T:
        out = _out(field, type_, is_list=False)
        found: T = self._call(out, method, params, timeout=timeout).value
        return found

    def _many(
        self,
        field: str,
        type_: type[T],
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        timeout: float | None = None,
    ) -> Sequence[T]:
        out = _out(field, type_, is_list=True)
        return self._call(out, method, params, timeout=timeout).value or ()

    # The server, and the target as a whole.

    def get_version(self) -> api.GetVersionOut:
        """Return Delve's version and the target's Go version; waits until symbols are loaded."""
        return self._call(api.GetVersionOut, "GetVersion")

    def set_api_version(self, version: int) -> None:
        """Choose the version of the API; Delve serves version 2 only, since 1.24.0."""
        self._do("SetApiVersion", {"APIVersion": version})

    def is_multiclient(self) -> bool:
        """Whether the server goes on when this connection closes."""
        return self._one("IsMulticlient", bool, "IsMulticlient")

    def process_pid(self) -> int:
        """Return the target's process id."""
        return self._one("Pid", int, "ProcessPid")

    def attached_to_existing_process(self) -> bool:
        """Whether Delve was attached to a process that ran already."""
        return self._one("Answer", bool, "AttachedToExistingProcess")

    def last_modified(self) -> datetime:
        """Return when the executable was modified before Delve started; year 1 if not known."""
        return self._call(api.LastModifiedOut, "LastModified").time

    def build_id(self) -> str:
        """Return the executable's build id."""
        return self._one("BuildID", str, "BuildID")

    def list_targets(self) -> Sequence[api.Target]:
        """Return the processes that are debugged."""
        return self._many("Targets", api.Target, "ListTargets")

    def follow_exec(self, *, enable: bool, regex: str = "") -> None:
        """Debug child processes, too: those whose command line matches ``regex``."""
        self._do("FollowExec", {"Enable": enable, "Regex": regex})

    def follow_exec_enabled(self) -> bool:
        """Whether child processes are debugged, too."""
        return self._one("Enabled", bool, "FollowExecEnabled")

    def detach(self, *, kill: bool) -> None:
        """End the debug session; Delve kills a process that it started in either case."""
        self._do("Detach", {"Kill": kill})

    def restart(
        self,
        *,
        args: Sequence[str] | None = None,
        redirects: tuple[str, str, str] = ("", "", ""),
        position: str = "",
        rebuild: bool = False,
        rerecord: bool = False,
        timeout: float | None = None,
    ) -> Sequence[api.DiscardedBreakpoint]:
        """Start the target anew, with other arguments and redirects where ``args`` are given.

        ``position`` is that of a recording. Returns the breakpoints that could not be set again.
        """
        return self._many(
            "DiscardedBreakpoints",
            api.DiscardedBreakpoint,
            "Restart",
            {
                "Position": position,
                "ResetArgs": args is not None,
                "NewArgs": args,
                "NewRedirects": redirects,
                "Rebuild": rebuild,
                "Rerecord": rerecord,
            },
            timeout=timeout,
        )

    # Running and stopping.

    def state(
        self, *, non_blocking: bool = False, timeout: float | None = None
    ) -> api.DebuggerState:
        """Return the target's state; ``non_blocking`` answers while it runs, too."""
        return self._one(
            "State", api.DebuggerState, "State", {"NonBlocking": non_blocking}, timeout=timeout
        )

    def command(
        self,
        name: api.CommandName,
        *,
        thread_id: int = 0,
        goroutine_id: int = 0,
        expr: str = "",
        return_info: api.LoadConfig | None = None,
        unsafe_call: bool = False,
        with_events: bool = False,
        timeout: float | None = None,
    ) -> api.DebuggerState:
        """Run one of Delve's commands, and return the state in which the target stopped.

        ``return_info`` is how values that were returned are loaded. Unlike elsewhere, no
        ``timeout`` means to wait until the target stops, or ``close`` is called.
        """
        params = {
            "name": name,
            "threadID": thread_id,
            "goroutineID": goroutine_id,
            "expr": expr,
            "ReturnInfoLoadConfig": return_info,
            "unsafeCall": unsafe_call,
            "WithEvents": with_events,
        }
        self._check_parameters("Command", params)
        self._check_since(f"the command {name}", versions.COMMANDS.get(name))
        state: api.DebuggerState
        state = self._connection.call("Command", params, _StateOut, timeout=timeout).value
        return state

    def send_command(self, name: api.CommandName) -> Pending:
        """Send a command, and return at once; ``receive_state`` waits for its reply.

        Values that a function returned on the way are loaded as by default.
        """
        params = {"name": name, "ReturnInfoLoadConfig": api.LoadConfig()}
        return self._connection.send("Command", params, timeout=self._timeout)

    def receive_state(self, pending: Pending, *, timeout: float | None) -> api.DebuggerState:
        """Wait until the target stops; after a ``DelveTimeoutError`` it may be asked for again."""
        state: api.DebuggerState
        state = self._connection.receive(pending, _StateOut, timeout=timeout).value
        return state

    def continue_(self, *, timeout: float | None = None) -> api.DebuggerState:
        """Resume the target until it stops."""
        return self.command(api.CommandName.CONTINUE, timeout=timeout)

    def request_halt(self) -> None:
        """Stop the target for which this connection waits, and return at once.

        Delve reads it once the target has been resumed, so it does not come too early, as a
        ``halt`` on another connection may.
        """
        self.send_command(api.CommandName.HALT)

    def halt(self) -> api.DebuggerState:
        """Stop the target; send it on another connection than the one that waits."""
        return self.command(api.CommandName.HALT, timeout=self._timeout)

    def switch_thread(self, thread_id: int) -> api.DebuggerState:
        """Select a thread, and its goroutine, for the commands that move only one."""
        name = api.CommandName.SWITCH_THREAD
        return self.command(name, thread_id=thread_id, timeout=self._timeout)

    def switch_goroutine(self, goroutine_id: int) -> api.DebuggerState:
        """Select a goroutine, also one that is parked."""
        name = api.CommandName.SWITCH_GOROUTINE
        return self.command(name, goroutine_id=goroutine_id, timeout=self._timeout)

    def cancel_next(self) -> None:
        """Give up the next, step or stepout that was interrupted."""
        self._do("CancelNext")

    def set_execution_point(self, addr: int) -> api.DebuggerState:
        """Let the current thread go on at another instruction."""
        return self._one("State", api.DebuggerState, "SetExecutionPoint", {"Addr": addr})

    def get_events(self, *, timeout: float | None = None) -> Sequence[api.Event]:
        """Wait for events of a command that was sent with ``with_events``, and return them."""
        return self._many("Events", api.Event, "GetEvents", timeout=timeout)

    # Breakpoints.

    def create_breakpoint(
        self,
        breakpoint_: api.Breakpoint,
        *,
        loc_expr: str = "",
        substitute_path: Sequence[SubstitutePath] = (),
        suspended: bool = False,
    ) -> api.Breakpoint:
        """Set a breakpoint at ``addrs``, or ``file`` and ``line``, or ``function_name``.

        One at ``addrs`` is for the target that is selected, not for children (``follow_exec``).
        With ``suspended`` one whose ``loc_expr`` means nothing yet is set once it does.
        """
        created = self._one(
            "Breakpoint",
            api.Breakpoint,
            "CreateBreakpoint",
            {
                "Breakpoint": breakpoint_,
                "LocExpr": loc_expr,
                "SubstitutePathRules": substitute_path,
                "Suspended": suspended,
            },
        )
        self._own_breakpoints.add(created.id)
        return created

    def create_watchpoint(
        self, scope: api.EvalScope, expr: str, type_: api.WatchType
    ) -> api.Breakpoint:
        """Stop when the memory of a variable is written, or read."""
        params = {"Scope": scope, "Expr": expr, "Type": type_}
        created = self._call(api.Breakpoint, "CreateWatchpoint", params)
        self._own_breakpoints.add(created.id)
        return created

    @property
    def own_breakpoints(self) -> AbstractSet[int]:
        """The ids of the breakpoints and watchpoints that were ever set with this client.

        Delve has one list of them for all its clients, and gives no id twice.
        """
        return self._own_breakpoints

    def amend_breakpoint(self, breakpoint_: api.Breakpoint) -> None:
        """Replace all the settings of the breakpoint with this ``id``."""
        self._do("AmendBreakpoint", {"Breakpoint": breakpoint_})

    def toggle_breakpoint(self, breakpoint_id: int = 0, *, name: str = "") -> api.Breakpoint:
        """Disable a breakpoint, or enable it again."""
        out, method = api.Breakpoint, "ToggleBreakpoint"
        return self._one("Breakpoint", out, method, {"Id": breakpoint_id, "Name": name})

    def clear_breakpoint(self, breakpoint_id: int = 0, *, name: str = "") -> None:
        """Remove a breakpoint."""
        self._do("ClearBreakpoint", {"Id": breakpoint_id, "Name": name})

    def get_breakpoint(self, breakpoint_id: int = 0, *, name: str = "") -> api.Breakpoint:
        """Return a breakpoint by its id or its name."""
        out, method = api.Breakpoint, "GetBreakpoint"
        return self._one("Breakpoint", out, method, {"Id": breakpoint_id, "Name": name})

    def list_breakpoints(self, *, all_: bool = False) -> Sequence[api.Breakpoint]:
        """Return the breakpoints; with ``all_`` those that Delve has set for itself, too."""
        return self._many("Breakpoints", api.Breakpoint, "ListBreakpoints", {"All": all_})

    def create_ebpf_tracepoint(self, function_name: str) -> None:
        """Trace a function without stops; needs root, linux/amd64, and at most 6 parameters."""
        self._do("CreateEBPFTracepoint", {"FunctionName": function_name})

    def get_buffered_tracepoints(
        self, load: api.LoadConfig | None = None
    ) -> Sequence[api.TracepointResult]:
        """Return what the eBPF tracepoints saw since this was asked last."""
        field, out = "TracepointResults", api.TracepointResult
        return self._many(field, out, "GetBufferedTracepoints", {"LoadCfg": load})

    # Threads, goroutines and stacks.

    def list_threads(self) -> Sequence[api.Thread]:
        """Return the threads of the target."""
        return self._many("Threads", api.Thread, "ListThreads")

    def get_thread(self, thread_id: int) -> api.Thread:
        """Return one thread."""
        return self._one("Thread", api.Thread, "GetThread", {"Id": thread_id})

    def list_goroutines(
        self,
        start: int = 0,
        count: int = 0,
        *,
        filters: Sequence[api.ListGoroutinesFilter] = (),
        group: api.GoroutineGroupingOptions | None = None,
        scope: api.EvalScope | None = None,
        timeout: float | None = None,
    ) -> api.ListGoroutinesOut:
        """Return ``count`` goroutines from the one with index ``start``; 0 means all.

        ``scope`` is where the channel of a filter is evaluated. Filters apply to the part that is
        returned.
        """
        if any(each.kind is api.GoroutineField.WAITING_ON_CHANNEL for each in filters):
            self._check_since("the channel filter of ListGoroutines", versions.CHANNEL_FILTER)
        grouping = msgspec.to_builtins(group) if group else {}
        return self._call(
            api.ListGoroutinesOut,
            "ListGoroutines",
            {"Start": start, "Count": count, "Filters": filters, "EvalScope": scope, **grouping},
            timeout=timeout,
        )

    def stacktrace(
        self,
        goroutine_id: int,
        depth: int,
        *,
        load: api.LoadConfig | None = None,
        opts: api.StacktraceOptions = _NO_OPTIONS,
        skip: int = 0,
    ) -> Sequence[api.Stackframe]:
        """Return the innermost frame and up to ``depth`` outer ones.

        With ``load``, they have their variables.
        """
        params = {"Id": goroutine_id, "Depth": depth, "Cfg": load, "Opts": opts, "Skip": skip}
        return self._many("Locations", api.Stackframe, "Stacktrace", params)

    def ancestors(self, goroutine_id: int, count: int, depth: int) -> Sequence[api.Ancestor]:
        """Return the goroutines that led to this one, with ``depth`` frames each.

        The target needs ``GODEBUG=tracebackancestors=N`` in its environment.
        """
        params = {"GoroutineID": goroutine_id, "NumAncestors": count, "Depth": depth}
        return self._many("Ancestors", api.Ancestor, "Ancestors", params)

    # Variables, registers and memory.

    def eval(
        self, expr: str, scope: api.EvalScope, load: api.LoadConfig, *, timeout: float | None = None
    ) -> api.Variable:
        """Evaluate a Go expression, without calling functions of the target."""
        params = {"Scope": scope, "Expr": expr, "Cfg": load}
        return self._one("Variable", api.Variable, "Eval", params, timeout=timeout)

    def set(self, scope: api.EvalScope, symbol: str, value: str) -> None:
        """Assign the value of an expression to a variable; numbers, bools and pointers only."""
        self._do("Set", {"Scope": scope, "Symbol": symbol, "Value": value})

    def list_local_vars(self, scope: api.EvalScope, load: api.LoadConfig) -> Sequence[api.Variable]:
        """Return the local variables of a frame, shadowed ones included."""
        return self._many("Variables", api.Variable, "ListLocalVars", {"Scope": scope, "Cfg": load})

    def list_function_args(
        self, scope: api.EvalScope, load: api.LoadConfig
    ) -> Sequence[api.Variable]:
        """Return the arguments and named results of a frame's function."""
        return self._many("Args", api.Variable, "ListFunctionArgs", {"Scope": scope, "Cfg": load})

    def list_package_vars(
        self, filter_: str, load: api.LoadConfig, *, timeout: float | None = None
    ) -> Sequence[api.Variable]:
        """Return the package variables whose full names match a regexp."""
        field, method = "Variables", "ListPackageVars"
        return self._many(
            field, api.Variable, method, {"Filter": filter_, "Cfg": load}, timeout=timeout
        )

    def list_registers(
        self,
        thread_id: int = 0,
        *,
        scope: api.EvalScope | None = None,
        include_fp: bool = False,
    ) -> api.ListRegistersOut:
        """Return the registers of a thread, or of a frame; by default of the current thread."""
        params = {"ThreadID": thread_id, "Scope": scope, "IncludeFp": include_fp}
        return self._call(api.ListRegistersOut, "ListRegisters", params)

    def examine_memory(self, address: int, length: int) -> bytes:
        """Return up to 65,536 bytes of the target's memory; before Delve 1.24.0, up to 1000."""
        out = self._call(
            api.ExaminedMemoryOut, "ExamineMemory", {"Address": address, "Length": length}
        )
        return out.mem or b""

    # Source, types and code.

    def list_sources(self, filter_: str = "") -> Sequence[str]:
        """Return the source paths in the binary's debug information that match a regexp."""
        return self._many("Sources", str, "ListSources", {"Filter": filter_})

    def list_functions(self, filter_: str = "", *, follow_calls: int = 0) -> Sequence[str]:
        """Return the full names of the functions that match a regexp, and of those they call.

        ``follow_calls`` is the depth of the calls; 0 follows none.
        """
        params = {"Filter": filter_, "FollowCalls": follow_calls}
        return self._many("Funcs", str, "ListFunctions", params)

    def list_types(self, filter_: str = "") -> Sequence[str]:
        """Return the names of the types that match a regexp."""
        return self._many("Types", str, "ListTypes", {"Filter": filter_})

    def type_info(self, name: str) -> api.TypeInfo:
        """Return the fields and methods of a type."""
        return self._one("TypeInfo", api.TypeInfo, "TypeInfo", {"Name": name})

    def find_location(
        self,
        loc: str,
        *,
        scope: api.EvalScope = _SELECTED,
        include_non_executable_lines: bool = False,
        substitute_path: Sequence[SubstitutePath] = (),
    ) -> Sequence[api.Location]:
        """Resolve one of Delve's location expressions to logical locations.

        ``substitute_path`` are pairs (as compiled, as in ``loc``) of files or directories.
        """
        out = self._call(
            api.FindLocationOut,
            "FindLocation",
            {
                "Scope": scope,
                "Loc": loc,
                "IncludeNonExecutableLines": include_non_executable_lines,
                "SubstitutePathRules": substitute_path,
            },
        )
        return out.locations or ()

    def guess_substitute_path(
        self, main_package: str, directories: Mapping[str, str], *, goroot: str = ""
    ) -> Sequence[SubstitutePath]:
        """Return rules for the directories in which modules, by their paths, stand here."""
        args = {
            "ImportPathOfMainPackage": main_package,
            "ClientGOROOT": goroot,
            "ClientModuleDirectories": directories,
        }
        # Of a tuple's two parts, neither is missing.
        return self._many("List", tuple[str, str], "GuessSubstitutePath", {"Args": args})

    def function_return_locations(self, function: str) -> Sequence[int]:
        """Return the addresses at which a function returns."""
        return self._many("Addrs", int, "FunctionReturnLocations", {"FnName": function})

    def disassemble(
        self,
        start_pc: int,
        end_pc: int = 0,
        *,
        scope: api.EvalScope = _SELECTED,
        flavour: api.AssemblyFlavour = api.AssemblyFlavour.INTEL,
    ) -> Sequence[api.AsmInstruction]:
        """Return the instructions of a range, or of the function that contains ``start_pc``."""
        params = {"Scope": scope, "StartPC": start_pc, "EndPC": end_pc, "Flavour": flavour}
        return self._many("Disassemble", api.AsmInstruction, "Disassemble", params)

    def list_packages_build_info(
        self, filter_: str = "", *, include_files: bool = False
    ) -> Sequence[api.PackageBuildInfo]:
        """Return the directories of the packages whose import paths match a regexp."""
        params = {"Filter": filter_, "IncludeFiles": include_files}
        return self._many("List", api.PackageBuildInfo, "ListPackagesBuildInfo", params)

    def list_dynamic_libraries(self) -> api.ListDynamicLibrariesOut:
        """Return the shared libraries that the target has loaded."""
        return self._call(api.ListDynamicLibrariesOut, "ListDynamicLibraries")

    def debug_info_directories(self, directories: Sequence[str] | None = None) -> Sequence[str]:
        """Return where debug information in files of its own is looked for, or change it."""
        params = {"Set": directories is not None, "List": directories}
        return self._many("List", str, "DebugInfoDirectories", params)

    def download_library_debug_info(
        self, library: int, *, with_events: bool = False, timeout: float | None = None
    ) -> None:
        """Fetch the debug information of a shared library, by its index, with debuginfod."""
        params = {"N": library, "WithEvents": with_events}
        self._do("DownloadLibraryDebugInfo", params, timeout=timeout)

    def cancel_downloads(self) -> None:
        """Give up fetching debug information."""
        self._do("CancelDownloads")

    # Core dumps and recordings.

    def dump_start(self, destination: str) -> api.DumpState:
        """Begin to write a core dump to a file on the server's machine."""
        return self._one("State", api.DumpState, "DumpStart", {"Destination": destination})

    def dump_wait(self, wait: timedelta = timedelta()) -> api.DumpState:
        """Wait for the end of the core dump, at most for ``wait``."""
        milliseconds = wait // timedelta(milliseconds=1)
        timeout = self._timeout + wait.total_seconds()
        return self._one(
            "State", api.DumpState, "DumpWait", {"Wait": milliseconds}, timeout=timeout
        )

    def dump_cancel(self) -> None:
        """Give up the core dump."""
        self._do("DumpCancel")

    def recorded(self) -> api.RecordedOut:
        """Return whether the target is a recording of rr or undo."""
        return self._call(api.RecordedOut, "Recorded")

    def stop_recording(self, *, timeout: float | None = None) -> None:
        """End the recording that is being made."""
        self._do("StopRecording", timeout=timeout)

    def checkpoint(self, where: str) -> int:
        """Remember this point of a recording under a description; returns its id."""
        return self._one("ID", int, "Checkpoint", {"Where": where})

    def list_checkpoints(self) -> Sequence[api.Checkpoint]:
        """Return the remembered points of a recording."""
        return self._many("Checkpoints", api.Checkpoint, "ListCheckpoints")

    def clear_checkpoint(self, checkpoint_id: int) -> None:
        """Forget a point of a recording."""
        self._do("ClearCheckpoint", {"ID": checkpoint_id})
