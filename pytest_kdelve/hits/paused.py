"""What may be asked of a server that is paused at a hit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self, TypeVar

from pytest_kdelve.delve import api, loading, values
from pytest_kdelve.delve.inspection import build_info
from pytest_kdelve.delve.loading import Limits
from pytest_kdelve.delve.optimised import Optimised, is_optimised, reads_outer_frame
from pytest_kdelve.delve.sources import Sources
from pytest_kdelve.delve.stepping import STEP_TIMEOUT, Step
from pytest_kdelve.errors import KdelveError, RPCError, UsageError
from pytest_kdelve.hits.model import Frame, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_kdelve.delve.client import Client
    from pytest_kdelve.delve.loop import Loop
    from pytest_kdelve.hits.model import Hit

T = TypeVar("T")

_STACK_DEPTH = 128
#: Goroutines in one reply; a kube-apiserver has about 1000.
_GOROUTINES = 4096
_LOAD = api.LoadConfig()
#: What args, locals and vars load; eval loads the whole value.
_ONE_LEVEL = Limits(depth=1, calls=64)
_NOTHING = object()
_RESULT_LOST = values.Unreadable(
    "optimised: what the function returned may have been in registers, which are used again"
)
_SETTABLE = (
    "Delve sets numbers, bools and pointers (None is nil), and copies what another expression "
    "holds, of any type: set(variable, expression='...')"
)


class Paused:
    """One goroutine at the hit that holds the server, and its next steps.

    Values are read when they are asked for, in the goroutine's innermost frame, wherever it is
    by then. After ``resume`` everything but ``hit`` raises ``KdelveError``. What Delve refuses is
    an ``RPCError`` with its words.
    """

    def __init__(
        self, loop: Loop, hit: Hit, *, check: Callable[[], None], resume: Callable[[], None]
    ) -> None:
        """``check`` raises where the pause is over, ``resume`` ends it."""
        self.hit = hit
        self._loop = loop
        self._check = check
        self._resume = resume
        self._found_sources: Sources | None = None
        self._optimised: Optimised | None = None
        self._returned: tuple[object, ...] = ()

    def __repr__(self) -> str:
        return f"<Paused by the hit {self.hit}>"

    def eval(self, expression: str) -> object:
        """Return the value of a Delve expression, loaded whole."""

        def evaluate(client: Client) -> object:
            self._select(client)
            return self._value(client, expression, loading.DEFAULT)

        return self._do(evaluate)

    def set(
        self, variable: str, value: object = _NOTHING, *, expression: str | None = None
    ) -> None:
        """Assign a number, a bool or None for nil; or, of any type, what an expression holds.

        Memory is changed: code that has the old value in a register already goes on with that.
        Raises ``UsageError`` for other values, and ``KdelveError`` where the variable has another
        value afterwards.
        """
        if (value is _NOTHING) == (expression is None):
            raise UsageError("set() takes a value, or expression='...', and not both")
        source = _literal(value) if expression is None else expression

        def assign(client: Client) -> None:
            self._select(client)
            if doubt := self._doubt(client, variable) or self._copies(client, variable):
                raise KdelveError(f"{variable} cannot be set: {doubt}")
            wanted = self._value(client, expression) if expression is not None else value
            try:
                client.set(self._scope, variable, source)
            except RPCError as error:
                raise RPCError(error.method, f"{error.text}; {_SETTABLE}") from error
            found = self._value(client, variable)
            if not _is_same(wanted, found):
                raise KdelveError(f"{variable} was set to {source}, but it is {found!r} now")

        self._do(assign)

    @property
    def args(self) -> Mapping[str, object]:
        """The arguments and named results, one level deep."""
        return self._frame_variables()[0]

    @property
    def locals(self) -> Mapping[str, object]:
        """The visible local variables, one level deep."""
        return self._frame_variables()[1]

    def vars(self, pattern: str) -> Mapping[str, object]:
        """Return the package variables whose full names match a regexp, one level deep.

        ``"k8s.io/apiserver/pkg/audit"`` is one: it need not match the whole name.
        """

        def load(client: Client) -> Mapping[str, object]:
            found = client.list_package_vars(pattern, _LOAD)
            return {each.name: self._load(client, each) for each in found}

        return self._do(load)

    @property
    def stack(self) -> Stack:
        """The goroutine's frames, innermost first."""
        return self._do(self._read_stack)

    @property
    def goroutines(self) -> Sequence[api.Goroutine]:
        """All goroutines of the server."""
        return self._do(_list_goroutines)

    @property
    def file(self) -> str:
        """The path of the current line, as the compiler saw it."""
        return self._position.file

    @property
    def line(self) -> int:
        """The number of the current line."""
        return self._position.line

    @property
    def function(self) -> str:
        """The full name of the current function."""
        return self._position.function

    @property
    def source(self) -> str:
        """The text of the current line; empty where the source is not here."""
        position = self._position

        def read(client: Client) -> str:
            return self._sources(client).line(position.file, position.line)

        return self._do(read)

    @property
    def return_values(self) -> Sequence[object]:
        """What the function returned that the last step has left."""
        return self._returned

    def next(self, *, timeout: float = STEP_TIMEOUT) -> Self:
        """Go on to the goroutine's next line, over function calls; returns this object.

        The other goroutines run meanwhile; their hits are recorded. A hit of the goroutine itself
        ends the step. Raises ``StepError`` where it did not come to its end within ``timeout``
        seconds, or where a hit makes another pause hold the server.
        """
        return self._step(Step.NEXT, timeout)

    def step(self, *, timeout: float = STEP_TIMEOUT) -> Self:
        """Go on to the goroutine's next line, into function calls; else as ``next``."""
        return self._step(Step.STEP, timeout)

    def stepout(self, *, timeout: float = STEP_TIMEOUT) -> Self:
        """Go on until the goroutine's function has returned; else as ``next``."""
        return self._step(Step.STEPOUT, timeout)

    def resume(self) -> None:
        """Let the server go on; it does once no other pause holds it."""
        self._check()
        self._resume()

    @property
    def _scope(self) -> api.EvalScope:
        return api.EvalScope(goroutine_id=self.hit.goroutine)

    @property
    def _position(self) -> Frame:
        return self._do(lambda client: self._read_stack(client, 1))[0]

    def _do(self, work: Callable[[Client], T]) -> T:
        def check_and_work(client: Client) -> T:
            # By then another thread may have resumed it.
            self._check()
            return work(client)

        self._check()
        return self._loop.call(check_and_work)

    def _select(self, client: Client) -> None:
        # runtime.frame() is that of the selected goroutine, whatever the scope.
        client.switch_goroutine(self.hit.goroutine)

    def _step(self, step: Step, timeout: float) -> Self:
        self._check()
        self._returned = ()
        left = self._do(lambda client: self._optimised_frames(client, 1))
        stop = self._loop.step(self.hit.goroutine, step, timeout=timeout)
        # Another goroutine may be the selected one, where it was hit at the same moment.
        returned = [
            each
            for thread in stop.state.threads or ()
            if thread.goroutine_id == self.hit.goroutine
            for each in thread.return_values or ()
        ]
        self._returned = tuple(
            _RESULT_LOST if left else values.to_python(each) for each in returned
        )
        return self

    def _read_stack(self, client: Client, depth: int = _STACK_DEPTH) -> Stack:
        return Stack(
            tuple(
                Frame(frame.function.name if frame.function else "", frame.file, frame.line)
                for frame in self._frames(client, depth)
            )
        )

    def _frames(self, client: Client, depth: int) -> Sequence[api.Stackframe]:
        try:
            return client.stacktrace(self.hit.goroutine, depth)
        except RPCError as error:
            message = f"goroutine {self.hit.goroutine}, which was paused, has no frames any more"
            raise KdelveError(f"{message}: it has gone on and ended ({error.text})") from error

    def _frame_variables(self) -> tuple[Mapping[str, object], Mapping[str, object]]:
        return self._do(self._read_frame)

    def _read_frame(self, client: Client) -> tuple[Mapping[str, object], Mapping[str, object]]:
        args = client.list_function_args(self._scope, _LOAD)
        own = {(each.name, each.decl_line) for each in args}
        # An argument that escaped to the heap is among the locals.
        every = [*client.list_local_vars(self._scope, _LOAD), *args]
        visible = [
            loading.load_whole(client, each, self._scope, _ONE_LEVEL)
            for each in every
            if not each.flags & api.VariableFlags.SHADOWED
        ]
        is_arg = [(each.name, each.decl_line) in own for each in visible]
        args = [each for each, is_own in zip(visible, is_arg, strict=True) if is_own]
        others = [each for each, is_own in zip(visible, is_arg, strict=True) if not is_own]
        if not (frames := self._optimised_frames(client, 1)):
            return values.by_name(args), values.by_name(others)
        by_name, where = self._judge(client).by_name, (client, self.hit.goroutine, frames[0])
        return by_name(args, *where), by_name(others, *where)

    def _load(self, client: Client, variable: api.Variable) -> object:
        whole = loading.load_whole(client, variable, self._scope, _ONE_LEVEL)
        return values.to_python(whole)

    def _value(self, client: Client, expression: str, limits: Limits = _ONE_LEVEL) -> object:
        if doubt := self._doubt(client, expression):
            return values.Unreadable(doubt)
        return values.to_python(loading.evaluate(client, expression, self._scope, limits))

    def _doubt(self, client: Client, expression: str) -> str:
        depth = _STACK_DEPTH if reads_outer_frame(expression) else 1
        if not (frames := self._optimised_frames(client, depth)):
            return ""
        return self._judge(client).doubt(client, expression, self.hit.goroutine, frames)

    def _copies(self, client: Client, variable: str) -> str:
        """Say of a variable that it may be in more places than Delve sets."""
        if not (frames := self._optimised_frames(client, 1)):
            return ""
        return self._judge(client).copies(client, variable, self.hit.goroutine, frames)

    def _optimised_frames(self, client: Client, depth: int) -> Sequence[api.Stackframe]:
        """Return the goroutine's frames if any of them is optimised, else none."""
        try:
            frames = client.stacktrace(self.hit.goroutine, depth)[:depth]
        except RPCError:
            return ()  # Nor do its variables have values, which Delve will say.
        return frames if any(map(is_optimised, frames)) else ()

    def _judge(self, client: Client) -> Optimised:
        self._optimised = self._optimised or Optimised.of(client, self._sources(client))
        return self._optimised

    def _sources(self, client: Client) -> Sources:
        self._found_sources = self._found_sources or Sources(
            go_version=lambda: client.get_version().target_go_version,
            replacements=lambda: build_info(client).replacements,
        )
        return self._found_sources


def _list_goroutines(client: Client) -> list[api.Goroutine]:
    found: list[api.Goroutine] = []
    start = 0
    while start >= 0:
        part = client.list_goroutines(start, _GOROUTINES)
        found += part.goroutines or ()
        start = part.nextg
    return found


def _literal(value: object) -> str:
    """Return a value as Delve's expression for it."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    raise UsageError(f"{value!r} cannot be set; {_SETTABLE}")


def _is_same(wanted: object, found: object) -> bool:
    if isinstance(wanted, float) and isinstance(found, float):
        # A float32 has fewer digits.
        return math.isclose(wanted, found, rel_tol=1e-6)
    return wanted == found or _is_unknown(wanted)


def _is_unknown(value: object) -> bool:
    """Whether a value equals nothing, not even itself."""
    return isinstance(value, values.Incomplete | values.Unreadable)
