"""The benchmark runs; how fast anything is depends on the machine, so no time is checked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest_kdelve
from tests.delve import toolchains
from tests.delve.conftest import LONG

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "hits.py"
#: Delve's Go client is built from its module first.
TIMEOUT = 10 * LONG


def run_benchmark(*args: str) -> str:
    toolchain = toolchains.newest()
    # What is measured is the package that is tested, wherever that was imported from.
    package = str(Path(pytest_kdelve.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), f"--dlv={toolchain.dlv}", *args],
        env={**toolchain.environment, "PYTHONPATH": package},
        timeout=TIMEOUT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_benchmark_has_the_same_values_from_each_client_in_each_mode() -> None:
    versions, named, whole = run_benchmark("--hits=20", "--rounds=1").strip().split("\n\n")
    assert re.fullmatch(r"Delve [\d.]+, Go [\d.]+, Python [\d.]+", versions)
    for table, values in (named, r"3"), (whole, r"\d{3,}"):
        title, *rows = table.splitlines()
        assert re.fullmatch(rf".*: {values} values a hit", title)
        numbers = r"\d+\.\d\d ms +\d+\.\d\dx"
        assert re.fullmatch(rf" *Delve's Go client +{numbers}", rows[0])
        for client, row in zip(("Client", "Loop"), rows[1:], strict=True):
            assert re.fullmatch(rf" *{client} +{numbers}  goal \d\.\dx (not )?met", row)
