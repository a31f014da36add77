"""Debug configurations with which VS Code and GoLand connect to a headless dlv.

Neither ends the target when it disconnects. They hold no secret, and go into the folder of the
project that is open in the IDE.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from pytest_kdelve.controlplane import jsonc
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_kdelve.delve import Address

_NAME = "kdelve: kube-apiserver"
_MAIN = "/cmd/kube-apiserver/apiserver.go"
_MODULE = "k8s.io/kubernetes"
_STAGING = "staging/src/k8s.io"
#: Where the host is missing, GoLand takes loopback, and writes none for it either.
_GOLAND_LOOPBACK = {"127.0.0.1", "localhost"}
_GOLAND_ADDRESS = re.compile(r'( host="[^"]*")? port="\d+"')


def compiled_folder(main_source: str) -> str:
    """Return the directory of k8s.io/kubernetes as the compiler saw it."""
    return main_source.removesuffix(_MAIN)


def substitutions(folder: Path, main_source: str) -> list[tuple[str, str]]:
    """Return pairs (a directory of a kubernetes checkout, the same as the compiler saw it).

    They are empty where ``folder`` is no checkout, and where the binary was built in it.
    ``main_source`` is the path of cmd/kube-apiserver/apiserver.go in the binary. Where that is in a
    module, the staging directories of the checkout are modules, too, released as v0.MINOR.PATCH.
    """
    compiled = compiled_folder(main_source)
    if not _is_checkout(folder) or compiled == str(folder):
        return []
    modules, is_module, version = compiled.rpartition(f"{_MODULE}@v")
    pairs = []
    if is_module:
        staged = f"@v0.{version.partition('.')[2]}"
        names = sorted(path.name for path in (folder / _STAGING).iterdir() if path.is_dir())
        pairs = [
            (str(folder / _STAGING / name), f"{modules}k8s.io/{name}{staged}") for name in names
        ]
    return [*pairs, (str(folder), compiled)]


def write_vscode(folder: Path, dlv: Address, paths: Sequence[tuple[str, str]] = ()) -> Path:
    """Write or complete ``.vscode/launch.json``; ``paths`` are those of ``substitutions``.

    Comments and other configurations stay as they are. Raises ``UsageError``, and writes nothing,
    where what is there cannot be understood; ``OSError`` where it cannot be read or written.
    """
    file = folder / ".vscode" / "launch.json"
    configuration = _launch_configuration(dlv, paths)
    before = file.read_bytes().decode() if file.exists() else ""
    if before.strip():
        try:
            text = jsonc.with_element(before, "configurations", configuration, key="name")
        except ValueError as error:
            added = json.dumps(configuration, indent=4)
            message = f"cannot add to {file}, which stays as it is: {error}; add to it yourself:"
            raise UsageError(f"{message}\n{added}") from error
    else:
        text = json.dumps({"version": "0.2.0", "configurations": [configuration]}, indent=4) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return file


def write_goland(folder: Path, dlv: Address) -> Path:
    """Write ``.run/kdelve kube-apiserver.run.xml``, or set host and port in the one that is there.

    Raises ``UsageError``, and writes nothing, where somebody has changed more in it than those;
    ``OSError`` where it cannot be read or written.
    """
    text = _run_configuration(dlv)
    file = folder / ".run" / f"{_NAME.replace(':', '')}.run.xml"
    if file.exists():
        before = file.read_text(encoding="utf-8")
        if _GOLAND_ADDRESS.sub("", before).strip() != _GOLAND_ADDRESS.sub("", text).strip():
            raise UsageError(
                f"{file} was changed since it was written, and stays as it is; set the host "
                f"{dlv.host} and the port {dlv.port} in it, or remove it"
            )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def _is_checkout(folder: Path) -> bool:
    try:
        lines = (folder / "go.mod").read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return f"module {_MODULE}" in (line.strip() for line in lines)


def _launch_configuration(dlv: Address, paths: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return what VS Code's Go extension takes; only "dlv-dap" reads ``substitutePath``."""
    configuration = {
        "name": _NAME,
        "type": "go",
        "debugAdapter": "dlv-dap",
        "request": "attach",
        "mode": "remote",
        # Else VS Code resumes what a test holds as soon as it has attached.
        "stopOnEntry": True,
        "host": dlv.host,
        "port": dlv.port,
    }
    rules = [{"from": here, "to": compiled} for here, compiled in paths]
    return configuration | ({"substitutePath": rules} if rules else {})


def _run_configuration(dlv: Address) -> str:
    host = "" if dlv.host in _GOLAND_LOOPBACK else f" host={quoteattr(dlv.host)}"
    return f"""\
<component name="ProjectRunConfigurationManager">
  <configuration default="false" name={quoteattr(_NAME)} type="GoRemoteDebugConfigurationType" \
factoryName="Go Remote"{host} port="{dlv.port}">
    <option name="disconnectOption" value="LEAVE" />
    <disconnect value="LEAVE" />
    <method v="2" />
  </configuration>
</component>
"""
