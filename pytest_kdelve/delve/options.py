"""How a headless Delve and its target run: the command line of dlv."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_kdelve.delve.address import Address
from pytest_kdelve.errors import BinaryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Flags that would take the place of a field, or of what is always set.
_OWN_FLAGS = {
    "--listen": "listen",
    "-l": "listen",
    "--log": "log_output",
    "--log-output": "log_output",
    "--log-dest": "log_dest",
    "--redirect": "stdin, stdout or stderr of the target",
    "-r": "stdin, stdout or stderr of the target",
    "--wd": "working_directory of the target",
    "--build-flags": "build_flags",
}
_ALWAYS_SET = frozenset({"--headless", "--accept-multiclient", "--api-version", "--output"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Headless:
    """How Delve itself runs.

    ``dlv`` is a path, or a name that is looked up on PATH. ``log`` gets all that it prints.
    ``log_output`` names components of Delve whose log is wanted, such as "rpc", which then is in
    ``log_dest``, emptied before, or by default in ``log``, too. ``env`` is its environment, and so
    that of what it starts; None is that of this process. ``flags`` are further ones of Delve's,
    such as "--disable-aslr".
    """

    dlv: Path
    log: Path
    listen: Address = field(default_factory=Address)
    env: Mapping[str, str] | None = None
    log_output: Sequence[str] = ()
    log_dest: Path | None = None
    flags: Sequence[str] = ()

    def argv(self, way: str) -> list[str]:
        """Return the command line up to the target; empties the file ``log_dest``.

        Raises ``UsageError`` for what Delve would take otherwise than it is meant, and
        ``BinaryError`` where there is no dlv.
        """
        check_list("flags", self.flags)
        self._check_flags()
        argv = [str(self._program()), way, "--headless", f"--listen={self.listen}"]
        argv += ["--api-version=2", "--accept-multiclient"]
        if self.log_output or self.log_dest:
            argv.append("--log")
        if self.log_output:
            check_list("log_output", self.log_output)
            argv.append(f"--log-output={','.join(self.log_output)}")
        if self.log_dest:
            argv.append(f"--log-dest={self.log_dest.absolute()}")
        return [*argv, *self.flags]

    def _check_flags(self) -> None:
        for flag in self.flags:
            name = flag.partition("=")[0]
            if name in _OWN_FLAGS:
                raise UsageError(f"{flag} cannot be in flags; use {_OWN_FLAGS[name]}")
            if name in _ALWAYS_SET:
                raise UsageError(f"{flag} cannot be in flags; Delve is given its own {name}")
        if not self.log.parent.is_dir():
            raise UsageError(f"{self.log.parent} is no directory for the log {self.log.name}")

    def _program(self) -> Path:
        if found := shutil.which(self.dlv):
            return Path(found).absolute()
        where = "does not exist" if "/" in str(self.dlv) else "is not on PATH"
        raise BinaryError(
            f"{self.dlv} {where}, or is not executable; `go install "
            "github.com/go-delve/delve/cmd/dlv@latest` installs Delve"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How the program runs that Delve starts.

    ``args`` reach it byte for byte. ``stdin`` is a file to read; None is an empty one. ``stdout``
    and ``stderr`` are two files to write, which are emptied, or made with mode 0600; None shares
    Delve's own.
    """

    args: Sequence[str] = ()
    working_directory: Path | None = None
    stdin: Path | None = None
    stdout: Path | None = None
    stderr: Path | None = None

    def flags(self) -> list[str]:
        """Return Delve's flags for it; makes the files that are written.

        Raises ``UsageError`` where there is no such working directory, of which Delve would say
        that there is no such program, or no folder for an output, and where ``args`` are one text.
        """
        check_list("args", self.args)
        folder = self.working_directory
        if folder and not folder.is_dir():
            raise UsageError(f"{folder} is no directory that a program could run in")
        outputs = {"stdout": self.stdout, "stderr": self.stderr}
        for path in filter(None, outputs.values()):
            if not path.parent.is_dir():
                raise UsageError(f"{path.parent} is no directory for the output {path.name}")
            path.touch(mode=0o600)
        streams = {"stdin": self.stdin, **outputs}
        redirects = [
            f"--redirect={name}:{path.absolute()}" for name, path in streams.items() if path
        ]
        return [*redirects, *([f"--wd={folder.absolute()}"] if folder else [])]


def check_list(name: str, given: Sequence[str]) -> None:
    """Raise ``UsageError`` for one text, which would be taken for a list of its characters."""
    if isinstance(given, str):
        raise UsageError(f"{name} is a list, one item an argument: {given.split()!r}?")
