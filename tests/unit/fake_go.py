"""A program that stands in for the ``go`` client.

FAKE_GO names a folder that belongs to one test. In there ``original.mod`` is the answer to
``go list``, ``calls`` gets one JSON object a call, and ``working`` appears once a build hangs.
FAKE_GO_VERSION is its version, and FAKE_GO_FETCHES says that it becomes what GOTOOLCHAIN names.
FAKE_GO_BUILD is what a build does: "succeed", "fail", "hang"
(with a child, as a go with its compiler) or "wait" (until the file ``gate`` appears).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(os.environ["FAKE_GO"])
FAILURE = [f"compiling package {number}" for number in range(100)] + ["no space left on device"]
ENVIRONMENT = ("CGO_ENABLED", "GOFLAGS", "GOOS", "GOARCH", "GOWORK", "GO111MODULE", "GOTOOLCHAIN")


def main(argv: list[str]) -> int:
    note = {
        "argv": argv,
        "cwd": str(Path.cwd()),
        "env": {name: os.environ.get(name) for name in ENVIRONMENT},
    }
    with (FOLDER / "calls").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps(note) + "\n")
    match argv:
        case ["list", *_]:
            sys.stdout.write(f"{FOLDER}/original.mod\n")
        case ["env", "-json", *_]:
            goflags = os.environ.get("GOFLAGS", "")
            json.dump({"GOVERSION": version(), "GOFLAGS": goflags}, sys.stdout)
        case ["build", *_, "-o", out, package]:
            return build(Path.cwd(), Path(out), package)
    return 0


def version() -> str:
    if os.environ.get("FAKE_GO_FETCHES"):
        return os.environ.get("GOTOOLCHAIN", os.environ["FAKE_GO_VERSION"])
    return os.environ["FAKE_GO_VERSION"]


def build(module: Path, out: Path, package: str) -> int:
    behaviour = os.environ.get("FAKE_GO_BUILD", "succeed")
    out.write_text("#!/bin/sh\n# half-made\n", encoding="utf-8")
    (Path(os.environ["GOTMPDIR"]) / "work").mkdir()
    if behaviour == "fail":
        sys.stdout.write("\n".join(FAILURE))
        return 1
    if behaviour == "hang":
        subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        (FOLDER / "working").touch()
        signal.pause()
    deadline = time.monotonic() + 60
    while behaviour == "wait" and not (FOLDER / "gate").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    text = f"#!/bin/sh\n# {package}\n" + (module / "go.mod").read_text(encoding="utf-8")
    out.write_text(text, encoding="utf-8")
    out.chmod(0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
