"""A checkout of kubernetes: what it is, and the state that it is in, by the real git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import checkout
from pytest_kdelve.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = {
    "go.mod": "module k8s.io/kubernetes\n\ngo 1.26.0\n",
    "cmd/kube-apiserver/apiserver.go": "package main\n",
    "staging/src/k8s.io/apiserver/go.mod": "module k8s.io/apiserver\n",
}
BASE = "staging/src/k8s.io/component-base/version/base.go"
USER = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")


def git(folder: Path, *arguments: str) -> str:
    argv = ["git", "-C", str(folder), *USER, *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Source without git, as a release's archive has it."""
    folder = tmp_path / "kubernetes"
    write(folder, **FILES)
    return folder


@pytest.fixture
def repository(plain: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    git(plain, "init", "--quiet")
    git(plain, "add", "--all")
    git(plain, "commit", "--quiet", "--message=one")
    git(plain, "tag", "v1.37.2")
    return plain


def test_a_release(repository: Path) -> None:
    found = checkout.read(repository)
    commit = git(repository, "rev-parse", "HEAD")
    assert (found.version, found.git_version) == ("1.37.2", "v1.37.2")
    assert (found.commit, found.edited) == (commit, ())
    assert str(found) == f"{repository} (v1.37.2, commit {commit[:12]}, not edited)"
    assert checkout.read(repository) == found


def test_edits_are_named(repository: Path) -> None:
    clean = checkout.read(repository)
    write(repository, **{"cmd/kube-apiserver/apiserver.go": "package main // edited\n"})
    write(repository, **{"cmd/kube-apiserver/new file.go": "package main\n"})
    found = checkout.read(repository)
    assert found.git_version == "v1.37.2-dirty"
    assert found.edited == ("cmd/kube-apiserver/apiserver.go", "cmd/kube-apiserver/new file.go")
    assert str(found).endswith(
        ", edited: cmd/kube-apiserver/apiserver.go, " + found.edited[1] + ")"
    )
    assert found.digest != clean.digest
    write(repository, **{f"pkg/{number}.go": "package pkg\n" for number in range(9)})
    assert str(checkout.read(repository)).endswith(", pkg/0.go, pkg/1.go, pkg/2.go and 6 more)")


@pytest.mark.parametrize(
    ("tag", "version", "git_version"),
    [
        ("v1.37.2", "1.37.2", r"v1.37.2-1+{commit}"),
        ("v1.38.0-alpha.1", "1.38.0", r"v1.38.0-alpha.1.1+{commit}"),
    ],
)
def test_commits_after_a_tag(repository: Path, tag: str, version: str, git_version: str) -> None:
    """As hack/lib/version.sh of Kubernetes makes a version of them."""
    git(repository, "tag", "--delete", "v1.37.2")
    git(repository, "tag", tag)
    git(repository, "commit", "--quiet", "--allow-empty", "--message=two")
    found = checkout.read(repository)
    commit = git(repository, "rev-parse", "--short=14", "HEAD")
    assert (found.version, found.git_version) == (version, git_version.format(commit=commit))


def test_without_a_tag_the_source_has_the_minor_release(repository: Path) -> None:
    git(repository, "tag", "--delete", "v1.37.2")
    with pytest.raises(UsageError, match=r"no tag such as v1\.30\.0 can be reached .*; name the"):
        checkout.read(repository)
    assert checkout.read(repository, version="v1.30.3").git_version == "v1.30.3"
    write(repository, **{BASE: 'package version\n\nconst DefaultKubeBinaryVersion = "1.36"\n'})
    assert checkout.read(repository).version == "1.36.0"
    assert checkout.read(repository, version="1.36.4").version == "1.36.4"
    with pytest.raises(UsageError, match=r"is of Kubernetes 1\.36, not 1\.35\.4: name no version"):
        checkout.read(repository, version="1.35.4")


def test_another_version_than_the_tag_has_is_refused(repository: Path) -> None:
    assert checkout.read(repository, version="1.37.2").version == "1.37.2"
    with pytest.raises(UsageError, match=r"is of Kubernetes 1\.37\.2, not 1\.36\.5: name no vers"):
        checkout.read(repository, version="1.36.5")
    write(repository, **{BASE: 'package version\n\nconst DefaultKubeBinaryVersion = "1.38"\n'})
    assert checkout.read(repository).version == "1.38.0", "a fork that lacks newer tags"
    assert checkout.read(repository, version="1.38.4").version == "1.38.4"
    with pytest.raises(UsageError, match=r"is of Kubernetes 1\.37\.2 or 1\.38, not 1\.36\.5"):
        checkout.read(repository, version="1.36.5")
    (repository / BASE).unlink()
    git(repository, "tag", "--delete", "v1.37.2")
    git(repository, "tag", "v2026.11.0")
    assert checkout.read(repository, version="1.36.5").version == "1.36.5", "of somebody's own"


def test_source_without_git(plain: Path) -> None:
    found = checkout.read(plain, version="1.37.2")
    assert (found.commit, found.edited) == ("", ())
    assert str(found) == f"{plain} (v1.37.2, not in git)"


def test_source_within_another_repository_is_not_of_that(plain: Path) -> None:
    git(plain.parent, "init", "--quiet")
    git(plain.parent, "commit", "--quiet", "--allow-empty", "--message=one")
    git(plain.parent, "tag", "v9.9.9")
    assert checkout.read(plain, version="1.37.2").commit == ""


def test_the_users_variables_of_git_do_not_mislead(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = checkout.read(repository)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nothing"))
    assert checkout.read(repository) == found


def test_looking_leaves_the_repository_as_it_is(repository: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}
    checkout.read(repository)
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def edit(folder: Path) -> None:
    (folder / "cmd/kube-apiserver/apiserver.go").write_text("package other\n", encoding="utf-8")


def edit_later(folder: Path) -> None:
    """The same size, another time."""
    os.utime(folder / "go.mod", ns=(1, 1))


def add(folder: Path) -> None:
    write(folder, **{"vendor/modules.txt": "# example.com/a v1.0.0\n"})


def remove(folder: Path) -> None:
    (folder / "cmd/kube-apiserver/apiserver.go").unlink()


def rename(folder: Path) -> None:
    file = folder / "cmd/kube-apiserver/apiserver.go"
    file.rename(file.with_name("server.go"))


def link(folder: Path) -> None:
    (folder / "vendor/k8s.io").mkdir(parents=True)
    (folder / "vendor/k8s.io/apiserver").symlink_to("../../staging/src/k8s.io/apiserver")


def edit_behind_a_link(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere.go"
    elsewhere.write_text("package pkg\n")
    (folder / "linked.go").symlink_to(elsewhere)


@pytest.mark.parametrize(
    "change", [edit, edit_later, add, remove, rename, link, edit_behind_a_link]
)
def test_what_gets_into_a_binary_makes_its_build_stale(
    plain: Path, change: Callable[[Path], None]
) -> None:
    before = checkout.read(plain, version="1.37.2")
    change(plain)
    assert checkout.read(plain, version="1.37.2").digest != before.digest


def test_what_a_link_leads_to_makes_its_build_stale(plain: Path) -> None:
    edit_behind_a_link(plain)
    before = checkout.read(plain, version="1.37.2")
    (plain.parent / "elsewhere.go").write_text("package pkg // edited\n")
    assert checkout.read(plain, version="1.37.2").digest != before.digest


@pytest.mark.parametrize("kind", ["plain", "repository"])
@pytest.mark.parametrize(
    "name",
    [
        "pkg/a_test.go",
        "docs/a.md",
        "_output/bin/kube-apiserver",
        "CHANGELOG/a",
        "test/a.go",
        "pkg/.a.go.swp",
        ".idea/workspace.xml",
    ],
)
def test_what_does_not_get_into_a_binary_makes_none_stale(
    kind: str, name: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(kind)
    before = checkout.read(folder, version="1.37.2")
    write(folder, **{name: "something\n"})
    assert checkout.read(folder, version="1.37.2") == before


@pytest.mark.parametrize("missing", FILES)
def test_another_folder_is_refused(plain: Path, missing: str) -> None:
    (plain / missing).unlink()
    if not any((plain / missing).parent.iterdir()):
        (plain / missing).parent.rmdir()
    named = missing.removesuffix("/apiserver.go")
    with pytest.raises(UsageError, match=f"is no checkout of kubernetes: it has no {named}$"):
        checkout.read(plain)


def test_what_is_no_folder_is_refused(plain: Path) -> None:
    with pytest.raises(UsageError, match=r"none does not exist; name the folder of a checkout"):
        checkout.read(plain / "none")
    with pytest.raises(UsageError, match=r"go\.mod is no folder; name"):
        checkout.read(plain / "go.mod")


def test_another_module_is_refused(plain: Path) -> None:
    write(plain, **{"go.mod": "module example.com/k8s.io/kubernetes\n"})
    with pytest.raises(UsageError, match=r"its go\.mod is of another module than k8s\.io/kubernet"):
        checkout.read(plain)


def test_what_git_complains_of_is_said(repository: Path) -> None:
    (repository / ".git/HEAD").write_text("nonsense\n")
    with pytest.raises(UsageError, match=rf"git cannot tell the state of {repository}: fatal: "):
        checkout.read(repository)


def test_a_folder_that_cannot_be_read(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_path: object) -> None:
        raise PermissionError(13, "Permission denied", "pkg")

    monkeypatch.setattr("os.scandir", refused)
    with pytest.raises(UsageError, match=r"the checkout .* cannot be read: .*Permission denied"):
        checkout.read(plain, version="1.37.2")


def test_what_is_gone_in_the_middle_of_it(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As what editors try out, and files that they put in the place of others."""
    before = checkout.read(plain, version="1.37.2")
    scan = os.scandir

    def scanned(path: Path) -> list[os.DirEntry[str]]:
        (plain / "4913").touch()
        (plain / "brief").mkdir(exist_ok=True)
        entries = list(scan(path))
        (plain / "4913").unlink()
        (plain / "brief").rmdir()
        return entries

    monkeypatch.setattr("os.scandir", scanned)
    assert checkout.read(plain, version="1.37.2") == before


def test_a_name_that_is_no_text(plain: Path) -> None:
    odd = plain.rename(os.fsdecode(os.fsencode(plain) + b"\xff"))
    with pytest.raises(UsageError, match="has to be plain text"):
        checkout.read(odd, version="1.37.2")


def test_git_may_be_set_up_by_the_environment(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in containers; but not told to look at another repository."""
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.abbrev")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "nonsense")
    with pytest.raises(UsageError, match="nonsense"):
        checkout.read(repository)


def test_a_machine_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"git cannot tell the state of .*No such file"):
        checkout.read(repository)
