"""Every exception that pytest-kdelve raises on purpose.

::

    KdelveError
    ├── UsageError                 what the user wrote cannot work: option, marker, binary
    │   └── BinaryError            a given binary is missing, stripped or optimised
    ├── BuildError                 the ``go`` client is missing or failed
    ├── ProcessError               a child process could not do its part
    │   ├── ProcessExitedError     it ended before it was ready
    │   ├── ProcessTimeoutError    it was not ready in time
    │   └── PortInUseError         the address it must listen on is taken
    ├── PausedError                whoever asks has to resume the paused server first
    ├── CredentialsError           ServiceAccount, Secret or binding could not be made
    ├── NamespaceError             a test's namespace could not be made or removed
    └── DelveError                 the debugger
        ├── DelveConnectionError   no connection, or it broke
        │   └── DelveTimeoutError  no reply within the deadline
        ├── ProtocolError          the peer does not speak Delve's JSON-RPC
        ├── RPCError               Delve answered with an error
        │   └── ConditionError     a breakpoint's condition has no value; the target stands there
        ├── UnsupportedError       this Delve is too old for it
        ├── TargetExitedError      the debugged process is gone
        ├── TargetRunningError     the call needs a target that stands still
        ├── NextInProgressError    a next, step or stepout has not come to its end
        ├── StepError              a next, step or stepout of a held goroutine was given up
        └── LocationError          a location has no, or more than one, meaning
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class KdelveError(Exception):
    """Base of all errors of this package; its text is meant for the user as it is."""


class UsageError(KdelveError):
    """What the user asked for cannot work."""


class BinaryError(UsageError):
    """A given binary is missing, not executable, stripped or optimised."""


class BuildError(KdelveError):
    """Building a binary failed."""


class ProcessError(KdelveError):
    """A child process could not do its part."""


class ProcessExitedError(ProcessError):
    """A child process ended before it was ready.

    ``returncode`` is the exit status, negative for a signal.
    """

    def __init__(self, message: str, *, returncode: int) -> None:
        super().__init__(message)
        self.returncode = returncode


class ProcessTimeoutError(ProcessError):
    """A child process was not ready, or not gone, within its deadline."""


class PortInUseError(ProcessError):
    """Something else listens on the address that a child process was given."""


class PausedError(KdelveError):
    """The server is paused, and what was asked for cannot come before whoever asks resumes it."""


class CredentialsError(KdelveError):
    """The ServiceAccount's credentials could not be made or did not work."""


class NamespaceError(KdelveError):
    """A test's namespace could not be made or removed."""


class DelveError(KdelveError):
    """Base of what goes wrong between this client and Delve."""


class DelveConnectionError(DelveError):
    """There is no connection to Delve, or it broke."""


class DelveTimeoutError(DelveConnectionError):
    """Delve sent no reply within the deadline."""


class ProtocolError(DelveError):
    """The peer sent something that is not Delve's JSON-RPC."""


class RPCError(DelveError):
    """Delve answered a call with an error.

    ``method`` is the RPC's name without ``RPCServer.``, ``text`` is Delve's own sentence.
    """

    def __init__(self, method: str, text: str) -> None:
        super().__init__(f"Delve refused {method}: {text}")
        self.method = method
        self.text = text


class ConditionError(RPCError):
    """A breakpoint's condition has no value at run time; the target stands at the breakpoint."""


class UnsupportedError(DelveError):
    """Delve is too old for it; ``since`` is the first version that has it, None if none has."""

    def __init__(self, what: str, *, since: str | None) -> None:
        first = f"Delve has it since {since}" if since else "no known version of Delve has it"
        super().__init__(f"this Delve does not have {what}; {first}")
        self.since = since


class TargetExitedError(DelveError):
    """The debugged process has ended; ``status`` is its exit status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class TargetRunningError(DelveError):
    """The target runs, so Delve would not answer before it stops."""


class NextInProgressError(DelveError):
    """A next, step or stepout was interrupted, and another one was asked for."""


class StepError(DelveError):
    """A next, step or stepout of a held goroutine was given up; the target stands still."""


class LocationError(DelveError):
    """A location names no place with a statement, or more than one.

    ``candidates`` are the places it could mean, or the nearest ones, ready to print.
    """

    def __init__(self, message: str, *, candidates: Sequence[str] = ()) -> None:
        if not candidates and message.endswith(":"):
            # There is nothing to list.
            message = message.rpartition(";")[0]
        super().__init__("\n".join([message, *(f"  {line}" for line in candidates)]))
        self.candidates = tuple(candidates)
