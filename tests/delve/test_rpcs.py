"""The client against the source of Delve: a new release shows here what is missing."""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pytest_kdelve.controlplane.releases import DELVE_VERSION
from pytest_kdelve.delve import Client, api, versions
from pytest_kdelve.errors import ProtocolError, UnsupportedError
from pytest_kdelve.testing import Call, FakeConnection, FakeDelve
from tests.delve import go_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.delve.conftest import Debug
    from tests.delve.toolchains import Toolchain

OLDEST = "1.9.1"
HERE = api.EvalScope(goroutine_id=3, frame=1)
LOAD = api.LoadConfig()
#: Each RPC by a call that gives all of its parameters.
CALLS: dict[str, Callable[[Client], object]] = {
    "AmendBreakpoint": lambda client: client.amend_breakpoint(api.Breakpoint(id=1)),
    "Ancestors": lambda client: client.ancestors(1, 2, 3),
    "AttachedToExistingProcess": lambda client: client.attached_to_existing_process(),
    "BuildID": lambda client: client.build_id(),
    "CancelDownloads": lambda client: client.cancel_downloads(),
    "CancelNext": lambda client: client.cancel_next(),
    "Checkpoint": lambda client: client.checkpoint("here"),
    "ClearBreakpoint": lambda client: client.clear_breakpoint(1),
    "ClearCheckpoint": lambda client: client.clear_checkpoint(1),
    "Command": lambda client: client.command(api.CommandName.CONTINUE, with_events=True),
    "CreateBreakpoint": lambda client: client.create_breakpoint(
        api.Breakpoint(), loc_expr="x", substitute_path=[("/a", "/b")], suspended=True
    ),
    "CreateEBPFTracepoint": lambda client: client.create_ebpf_tracepoint("main.f"),
    "CreateWatchpoint": lambda client: client.create_watchpoint(HERE, "x", api.WatchType.WRITE),
    "DebugInfoDirectories": lambda client: client.debug_info_directories(["/usr/lib/debug"]),
    "Detach": lambda client: client.detach(kill=True),
    "Disassemble": lambda client: client.disassemble(1, 2, scope=HERE),
    "DownloadLibraryDebugInfo": lambda client: client.download_library_debug_info(
        1, with_events=True
    ),
    "DumpCancel": lambda client: client.dump_cancel(),
    "DumpStart": lambda client: client.dump_start("/core"),
    "DumpWait": lambda client: client.dump_wait(timedelta(seconds=1)),
    "Eval": lambda client: client.eval("x", HERE, LOAD),
    "ExamineMemory": lambda client: client.examine_memory(1, 2),
    "FindLocation": lambda client: client.find_location(
        "x", scope=HERE, include_non_executable_lines=True, substitute_path=[("/a", "/b")]
    ),
    "FollowExec": lambda client: client.follow_exec(enable=True, regex="x"),
    "FollowExecEnabled": lambda client: client.follow_exec_enabled(),
    "FunctionReturnLocations": lambda client: client.function_return_locations("main.f"),
    "GetBreakpoint": lambda client: client.get_breakpoint(name="x"),
    "GetBufferedTracepoints": lambda client: client.get_buffered_tracepoints(LOAD),
    "GetEvents": lambda client: client.get_events(),
    "GetThread": lambda client: client.get_thread(1),
    "GetVersion": lambda client: client.get_version(),
    "GuessSubstitutePath": lambda client: client.guess_substitute_path("m", {"m": "/m"}),
    "IsMulticlient": lambda client: client.is_multiclient(),
    "LastModified": lambda client: client.last_modified(),
    "ListBreakpoints": lambda client: client.list_breakpoints(all_=True),
    "ListCheckpoints": lambda client: client.list_checkpoints(),
    "ListDynamicLibraries": lambda client: client.list_dynamic_libraries(),
    "ListFunctionArgs": lambda client: client.list_function_args(HERE, LOAD),
    "ListFunctions": lambda client: client.list_functions("x", follow_calls=1),
    "ListGoroutines": lambda client: client.list_goroutines(
        1,
        2,
        filters=[api.ListGoroutinesFilter(kind=api.GoroutineField.USER)],
        group=api.GoroutineGroupingOptions(group_by=api.GoroutineField.USER_LOC),
        scope=HERE,
    ),
    "ListLocalVars": lambda client: client.list_local_vars(HERE, LOAD),
    "ListPackageVars": lambda client: client.list_package_vars("x", LOAD),
    "ListPackagesBuildInfo": lambda client: client.list_packages_build_info(
        "x", include_files=True
    ),
    "ListRegisters": lambda client: client.list_registers(1, scope=HERE, include_fp=True),
    "ListSources": lambda client: client.list_sources("x"),
    "ListTargets": lambda client: client.list_targets(),
    "ListThreads": lambda client: client.list_threads(),
    "ListTypes": lambda client: client.list_types("x"),
    "ProcessPid": lambda client: client.process_pid(),
    "Recorded": lambda client: client.recorded(),
    "Restart": lambda client: client.restart(args=["x"]),
    "Set": lambda client: client.set(HERE, "x", "1"),
    "SetApiVersion": lambda client: client.set_api_version(2),
    "SetExecutionPoint": lambda client: client.set_execution_point(1),
    "Stacktrace": lambda client: client.stacktrace(1, 2, load=LOAD, skip=1),
    "State": lambda client: client.state(non_blocking=True),
    "StopRecording": lambda client: client.stop_recording(),
    "ToggleBreakpoint": lambda client: client.toggle_breakpoint(1),
    "TypeInfo": lambda client: client.type_info("main.T"),
}
#: Parameters whose type does not have the name of the RPC.
PARAMETERS = {"Command": "DebuggerCommand", "SetApiVersion": "SetAPIVersionIn"}
#: Parameters that say what another one says, too (server.go: "equivalent to ... in Opts").
SAME_AS_ANOTHER = {"Stacktrace": {"Defers", "Full"}}
#: Types that Go embeds in another one, so that JSON has them as one object.
FLATTENED = {
    "BinaryInfoDownloadEventDetails": "Event",
    "BreakpointMaterializedEventDetails": "Event",
    "ProcessSpawnedEventDetails": "Event",
}
#: What the client takes as arguments of a method, and what is not on the wire.
NOT_MIRRORED = {"DebuggerCommand", "GetVersionIn", "GuessSubstitutePathIn", "RPCServer"}


def sent(name: str, version: str) -> list[Call]:
    """Return what a method sends to a Delve of a version."""

    def answer(call: Call, connection: FakeConnection) -> None:
        connection.reply(call, {"DelveVersion": f"Version: {version}\nBuild: x"})

    with FakeDelve(answer) as fake, Client(fake.host, fake.port) as client:
        with contextlib.suppress(ProtocolError):  # That answer has no other result.
            CALLS[name](client)
        return fake.calls


def python_name(method: str) -> str:
    parts = re.findall(r"EBPF|ID|[A-Z][a-z]+", method)
    assert "".join(parts) == method
    return "_".join(parts).lower()


def encoded(type_: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(type_))


MIRRORED: dict[str, Any] = {
    name: found
    for name, found in vars(api).items()
    if isinstance(found, type)
    and issubclass(found, msgspec.Struct)
    and not name.startswith("_")
    and name != "Reply"
}


def test_every_rpc_of_delves_own_source_is_a_method() -> None:
    assert CALLS.keys() == go_source.methods(DELVE_VERSION)


@pytest.mark.parametrize("name", CALLS)
def test_a_method_has_the_rpcs_name_and_sends_all_its_parameters(name: str) -> None:
    assert getattr(Client, python_name(name)).__doc__
    [call] = [call for call in sent(name, DELVE_VERSION) if call.method == name]
    known = go_source.structs(DELVE_VERSION)[PARAMETERS.get(name, f"{name}In")]
    assert set(call.params) == known - SAME_AS_ANOTHER.get(name, set())


@pytest.mark.parametrize("name", MIRRORED)
def test_a_wire_type_has_all_fields_of_delves(name: str) -> None:
    assert encoded(MIRRORED[name]) == go_source.structs(DELVE_VERSION)[name]


def test_every_type_that_delve_sends_is_mirrored() -> None:
    known = go_source.structs(DELVE_VERSION)
    inside = {name for name in known if not name.endswith(("In", "Out"))}
    assert inside - NOT_MIRRORED - FLATTENED.keys() <= MIRRORED.keys()
    for name, whole in FLATTENED.items():
        assert known[name] <= encoded(MIRRORED[whole])


def commanding(name: str) -> Callable[[Client], object]:
    return lambda client: client.command(api.CommandName(name))


#: Each by how it is asked for, and the first Delve that has it.
LACKING: list[tuple[str, Callable[[Client], object], str]] = [
    *((name, CALLS[name], since) for name, since in versions.METHODS.items()),
    *((name, CALLS[name], since) for (name, _), since in versions.PARAMETERS.items()),
    *((name, commanding(name), since) for name, since in versions.COMMANDS.items()),
]


def test_what_the_oldest_delve_lacks_is_a_typed_error(debug: Debug, toolchain: Toolchain) -> None:
    """Whether it would refuse it or pass it over; and the target is where it was afterwards."""
    if toolchain.delve != (1, 9):
        pytest.skip("it has everything")
    with debug("behave", "tick").connect() as client:
        before = client.state().threads
        for name, call, _ in LACKING:
            with pytest.raises(UnsupportedError, match=rf"{name}; Delve has it since") as caught:
                call(client)
            known = {since for other, _, since in LACKING if other == name}
            assert caught.value.since in known
        assert client.state().threads == before


def test_every_command_is_known() -> None:
    assert {name.value for name in api.CommandName} == go_source.commands(DELVE_VERSION)


def test_what_the_oldest_delve_lacks_is_known() -> None:
    """The versions in between were read from the tags' sources once; this holds the list."""
    added = go_source.methods(DELVE_VERSION) - go_source.methods(OLDEST)
    assert versions.METHODS.keys() == added
    new, old = go_source.structs(DELVE_VERSION), go_source.structs(OLDEST)
    fields = {
        (method, field)
        for method in go_source.methods(OLDEST) - {"GetVersion", "SetApiVersion"}
        for field in new[PARAMETERS.get(method, f"{method}In")]
        - old[PARAMETERS.get(method, f"{method}In")]
    }
    assert versions.PARAMETERS.keys() == fields | {("DownloadLibraryDebugInfo", "WithEvents")}
    assert versions.COMMANDS.keys() == (
        go_source.commands(DELVE_VERSION) - go_source.commands(OLDEST)
    )
