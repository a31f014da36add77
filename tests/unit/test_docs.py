"""What stands in docs/ and can be read by a program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pytest_kdelve.cli import main
from pytest_kdelve.controlplane import releases
from pytest_kdelve.delve.versions import GO

DOCS = Path(__file__).parents[2] / "docs"


def blocks(name: str, language: str) -> list[str]:
    text = (DOCS / name).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_jobs_are_yaml_and_their_commands_are_there() -> None:
    github, gitlab = map(yaml.safe_load, blocks("ci.md", "yaml"))
    steps = github["jobs"]["reading"]["steps"]
    ran = [step["run"] for step in steps if "run" in step]
    assert gitlab["reading"]["script"] == ran
    commands = [line.split()[1] for line in ran if line.startswith(".venv/bin/kdelve")]
    assert commands == ["doctor", "build"]
    for command in commands:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0


def test_the_tables_of_versions_are_those_of_the_code() -> None:
    text = (DOCS / "versions.md").read_text(encoding="utf-8")
    for release in releases.GO_OF_KUBERNETES:
        chosen = releases.choose(releases.dotted(release))
        assert f"| {releases.dotted(release)} | {chosen.go} | {chosen.delve} |\n" in text
    for row in GO:
        delves = row.first if row.first == row.last else f"{row.first} to {row.last}"
        debugs = f"{releases.dotted(row.oldest)} to {releases.dotted(row.newest)}"
        assert f"| {delves} | {debugs} |\n" in text
    assert text.count("\n| 1.") == len(releases.GO_OF_KUBERNETES) + len(GO)


def test_links_between_the_documents_lead_somewhere() -> None:
    for path in [*DOCS.glob("*.md"), DOCS.parent / "README.md", DOCS.parent / "CHANGELOG.md"]:
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert link.startswith("https://") or (path.parent / link).exists(), (path, link)
