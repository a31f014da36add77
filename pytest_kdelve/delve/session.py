"""A target that runs or stands still, and what may be asked of it in either state."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from pytest_kdelve.delve import api, late_halts
from pytest_kdelve.delve.forwarding import forwarding
from pytest_kdelve.delve.status import Closed, Exited, Running, Status, require_stop
from pytest_kdelve.delve.stops import Stop, StopReason, read_stop
from pytest_kdelve.errors import (
    ConditionError,
    DelveConnectionError,
    DelveError,
    DelveTimeoutError,
    NextInProgressError,
    RPCError,
    TargetExitedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from os import PathLike

    from pytest_kdelve.delve.client import Client

T = TypeVar("T")

#: Seconds for a command that comes back by itself, and for a halt.
DEFAULT_TIMEOUT = 60.0
#: Seconds for a core dump; it is as large as the target's memory.
DUMP_TIMEOUT = 600.0
#: Seconds between two halts; one is lost where Delve steps over a breakpoint at that moment.
HALT_INTERVAL = 0.2
_DUMP_INTERVAL = timedelta(milliseconds=200)
#: What Delve before 1.20.2 says when threads end while it stops them: the target is exiting, and
#: only another continue tells the status (ESRCH in ``stop`` of its native/proc_linux.go).
_EXITING = "no such process"
#: How Delve begins its sentence on a condition (``evalBreakpointCondition`` in its proc package).
_CONDITION = (
    "error evaluating expression",
    "condition expression ",
    "multiple errors evaluating conditions",
)


class Session:
    """One target, over one connection that belongs to the session.

    It never sends what Delve would answer only at the next stop, which would wedge the
    connection: while the target runs there are ``halt``, ``wait``, ``detach`` and ``close``, all
    else raises ``TargetRunningError``. Any thread may call ``halt`` while another one waits.

    A command that moves the target returns the next ``Stop``. It raises ``TargetExitedError``
    when the target ends instead, and ``DelveTimeoutError`` when ``timeout`` seconds go by first;
    the target runs on then, and ``wait`` or ``halt`` get the stop.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._changing = threading.RLock()
        self._receiving = threading.Lock()
        self._halted_at: float | None = None
        try:
            self._status: Status = self._ask()
        except BaseException:
            client.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def status(self) -> Status:
        """What the target is at this moment."""
        return self._status

    @property
    def stop(self) -> Stop:
        """The stop at which the target stands; raises as ``client`` where it does not."""
        return require_stop(self._status)

    @property
    def client(self) -> Client:
        """All RPCs that read or change a stopped target.

        Each raises ``TargetRunningError``, ``TargetExitedError`` or ``DelveConnectionError`` where
        it does not stand still, and ``DelveError`` for what moves the target or what is selected.
        """
        return forwarding(
            self._client.address, self.call, "the session must know of it; use its own methods"
        )

    def call(self, work: Callable[[Client], T]) -> T:
        """Let ``work`` call all but what moves the target, which nobody resumes meanwhile."""
        with self._standing():
            return work(self._client)

    def close(self) -> None:
        """End the connection; the target stays as it is if the server accepts many clients."""
        self._status = Closed("the session was closed")
        self._client.close()

    # Moving the target.

    def continue_(self, *, timeout: float | None = None) -> Stop:
        """Resume until something stops the target; without ``timeout``, for however long."""
        return self._resume(api.CommandName.CONTINUE, timeout)

    def next(
        self, *, on_hit: Callable[[Stop], None] | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> Stop:
        """Go on to the goroutine's next line, over function calls.

        Hits of other goroutines on the way are given to ``on_hit`` and passed. Without it, the
        first one ends the command with ``next_in_progress``: then ``continue_`` goes on with it,
        and ``cancel_next`` gives it up. The stop in which the command is done may have hits, too.
        A breakpoint that the goroutine itself reaches, as in a function that it calls, ends the
        command there: Delve gives it up then.
        """
        return self._step(api.CommandName.NEXT, on_hit, timeout)

    def step(
        self, *, on_hit: Callable[[Stop], None] | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> Stop:
        """Go on to the goroutine's next line, into function calls; else as ``next``."""
        return self._step(api.CommandName.STEP, on_hit, timeout)

    def stepout(
        self, *, on_hit: Callable[[Stop], None] | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> Stop:
        """Go on until the goroutine's function has returned; else as ``next``.

        What it returned is in the stop's ``return_values``.
        """
        return self._step(api.CommandName.STEP_OUT, on_hit, timeout)

    def step_instruction(self, *, timeout: float = DEFAULT_TIMEOUT) -> Stop:
        """Execute one machine instruction of the selected goroutine."""
        return self._resume(api.CommandName.STEP_INSTRUCTION, timeout)

    def cancel_next(self) -> None:
        """Give up the next, step or stepout that was interrupted."""
        with self._standing() as stop:
            self._client.cancel_next()
            state = msgspec.structs.replace(stop.state, next_in_progress=False)
            self._status = replace(stop, state=state)

    def switch_goroutine(self, goroutine_id: int) -> Stop:
        """Select the goroutine that is looked at and moved."""
        return self._select(lambda client: client.switch_goroutine(goroutine_id))

    def switch_thread(self, thread_id: int) -> Stop:
        """Select a thread, and its goroutine."""
        return self._select(lambda client: client.switch_thread(thread_id))

    def wait(self, *, timeout: float | None = None) -> Stop:
        """Wait until the target stops; returns at once where it stands still."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._receiving.acquire(timeout=-1 if timeout is None else timeout):
            raise DelveTimeoutError(self._still_runs())
        try:
            status = self._status
            if isinstance(status, Running):
                remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
                # By now another thread may have resumed it again.
                status = self._receive(status, remaining)
            return require_stop(status)
        finally:
            self._receiving.release()

    def halt(self, *, timeout: float = DEFAULT_TIMEOUT) -> Stop:
        """Stop the target, whoever resumed it; nothing is sent where it stands still."""
        deadline = time.monotonic() + timeout
        while self.request_halt():
            with contextlib.suppress(DelveTimeoutError):
                self.wait(timeout=min(HALT_INTERVAL, max(0.0, deadline - time.monotonic())))
            if isinstance(self._status, Running) and time.monotonic() > deadline:
                raise DelveTimeoutError(self._still_runs())
        return self.stop

    def request_halt(self) -> bool:
        """Ask for a stop, at most once in ``HALT_INTERVAL``, and do not wait; whether it runs."""
        with self._changing:
            if not isinstance(self._status, Running) or self._status.is_followed:
                return False
            now = time.monotonic()
            if self._halted_at is None or now - self._halted_at >= HALT_INTERVAL:
                self._halted_at = now
                self._client.request_halt()
            return True

    # Beside other clients of the same Delve.

    @property
    def was_halted(self) -> bool:
        """Whether this session has asked for a halt since it resumed the target."""
        return self._halted_at is not None

    def look(self) -> Stop:
        """Return where a target stands that another client moves, at its next stop if it runs.

        Unlike that of a command of this session, it has not what breakpoints collected. Another
        connection is to halt the target meanwhile.
        """
        with self._standing():
            self._status = Running(is_followed=True)
        return self.wait()

    # The whole process.

    def restart(
        self,
        *,
        args: Sequence[str] | None = None,
        redirects: tuple[str, str, str] = ("", "", ""),
        rebuild: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Sequence[api.DiscardedBreakpoint]:
        """Start the target anew, also once it has exited.

        With ``args``, they and ``redirects`` (files for stdin, stdout and stderr) take the place
        of those that it was started with. Delve forgets breakpoints that were set by ``addrs``;
        they are set again, under new ids, where the address is still the same line. Returns those
        that could not be, such as watchpoints. Delve refuses a restart of a process that it did not
        start; where a rebuild fails, it has ended the old process.
        """
        with self._changing, self._noting_the_end():
            if not isinstance(self._status, Exited):
                require_stop(self._status)
            # Of those that it discards, Delve does not say the addresses.
            before = {each.id: each for each in self._client.list_breakpoints()}
            try:
                discarded = self._client.restart(
                    args=args, redirects=redirects, rebuild=rebuild, timeout=timeout
                )
            except DelveTimeoutError:
                self._status = Running()
                raise
            except RPCError as error:
                # Delve may have ended the old process by then.
                self._status = self._ask()
                if not rebuild:
                    raise
                why = f"{error.text}; what the compiler says is in Delve's log"
                raise RPCError(error.method, why) from error
            self._status = self._ask()
            return [
                each
                for each in discarded
                if not each.breakpoint or not self._set_again(before[each.breakpoint.id])
            ]

    def _set_again(self, lost: api.Breakpoint) -> bool:
        # Where it has a file or function, too, Delve passes over the addresses.
        wanted = msgspec.structs.replace(
            lost, id=0, addr=0, addr_pid=None, file="", line=0, function_name=""
        )
        try:
            found = self._client.create_breakpoint(wanted)
        except RPCError:
            return False
        if (found.file, found.line) == (lost.file, lost.line):
            return True
        self._client.clear_breakpoint(found.id)
        return False

    def detach(self, *, kill: bool = False) -> None:
        """Leave the target, after a halt where it runs; Delve ends what it started itself."""
        if isinstance(self._status, Running):
            self.halt()
        with self._changing, self._noting_the_end():
            if isinstance(self._status, Stop):
                if self._status.next_in_progress:
                    # Delve does not take the breakpoints of a next away (``detachTarget`` in its
                    # proc package), and each of them would end the target.
                    self.cancel_next()
                # So would a SIGTRAP that is pending, as soon as nobody traces it.
                self._take_back_halt(self.stop)
            elif isinstance(self._status, Closed):
                raise DelveConnectionError(self._status.reason)
            self._client.detach(kill=kill)
            self._status = Closed("the session was detached")
        self._client.close()

    def dump(self, destination: PathLike[str] | str, *, timeout: float = DUMP_TIMEOUT) -> None:
        """Write a core dump to a file, relative to the folder in which Delve runs."""
        destination = os.fspath(destination)
        deadline = time.monotonic() + timeout
        with self._standing():
            state = self._client.dump_start(destination)
            while state.dumping and not state.all_done:
                if time.monotonic() > deadline:
                    self._client.dump_cancel()
                    raise DelveTimeoutError(
                        f"the core dump to {destination} was given up after {timeout:g} s, at "
                        f"{state.mem_done} of {state.mem_total} bytes"
                    )
                state = self._client.dump_wait(_DUMP_INTERVAL)
            if state.err:
                raise DelveError(f"the core dump to {destination} failed: {state.err}")

    def _ask(self) -> Status:
        try:
            state = self._client.state(non_blocking=True)
        except TargetExitedError as error:
            return Exited(error.status)
        return Running() if state.running else self._read(state, StopReason.UNKNOWN)

    def _read(self, state: api.DebuggerState, otherwise: StopReason) -> Status:
        if state.exited:
            return Exited(state.exit_status)
        return read_stop(self._client, state, otherwise)

    def _step(
        self, command: api.CommandName, on_hit: Callable[[Stop], None] | None, timeout: float
    ) -> Stop:
        deadline = time.monotonic() + timeout
        if self.stop.next_in_progress:
            raise NextInProgressError(
                f"{command} cannot begin: a next, step or stepout was interrupted; go on with it "
                "by continue_, or give it up by cancel_next"
            )
        stop = self._resume(command, timeout)
        passed = {StopReason.BREAKPOINT, StopReason.WATCHPOINT}
        while on_hit and stop.next_in_progress and stop.reason in passed:
            on_hit(stop)
            stop = self._resume(api.CommandName.CONTINUE, max(0.0, deadline - time.monotonic()))
        return stop

    def _resume(self, command: api.CommandName, timeout: float | None) -> Stop:
        with self._standing() as stop:
            self._take_back_halt(stop)
            pending = self._client.send_command(command)
            self._halted_at = None
            steps = stop.next_in_progress or command is not api.CommandName.CONTINUE
            self._status = Running(
                pending, StopReason.NEXT_FINISHED if steps else StopReason.MANUAL
            )
        return self.wait(timeout=timeout)

    def _receive(self, running: Running, timeout: float | None) -> Status:
        """Wait for the reply of the command, and return what the target is then."""
        try:
            if running.pending is None:
                state = self._state_of_others(timeout)
            else:
                state = self._client.receive_state(running.pending, timeout=timeout)
            is_halted = self._halted_at is not None
            otherwise = StopReason.MANUAL if is_halted else running.otherwise
            return self._become(self._read(state, otherwise))
        except DelveTimeoutError as error:
            raise DelveTimeoutError(self._still_runs()) from error
        except TargetExitedError as error:
            return self._become(Exited(error.status))
        except RPCError as error:
            status = self._become(self._after_refusal(error))
            if isinstance(status, Exited):
                return status
            if error.text.startswith(_CONDITION):
                raise ConditionError(error.method, _with_conditions(error.text, status)) from error
            raise
        except DelveError as error:
            self._become(self._broken(error))
            raise

    def _after_refusal(self, error: RPCError) -> Status:
        """Return what the target is after a command that Delve refused, or a failed condition."""
        try:
            if error.text != _EXITING:
                return self._ask()
            pending = self._client.send_command(api.CommandName.CONTINUE)
            state = self._client.receive_state(pending, timeout=DEFAULT_TIMEOUT)
            return self._read(state, StopReason.UNKNOWN)
        except TargetExitedError as exited:
            return Exited(exited.status)
        except RPCError as refused:
            # Delve cannot go on where the target was killed while it stood still.
            return self._broken(f"the target is gone, but Delve did not see its end: {refused}")
        except DelveError as broken:
            return self._broken(broken)

    def _broken(self, reason: object) -> Closed:
        self._client.close()
        return Closed(str(reason))

    def _state_of_others(self, timeout: float | None) -> api.DebuggerState:
        """Wait until a target stops that another client resumed: Delve answers no sooner."""
        while True:
            try:
                return self._client.state(timeout=timeout)
            except DelveTimeoutError:
                if timeout is not None:
                    raise

    def _become(self, status: Status) -> Status:
        with self._changing:
            if not isinstance(self._status, Closed):
                self._status = status
            return self._status

    @contextlib.contextmanager
    def _standing(self) -> Iterator[Stop]:
        """Let the target stand still meanwhile, and note what an error says of it."""
        with self._changing, self._noting_the_end():
            yield self.stop

    @contextlib.contextmanager
    def _noting_the_end(self) -> Iterator[None]:
        try:
            yield
        except DelveTimeoutError:
            raise
        except TargetExitedError as error:
            self._become(Exited(error.status))
            raise
        except DelveConnectionError as error:
            self._become(self._broken(error))
            raise

    def _select(self, switch: Callable[[Client], api.DebuggerState]) -> Stop:
        with self._standing() as stop:
            state = switch(self._client)
            # Only the reply of what moves the target has what breakpoints collected.
            selected = msgspec.structs.replace(
                stop.state,
                pid=state.pid,
                current_thread=state.current_thread,
                selected_goroutine=state.selected_goroutine,
            )
            self._status = found = replace(stop, state=selected)
            return found

    def _still_runs(self) -> str:
        return (
            f"the target at {self._client.address} did not stop in time, and runs on; wait or halt "
            "gets its stop, if Delve is alive"
        )

    def _take_back_halt(self, stop: Stop) -> None:
        if self._halted_at is not None and stop.state.threads:
            # Delve reads a connection in order, so it has sent the signal when it answers this.
            self._client.state()
        late_halts.use_up(self._client, stop)


def _with_conditions(text: str, status: Status) -> str:
    """Say which conditions there are at a stop; Delve does not say which one has failed."""
    hits = status.hits if isinstance(status, Stop) else ()
    conditions = {
        f"breakpoint {each.id} at {each.file}:{each.line} has the condition {each.cond}"
        for each in (hit.breakpoint for hit in hits)
        if each and each.cond
    }
    return "; ".join([text, *sorted(conditions)])
