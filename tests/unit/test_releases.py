"""Which Go and which Delve go with a Kubernetes, and what is refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_kdelve.controlplane import releases
from pytest_kdelve.controlplane.releases import GO_OF_KUBERNETES, Versions, choose, dotted
from pytest_kdelve.delve import versions
from pytest_kdelve.delve.versions import GO, Debugs
from pytest_kdelve.errors import UsageError


def row_id(row: Debugs) -> str:
    return f"{row.first}-{row.last}"


def after(go: tuple[int, int], steps: int = 1) -> str:
    return dotted((go[0], go[1] + steps))


@pytest.mark.parametrize(
    ("kubernetes", "go", "delve"),
    [
        ("1.24.0", "1.18", "1.9.1"),
        ("1.24.9", "1.18", "1.9.1"),
        ("1.24.10", "1.19", "1.9.1"),
        ("1.24.17", "1.19", "1.9.1"),
        ("1.25.16", "1.19", "1.9.1"),
        ("1.26.0", "1.19", "1.9.1"),
        ("1.27.0", "1.20", "1.21.2"),
        ("1.28.0", "1.20", "1.21.2"),
        ("1.29.0", "1.21", "1.25.0"),
        ("1.30.14", "1.22", "1.25.2"),
        ("1.31.0", "1.22", "1.25.2"),
        ("1.32.0", "1.23", "1.25.2"),
        ("1.33.13", "1.24", "1.26.3"),
        ("1.34.0", "1.24", "1.26.3"),
        ("1.35.0", "1.25", "1.27.2"),
        ("1.36.4", "1.26", "1.27.2"),
        ("v1.37.2", "1.26", "1.27.2"),
    ],
)
def test_what_goes_with_a_release(kubernetes: str, go: str, delve: str) -> None:
    chosen = choose(kubernetes)
    version = kubernetes.removeprefix("v")
    assert chosen == Versions(kubernetes=version, go=go, delve=delve, etcd="3.7.3")


def test_every_release_has_a_delve_that_its_go_can_build() -> None:
    assert {release[:2] for release in GO_OF_KUBERNETES} == {(1, n) for n in range(24, 38)}
    for release in GO_OF_KUBERNETES:
        chosen = choose(dotted(release))
        row = versions.debugs(versions.numbers(chosen.delve))
        assert row
        assert row.builder <= releases.minor(chosen.go)
        assert chosen.go_of_delve == chosen.go


def test_the_toolchains_that_are_fetched() -> None:
    assert releases.toolchain("1.18") == "go1.18.2"
    assert releases.toolchain("1.26.7") == "go1.26.7"
    assert releases.toolchain("1.28") == "go1.28.0"
    named = [releases.toolchain(dotted(go)) for go in GO_OF_KUBERNETES.values()]
    assert all(each.count(".") == 2 and not each.endswith(".0") for each in named)


@pytest.mark.parametrize(
    ("version", "go", "is_of"),
    [
        ("1.26.8", "1.26", True),
        ("1.26.8", "1.26.8", True),
        ("1.26.8", "1.26.9", False),
        ("1.26.8", "1.2", False),
        ("1.26", "1.26.0", False),
        ("1.27rc1", "1.27", True),
        ("1.26.8-X:nodwarf5", "1.26", True),
    ],
)
def test_whether_a_go_is_the_wanted_one(version: str, go: str, *, is_of: bool) -> None:
    assert releases.is_of(version, go) is is_of


# Refused: a pair of Delve and Go that does not fit, one test for each row of the table


@pytest.mark.parametrize("row", GO, ids=row_id)
@pytest.mark.parametrize("end", ["first", "last"])
def test_a_row_of_the_table_at_its_ends(row: Debugs, end: str) -> None:
    delve = getattr(row, end)
    for go in (row.oldest, row.newest):
        if go >= (1, 18):
            assert choose("1.24.0", go=dotted(go), delve=delve).delve == delve
            assert choose("1.24.0", go=f"{dotted(go)}.1", delve=delve).go == f"{dotted(go)}.1"


@pytest.mark.parametrize("row", GO, ids=row_id)
@pytest.mark.parametrize("end", ["first", "last"])
def test_a_row_of_the_table_beyond_its_ends(row: Debugs, end: str) -> None:
    delve = getattr(row, end)
    debugs = f"Delve {delve} debugs programs of Go {dotted(row.oldest)} to {dotted(row.newest)}"
    for go in (after(row.oldest, -1), after(row.newest)):
        if "1.18" <= go <= "1.27":
            with pytest.raises(UsageError) as caught:
                choose("1.24.0", go=go, delve=delve)
            assert str(caught.value) == (
                f"{debugs}, and Kubernetes 1.24.0 is to be built by Go {go}; name no Delve to "
                f"have one that fits ({choose('1.24.0', go=go).delve})"
            )
        else:
            with pytest.raises(UsageError, match=r"no Delve is known|cannot be built by Go"):
                choose("1.24.0", go=go, delve=delve)


@pytest.mark.parametrize(
    ("kubernetes", "delve"), [("1.24.0", "1.27.2"), ("1.37.2", "1.9.1"), ("1.30.14", "1.27.0")]
)
def test_a_delve_that_does_not_fit_the_go_of_a_release(kubernetes: str, delve: str) -> None:
    with pytest.raises(UsageError, match=f"Delve {delve} debugs programs of Go .*; name no Delve"):
        choose(kubernetes, delve=delve)


@pytest.mark.parametrize("release", GO_OF_KUBERNETES, ids=dotted)
def test_a_go_older_than_that_of_a_release(release: tuple[int, int, int]) -> None:
    version, go = dotted(release), GO_OF_KUBERNETES[release]
    with pytest.raises(UsageError, match=f"it was released with Go {dotted(go)}; name that or"):
        choose(version, go=after(go, -1))
    newer = after(go)
    assert choose(version, go=newer).go == newer


@pytest.mark.parametrize("go", ["1.28", "1.28.1"])
def test_a_go_that_no_delve_is_known_for(go: str) -> None:
    with pytest.raises(UsageError, match=r"Delve 1\.27\.2 ends with Go 1\.27; name another Go, or"):
        choose(go=go)
    assert choose(go=go, delve="1.28.0").delve == "1.28.0", "it may be one that is newer than this"
    assert choose(go=go, given=["dlv"]).delve == ""


@pytest.mark.parametrize(
    ("kubernetes", "go", "delve", "problem"),
    [
        ("1.23.17", "", "", "Kubernetes 1.23.17 is too old: 1.24.0 is the oldest"),
        ("1.38.0", "", "", "newer than this release of pytest-kdelve knows (to 1.37): name the Go"),
        ("1.37.2", "", "1.9.0", "Delve 1.9.0 is too old: 1.9.1 is the oldest"),
        ("1.37.2", "", "1.27", "'1.27' is no Delve version; write all three numbers"),
        ("1.37.2", "newest", "", "'newest' is no Go version; write 1.26 for any patch of it"),
        ("1.37.2", "1.26.", "", "is no Go version"),
    ],
)
def test_versions_that_are_none(kubernetes: str, go: str, delve: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(kubernetes, go=go, delve=delve)
    assert problem in str(caught.value)


def test_a_release_of_the_future_with_its_go() -> None:
    assert choose("1.38.1", go="go1.27").go == "1.27"
    with pytest.raises(UsageError, match=r"cannot be built by Go 1\.25"):
        choose("1.38.1", go="1.25")


@pytest.mark.parametrize("text", ["1.37.2", "v1.37.2"])
def test_a_version_is_three_numbers_with_or_without_v(text: str) -> None:
    assert releases.parse_kubernetes_version(text) == "1.37.2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.37",
        "1.37.2.1",
        "latest",
        "1.37.2-rc.1",
        " 1.37.2",
        "1.37.2\n",
        "../1.2.3",
        "\u0661.\u0662.\u0663",
    ],
)
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(UsageError, match=r"write all three numbers, such as 1\.37\.2"):
        releases.parse_kubernetes_version(text)


# Given binaries


def test_a_given_dlv_is_taken_for_any_go() -> None:
    assert choose(given=["dlv"]).delve == ""
    with pytest.raises(UsageError, match=r"a dlv is given, so it cannot be Delve 1\.27\.2 as well"):
        choose(delve="1.27.2", given=["dlv"])


def test_the_delve_for_a_given_apiserver_depends_on_its_go() -> None:
    path = Path("/bin/kube-apiserver")
    assert choose(given=["kube-apiserver"]).delve == ""
    assert choose(given=["kube-apiserver"], delve="1.9.1").delve == "1.9.1"
    assert releases.delve_of(path, "1.18.2") == "1.9.1"
    assert releases.delve_of(path, "1.18.2", delve="1.20.1") == "1.20.1"
    assert releases.delve_of(path, "") == "1.27.2", "of a Go that is not known"
    with pytest.raises(UsageError, match=r"and /bin/kube-apiserver was built by Go 1\.18\.2; name"):
        releases.delve_of(path, "1.18.2", delve="1.27.2")
    with pytest.raises(UsageError, match=r"no Delve is known that debugs programs of Go 1\.16"):
        releases.delve_of(path, "1.16.15")


@pytest.mark.parametrize(
    ("versions", "delve", "etcd"),
    [
        (choose(), "1.26", "1.26"),
        (choose(go="1.27.1"), "1.27.1", "1.27.1"),
        (choose("1.24.0"), "1.18", "1.26"),
        (Versions(kubernetes="1.37.2", go="1.26", delve="1.9.1"), "1.19", "1.26"),
        (Versions(kubernetes="1.27.0", go="1.20.14", delve="1.22.1"), "1.21", "1.26"),
        (Versions(kubernetes="1.37.2", go="1.26.8", delve="1.28.0"), "1.26.8", "1.26.8"),
        (
            Versions(kubernetes="1.33.0", go="1.24", delve="1.26.3", given_go="1.26.6"),
            "1.26",
            "1.26",
        ),
        (
            Versions(kubernetes="1.37.2", go="1.26", delve="1.26.3", given_go="1.24.13"),
            "1.26",
            "1.26",
        ),
    ],
)
def test_the_go_of_the_tools_is_near_that_of_kubernetes(
    versions: Versions, delve: str, etcd: str
) -> None:
    assert (versions.go_of_delve, versions.go_of_etcd) == (delve, etcd)


@pytest.mark.parametrize(
    ("versions", "dlv_go", "can"),
    [
        (choose(delve="1.26.3"), "1.24.13", False),
        (choose(delve="1.26.3"), "1.25.1", True),
        (choose("1.33.0"), "1.24.13", True),
        (choose("1.32.0"), "1.22.12", True),
        (choose("1.24.0"), "1.18.2", True),
        (
            Versions(kubernetes="1.33.0", go="1.24", delve="1.26.3", given_go="1.26.6"),
            "1.24",
            False,
        ),
    ],
)
def test_a_kept_delve_reads_the_debug_information(
    versions: Versions, dlv_go: str, *, can: bool
) -> None:
    assert versions.can_use(dlv_go) is can
