"""``kdelve compare`` with real kube-apiservers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from pytest_kdelve.controlplane import releases
from tests.apiserver.running import ROOT, if_kept

if TYPE_CHECKING:
    import pytest

    from tests.apiserver.running import Runner

OLD, NEW = "1.36.5", releases.DEFAULT_KUBERNETES
COMMAND = "import sys; from pytest_kdelve.cli import main; sys.exit(main())"
CREATING = """
    import re
    import pytest
    from pytest_kdelve import at

    CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"

    @pytest.mark.hits(
        "etcd3.(*store).Create",
        locals={"key": re.compile("/configmaps/default/"), "obj": lambda obj: obj is not None},
    )
    @pytest.mark.hits_in_order(
        at("endpoints/handlers/create.go", "requestFunc := func() (runtime.Object, error) {"),
        at("namespace/lifecycle/admission.go", "if !exists || forceLiveLookup {"),
        "registry.(*Store).Create",
    )
    def test_create(api, kdelve):
        new = {"metadata": {"generateName": "reading-"}}
        with kdelve.watch("rest.FillObjectMetaSystemFields"):
            assert api.post(CONFIG_MAPS, json=new).status_code == 201
"""


def compare(runner: Runner, *arguments: str) -> str:
    """Return what is printed of a difference, and prove that nothing is left."""
    argv = [sys.executable, "-c", COMMAND, "compare", *arguments, "-p", "no:cacheprovider"]
    done = subprocess.run(
        argv, cwd=runner.pytester.path, capture_output=True, text=True, timeout=300, check=False
    )
    runner.check_nothing_is_left()
    assert done.returncode == 1, done.stderr
    return done.stdout


def test_only_what_differs_is_a_difference(runner: Runner) -> None:
    """Of two that are alike but for one argument, of which the second one is given another."""
    runner.pytester.makeconftest(
        """
        import pathlib
        import pytest

        @pytest.fixture(scope="session")
        def kdelve_apiserver_args():
            is_second = pathlib.Path("first").exists()
            pathlib.Path("first").touch()
            return [f"--anonymous-auth={str(not is_second).lower()}"]
        """
    )
    runner.pytester.makepyfile(
        CREATING
        + """
    @pytest.mark.hits(
        "endpoints/filters/authentication.go",
        at="if err != nil || !ok {",
        locals={"ok": lambda ok: isinstance(ok, bool), "err": None},
    )
    @pytest.mark.hits("endpoints/filters/authorization.go", at="a.Authorize(ctx, attributes)")
    def test_anonymous(api):
        api.get("/version", auth=lambda request: request)
    """
    )
    comparison = json.loads(compare(runner, "--json", NEW, NEW))
    tests = {test["test"].partition("::")[2]: test for test in comparison["tests"]}
    assert tests["test_create"]["differs"] is False
    assert len(tests["test_create"]["places"]) == 5
    anonymous = tests["test_anonymous"]
    assert (anonymous["old"]["outcome"], anonymous["new"]["outcome"]) == ("passed", "failed")
    authentication, authorization = anonymous["places"]
    assert authentication["changes"] == ["values changed"]
    assert authentication["values"] == {"ok": {"old": ["True"], "new": ["False"]}}
    assert authorization["changes"] == ["no longer reached"]
    assert authorization["old"]["requests"] == ["GET /version"]
    file = "k8s.io/apiserver/pkg/endpoints/filters/authorization.go"
    for side in ("old", "new"):
        source = authorization[side]["source"]
        assert source["file"] == file
        assert source["text"] == "authorized, reason, err := a.Authorize(ctx, attributes)"
        assert source["lines"][0].startswith("func withAuthorization(")


@if_kept(OLD)
def test_the_document_shows_what_is_printed(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the source of both versions, as it is."""
    text = (ROOT / "docs" / "compare.md").read_text()
    [test], [printed] = (
        re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        for language in ("python", "text")
    )
    runner.pytester.makepyfile(test_reading=test)
    monkeypatch.setenv("COLUMNS", "100")
    assert compare(runner, OLD, NEW) == printed
