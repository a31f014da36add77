"""The study program, debugged by each way of starting, as people do it at Delve's prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.delve import (
    Session,
    Target,
    api,
    connect,
    debug,
    exec_,
    values,
)
from pytest_kdelve.delve import test as test_
from pytest_kdelve.delve.locations import Location
from pytest_kdelve.delve.stops import StopReason
from pytest_kdelve.errors import TargetExitedError
from pytest_kdelve.hits.breakpoints import Subscription
from pytest_kdelve.hits.recorder import Recorder
from pytest_kdelve.process import poll
from tests.delve.conftest import LONG, break_at
from tests.delve.study import (
    CREATE,
    HERE,
    LOAD,
    PACKAGE,
    STUDY,
    args,
    at,
    exit_status,
    line_of,
    locals_,
    session_with,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_kdelve.delve import Server
    from pytest_kdelve.hits.model import Hit
    from tests.delve.conftest import BuildProgram, Keep, MakeHeadless

    Start = Callable[..., Server]


@pytest.fixture(params=["debug", "exec"])
def start(
    request: pytest.FixtureRequest,
    headless: MakeHeadless,
    keep: Keep,
    build_program: BuildProgram,
    tmp_path: Path,
) -> Start:
    """Start the study program with arguments; its outputs are in out and err."""

    def it(*arguments: str) -> Server:
        outputs = {"stdout": tmp_path / "out", "stderr": tmp_path / "err"}
        target = Target(args=arguments, **outputs)
        if request.param == "debug":
            return keep(debug(headless(), ".", module=STUDY, target=target))
        return keep(exec_(headless(), build_program("delve-study"), target=target))

    return it


def test_a_program_is_walked_through(start: Start, tmp_path: Path) -> None:
    """Break, continue, args, next, locals, stepout, step, vars: as at the prompt."""
    with session_with(start("create", "--name=gopher", "--copies=2")) as session:
        break_at(session.client, "cmd.create")
        stop = session.continue_(timeout=LONG)
        assert stop.reason is StopReason.BREAKPOINT
        assert at(stop) == ("create", line_of("func create("))
        assert args(session) == {"name": "gopher", "copies": 2}

        assert at(session.next()) == ("create", line_of("length := len(name)"))
        assert at(session.next()) == ("create", line_of("if length == 0"))
        assert locals_(session) == {"length": 6}

        # By file and line, and by the text of the line.
        break_at(session.client, f"{CREATE}:{line_of('if length > longestName')}")
        break_at(session.client, CREATE, at="study := &Study{")
        assert at(session.continue_(timeout=LONG)) == ("create", line_of("if length > longestName"))
        assert at(session.continue_(timeout=LONG)) == ("create", line_of("study := &Study{"))
        assert at(session.next()) == ("create", line_of("return study, nil"))
        assert locals_(session) == {"length": 6, "study": {"Name": "gopher", "Copies": 2}}

        stop = session.stepout()
        assert stop.reason is StopReason.NEXT_FINISHED
        assert at(stop) == ("run", line_of("study, err := create("))
        session.next()
        assert at(session.next()) == ("run", line_of("for number := 1;"))
        assert locals_(session)["err"] is None
        assert at(session.next()) == ("run", line_of("fmt.Fprintln("))
        assert at(session.step()) == ("describe", line_of("func describe("))
        assert args(session) == {"study": {"Name": "gopher", "Copies": 2}, "number": 1}

        found = values.by_name(session.client.list_package_vars(f"^{PACKAGE}\\.", LOAD))
        assert found == {
            f"{PACKAGE}.longestName": 12,
            f"{PACKAGE}.errNoName": {"s": "a study needs a name"},
        }
        assert exit_status(session) == 0
    assert (tmp_path / "out").read_text(encoding="utf-8").splitlines() == [
        "created gopher (1 of 2)",
        "created gopher (2 of 2)",
    ]


def test_stepout_has_what_the_function_returned(start: Start) -> None:
    """Delve loads the values only where it is told how much of them."""
    with start("create", "--name=gopher").connect() as client:
        break_at(client, "cmd.create")
        client.continue_(timeout=LONG)
        state = client.command(api.CommandName.STEP_OUT, return_info=LOAD, timeout=LONG)
        assert state.current_thread
        study, error = map(values.to_python, state.current_thread.return_values or [])
        assert study == {"Name": "gopher", "Copies": 1}
        assert error is None


def test_a_local_variable_that_is_set_changes_what_the_program_does(
    start: Start, tmp_path: Path
) -> None:
    with session_with(start("create", "--name=gopher")) as session:
        break_at(session.client, "cmd.create")
        session.continue_(timeout=LONG)
        session.client.set(HERE, "copies", "3")
        assert args(session)["copies"] == 3
        assert exit_status(session) == 0
    output = (tmp_path / "out").read_text(encoding="utf-8")
    assert output.splitlines()[-1] == "created gopher (3 of 3)"


def test_a_package_variable_that_is_set_changes_the_exit_status(
    start: Start, tmp_path: Path
) -> None:
    with session_with(start("create", "--name=gopher")) as session:
        break_at(session.client, "cmd.create")
        session.continue_(timeout=LONG)
        session.client.set(HERE, "longestName", "3")
        assert exit_status(session) == 1
    said = (tmp_path / "err").read_text(encoding="utf-8")
    assert said == 'Error: "gopher" has 6 characters, but 3 is the most\n'


def test_a_flag_that_the_program_does_not_know_is_its_own_error(
    start: Start, tmp_path: Path
) -> None:
    """It reached the program, for it stood behind `--`."""
    with session_with(start("create", "--nme=gopher")) as session:
        assert exit_status(session) == 1
    assert (tmp_path / "err").read_text(encoding="utf-8") == "Error: unknown flag: --nme\n"


class TestTest:
    """``dlv test``: one test of a package."""

    def begin(self, headless: MakeHeadless, keep: Keep, out: Path) -> Server:
        target = Target(args=["-test.run=^TestCreate$", "-test.v"], stdout=out)
        return keep(test_(headless(), "./cmd", module=STUDY, target=target))

    def test_a_test_is_walked_through(
        self, headless: MakeHeadless, keep: Keep, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        with session_with(self.begin(headless, keep, out)) as session:
            break_at(session.client, "cmd.TestCreate", at="if err != nil {")
            break_at(session.client, "cmd.create")
            session.continue_(timeout=LONG)
            assert args(session) == {"name": "gopher", "copies": 2}
            assert at(session.continue_(timeout=LONG))[0] == "TestCreate"
            assert locals_(session) == {"study": {"Name": "gopher", "Copies": 2}, "err": None}
            assert exit_status(session) == 0
        assert "--- PASS: TestCreate" in out.read_text(encoding="utf-8")

    def test_a_variable_that_is_set_lets_it_fail(
        self, headless: MakeHeadless, keep: Keep, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        with session_with(self.begin(headless, keep, out)) as session:
            break_at(session.client, "cmd.create")
            session.continue_(timeout=LONG)
            session.client.set(HERE, "copies", "5")
            assert exit_status(session) == 1
        assert "created &{Name:gopher Copies:5}" in out.read_text(encoding="utf-8")


def test_connect_is_one_more_client_of_a_dlv_that_runs(start: Start) -> None:
    server = start("create", "--name=gopher")
    with connect(server.address) as first, connect(server.address) as second:
        number = break_at(first, "cmd.create").id
        assert second.get_breakpoint(number).file.endswith(CREATE)
        session = Session(second)
        assert at(session.continue_(timeout=LONG))[0] == "create"
        assert first.state().pid == server.target_pid
    with connect(server.address) as third:
        session = Session(third)
        assert at(session.stop)[0] == "create", "it stands where the others left it"
        assert exit_status(session) == 0
    assert server.process.is_running()


def test_trace_records_each_function_with_its_arguments(start: Start) -> None:
    """As ``dlv trace`` does, by our own recorder."""
    server = start("create", "--name=gopher", "--copies=2")
    hits: list[Hit] = []
    recorder = Recorder(server.connect)
    try:
        recorder.add(
            [
                Subscription(
                    place=recorder.resolve(Location(name, is_file=False)),
                    expressions={},
                    load_frame=True,
                    owner="",
                    by_anyone=True,
                    sink=hits.append,
                )
                for name in recorder.client.list_functions(f"^{PACKAGE}\\.")
                if name != f"{PACKAGE}.init"  # The compiler has added it.
            ]
        )
        recorder.start()
        assert poll(lambda: has_exited(recorder), timeout=LONG)
    finally:
        recorder.close()
    assert [hit.function.removeprefix(f"{PACKAGE}.") for hit in hits] == [
        "Execute",
        "newRootCommand",
        "newCreateCommand",
        "newCreateCommand.func1",
        "run",
        "create",
        "describe",
        "describe",
    ]
    *_, run, create, first, second = hits
    assert (run.args["name"], run.args["copies"]) == ("gopher", 2)
    assert create.args == {"name": "gopher", "copies": 2}
    assert [first.args["number"], second.args["number"]] == [1, 2]
    assert "cmd.run" in create.stack


def has_exited(recorder: Recorder) -> bool:
    try:
        recorder.check()
    except TargetExitedError:
        return True
    return False
