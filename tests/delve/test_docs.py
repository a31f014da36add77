"""The program in docs/delve.md does what its comments say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.delve.conftest import PROGRAMS

if TYPE_CHECKING:
    from tests.delve.toolchains import Toolchain

DOCS = Path(__file__).parents[2] / "docs" / "delve.md"


def test_the_first_session(toolchain: Toolchain, tmp_path: Path) -> None:
    [program] = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    shutil.copytree(PROGRAMS / "delve-study", tmp_path / "delve-study")
    path = os.pathsep.join([str(toolchain.dlv.parent), toolchain.environment["PATH"]])
    root = str(DOCS.parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**toolchain.environment, "PATH": path, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stop, args, condition, line, function = done.stdout.splitlines()
    assert stop.startswith("stopped (breakpoint) in example.com/delve-study/cmd.create at ")
    assert args.startswith("{'name': 'gopher', ")
    assert condition == "False"
    create = (tmp_path / "delve-study" / "cmd" / "create.go").read_text(encoding="utf-8")
    assert create.splitlines()[int(line) - 1].strip().startswith("return nil, fmt.Errorf(")
    assert function == "example.com/delve-study/cmd.run"
    assert (tmp_path / "study.out").read_text(encoding="utf-8") == ""
