"""What the RPCs give, from a real target that stands at a line, with both Delves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import Client, Session, api
from pytest_kdelve.delve.values import by_name, to_python
from pytest_kdelve.errors import RPCError, UnsupportedError
from tests.delve.conftest import LONG, BuildProgram, Debug, break_at, debugging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.delve.toolchains import Toolchain

HERE = api.EvalScope()
LOAD = api.LoadConfig()
MAIN = "stops/main.go"


@pytest.fixture(scope="module")
def client(
    dlv: Path, build_program: BuildProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A client of a target that stands inside of ``add(1, 2)``."""
    with debugging(dlv, build_program, tmp_path_factory.mktemp("rpcs")) as debug:
        server = debug("stops", "steps")
        with server.connect() as client:
            number = break_at(client, MAIN, "// inside of add").id
            client.continue_()
            client.clear_breakpoint(number)
            yield client


def here(client: Client) -> api.Thread:
    thread = client.state().current_thread
    assert thread is not None
    return thread


class TestServer:
    def test_what_it_is(self, client: Client, toolchain: Toolchain) -> None:
        version = client.get_version()
        numbers = ".".join(map(str, toolchain.delve))
        assert version.delve_version.startswith(f"Version: {numbers}.")
        assert version.backend
        assert version.min_supported_version_of_go < version.max_supported_version_of_go
        client.set_api_version(2)
        assert client.is_multiclient()
        assert not client.attached_to_existing_process()
        assert client.process_pid() == client.state().pid
        assert isinstance(client.build_id(), str)

    def test_it_is_no_recording(self, client: Client) -> None:
        assert not client.recorded().recorded
        refused: list[Callable[[], object]] = [
            client.list_checkpoints,
            client.stop_recording,
            lambda: client.checkpoint("here"),
            lambda: client.clear_checkpoint(1),
            lambda: client.command(api.CommandName.REWIND, timeout=LONG),
        ]
        for call in refused:
            with pytest.raises(RPCError):
                call()
        assert here(client).function is not None

    def test_debug_information_elsewhere(self, client: Client, toolchain: Toolchain) -> None:
        if toolchain.delve < (1, 26):
            with pytest.raises(UnsupportedError, match="DebugInfoDirectories"):
                client.debug_info_directories()
            return
        before = client.debug_info_directories()
        assert client.debug_info_directories(["/nowhere"]) == ["/nowhere"]
        assert client.debug_info_directories(before) == before
        # There is no library, and no download, and Delve says nothing to that.
        client.download_library_debug_info(0)
        client.cancel_downloads()


class TestThreadsAndStacks:
    def test_threads(self, client: Client) -> None:
        thread = here(client)
        assert thread.id in {each.id for each in client.list_threads()}
        assert client.get_thread(thread.id).pc == thread.pc
        with pytest.raises(RPCError, match="no thread with id 1"):
            client.get_thread(1)

    def test_a_stack_with_variables(self, client: Client) -> None:
        goroutine = here(client).goroutine_id
        plain = client.stacktrace(goroutine, 10)
        assert [frame.function and frame.function.name for frame in plain[:3]] == [
            "main.add",
            "main.steps",
            "main.main",
        ]
        full = client.stacktrace(goroutine, 2, load=LOAD)
        assert by_name(full[0].arguments) == {"a": 1, "b": 2, "sum": 0}
        defers = client.stacktrace(goroutine, 50, opts=api.StacktraceOptions.READ_DEFERS)
        assert len(defers) == len(plain)

    def test_a_stack_from_a_frame_on(self, client: Client, toolchain: Toolchain) -> None:
        goroutine = here(client).goroutine_id
        if toolchain.delve < (1, 26):
            with pytest.raises(UnsupportedError, match=r"Skip of Stacktrace; .* since 1\.26\.2"):
                client.stacktrace(goroutine, 10, skip=1)
        else:
            whole = client.stacktrace(goroutine, 10)
            assert client.stacktrace(goroutine, 10, skip=1) == whole[1:]

    def test_registers(self, client: Client) -> None:
        found = client.list_registers()
        registers = {register.name.lower(): register.value for register in found.regs or ()}
        assert int(registers["rip"], 16) == here(client).pc
        assert "rip" in found.registers.lower()
        caller = client.list_registers(scope=api.EvalScope(frame=1), include_fp=True)
        assert len(caller.regs or ()) > 1


class TestVariables:
    def test_args_locals_and_package_variables(self, client: Client) -> None:
        assert by_name(client.list_function_args(HERE, LOAD)) == {"a": 1, "b": 2, "sum": 0}
        caller = api.EvalScope(frame=2)
        assert by_name(client.list_local_vars(caller, LOAD)).keys() == {"actions"}
        found = client.list_package_vars(r"^os\.Args$", api.LoadConfig(), timeout=LONG)
        [args] = by_name(found).values()
        assert isinstance(args, list)
        assert args[1:] == ["steps"]

    def test_set_takes_numbers(self, client: Client) -> None:
        client.set(HERE, "sum", "41 + b")
        assert to_python(client.eval("sum", HERE, LOAD)) == 43
        client.set(HERE, "sum", "0")
        with pytest.raises(RPCError, match=r"Delve refused Set: .+"):
            client.set(HERE, "sum", '"text"')

    def test_memory(self, client: Client) -> None:
        address = client.eval("a", HERE, LOAD).addr
        assert client.examine_memory(address, 8) == (1).to_bytes(8, "little")
        with pytest.raises(RPCError, match="len must be less than or equal to"):
            client.examine_memory(address, 65_537)


class TestCode:
    def test_functions_and_the_functions_that_they_call(
        self, client: Client, toolchain: Toolchain
    ) -> None:
        assert client.list_functions(r"^main\.(add|steps)$") == ["main.add", "main.steps"]
        if toolchain.delve < (1, 23):
            with pytest.raises(UnsupportedError, match="FollowCalls of ListFunctions"):
                client.list_functions(r"^main\.steps$", follow_calls=2)
        else:
            assert "main.add" in client.list_functions(r"^main\.steps$", follow_calls=2)

    def test_where_a_function_returns(self, client: Client) -> None:
        [address] = client.function_return_locations("main.add")
        code = client.disassemble(here(client).pc)
        [at] = [each for each in code if each.loc.pc == address]
        assert at.text.lower().startswith("ret")
        [now] = [each for each in code if each.at_pc]
        assert now.loc.line == here(client).line
        assert now.bytes_
        part = client.disassemble(code[0].loc.pc, address, flavour=api.AssemblyFlavour.GO)
        assert len(part) < len(code)

    def test_types(self, client: Client, toolchain: Toolchain) -> None:
        assert "time.Time" in client.list_types(r"^time\.")
        if toolchain.delve < (1, 26):
            with pytest.raises(UnsupportedError, match="TypeInfo"):
                client.type_info("time.Time")
        else:
            found = client.type_info("time.Time")
            assert [field.name for field in found.fields or ()] == ["wall", "ext", "loc"]
            assert found.size == 24

    def test_packages(self, client: Client, toolchain: Toolchain) -> None:
        every = {package.import_path: package for package in client.list_packages_build_info()}
        assert every["main"].directory_path
        assert not every["main"].files
        if toolchain.delve < (1, 22):
            with pytest.raises(UnsupportedError, match="Filter of ListPackagesBuildInfo"):
                client.list_packages_build_info("^os$")
        else:
            [found] = client.list_packages_build_info("^main$", include_files=True)
            assert any(file.endswith("/stops/main.go") for file in found.files or ())

    def test_libraries_and_paths(self, client: Client, toolchain: Toolchain) -> None:
        assert not client.list_dynamic_libraries().executable_trimpath
        if toolchain.delve >= (1, 24):
            [folder] = {
                source.removesuffix("/main.go") for source in client.list_sources("stops/main.go$")
            }
            rules = client.guess_substitute_path("example.com/stops", {"example.com/stops": "/x"})
            assert (folder, "/x") in [tuple(rule) for rule in rules]

    def test_a_location_with_lines_that_have_no_statement(self, client: Client) -> None:
        file = here(client).file
        with pytest.raises(RPCError, match="could not find statement"):
            client.find_location(f"{file}:2")
        [found] = client.find_location(f"{file}:2", include_non_executable_lines=True)
        assert (found.line, found.pcs) == (2, None)


class TestBreakpoints:
    def test_by_id_and_by_name(self, client: Client) -> None:
        wanted = api.Breakpoint(function_name="main.watched", name="mine", hit_cond="> 2")
        made = client.create_breakpoint(wanted)
        assert client.get_breakpoint(made.id) == client.get_breakpoint(name="mine")
        assert client.toggle_breakpoint(name="mine").disabled
        assert not client.toggle_breakpoint(made.id).disabled
        made.cond = "1 == 1"
        client.amend_breakpoint(made)
        assert (found := client.get_breakpoint(made.id)).cond == "1 == 1"
        assert found.hit_cond == "> 2"
        client.clear_breakpoint(name="mine")
        assert made.id not in {each.id for each in client.list_breakpoints(all_=True)}
        with pytest.raises(RPCError, match=f"no breakpoint with id {made.id}"):
            client.get_breakpoint(made.id)

    def test_two_at_one_address_are_refused(self, client: Client) -> None:
        made = client.create_breakpoint(api.Breakpoint(function_name="main.watched"))
        with pytest.raises(RPCError, match="Breakpoint exists at"):
            client.create_breakpoint(api.Breakpoint(addrs=made.addrs))
        client.clear_breakpoint(made.id)

    def test_one_that_is_suspended_until_its_location_exists(
        self, client: Client, toolchain: Toolchain
    ) -> None:
        wanted = api.Breakpoint(name="later")
        if toolchain.delve < (1, 20):
            with pytest.raises(UnsupportedError, match="of CreateBreakpoint"):
                client.create_breakpoint(wanted, loc_expr="main.nowhere", suspended=True)
            return
        made = client.create_breakpoint(wanted, loc_expr="main.nowhere", suspended=True)
        assert made.addrs in (None, [])
        client.clear_breakpoint(made.id)

    def test_ebpf_is_traced_or_refused(self, client: Client) -> None:
        """It needs a kernel and a build of Delve with eBPF; without it Delve says so."""
        with pytest.raises(RPCError, match="Delve refused CreateEBPFTracepoint"):
            client.create_ebpf_tracepoint("main.nowhere")
        assert client.get_buffered_tracepoints() == ()


def test_events_tell_what_happened_while_the_target_ran(debug: Debug, toolchain: Toolchain) -> None:
    with debug("stops", "steps").connect() as client:
        if toolchain.delve < (1, 25):
            with pytest.raises(UnsupportedError, match="WithEvents of Command"):
                client.command(api.CommandName.CONTINUE, with_events=True, timeout=LONG)
            return
        assert client.command(api.CommandName.CONTINUE, with_events=True, timeout=LONG).exited
        kinds = [event.kind for event in client.get_events()]
        assert kinds[0] == api.EventKind.RESUMED
        assert kinds[-1] == api.EventKind.STOPPED


def test_the_execution_point_can_be_set(debug: Debug, toolchain: Toolchain) -> None:
    with debug("stops", "steps").connect() as client:
        break_at(client, MAIN, "// inside of add")
        state = client.continue_(timeout=LONG)
        thread = state.current_thread or api.Thread()
        if toolchain.delve < (1, 27):
            with pytest.raises(UnsupportedError, match=r"SetExecutionPoint; .* since 1\.27\.2"):
                client.set_execution_point(thread.pc)
            return
        [after] = client.find_location(f"{thread.file}:{thread.line + 1}")
        moved = client.set_execution_point(after.pc).current_thread or api.Thread()
        assert moved.line == thread.line + 1
        assert to_python(client.eval("sum", HERE, LOAD)) == 0, "the addition was left out"


def test_a_call_of_a_function_of_the_target(debug: Debug) -> None:
    with debug("stops", "steps").connect() as client:
        break_at(client, MAIN, "// calls add")
        client.continue_(timeout=LONG)
        call = api.CommandName.CALL
        state = client.command(call, expr="add(20, 3)", return_info=LOAD, timeout=LONG)
        thread = state.current_thread or api.Thread()
        assert thread.call_return
        assert [to_python(each) for each in thread.return_values or ()] == [23]


def test_ancestors(debug: Debug, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GODEBUG", "tracebackancestors=5")
    with debug("goroutines", "1", "1").connect() as client:
        break_at(client, "goroutines/main.go", "// one hit each")
        stop = Session(client).continue_(timeout=LONG)
        [parent] = client.ancestors(stop.goroutine_id, 3, 10)
        names = [frame.function.name for frame in parent.stack or () if frame.function]
        assert "main.main" in names
        assert parent.id != stop.goroutine_id
