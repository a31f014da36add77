"""Whose hit it is: the request that a goroutine works on."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.hits.attribution import Holder, RequestFinder, read_request
from pytest_kdelve.hits.model import Attribution, Request
from tests.unit.fake_delve import (
    REQUEST_TYPE,
    FakeClient,
    FakeFrame,
    number,
    request_values,
    string,
    strings,
)

RESTFUL_TYPE = "*github.com/emicklei/go-restful/v3.Request"


def holding(
    function: str, *, audit_id: str | None = "kdelve-1", path: str = "/api", name: str = "req"
) -> FakeFrame:
    """Return a frame that has a request."""
    values = request_values(name, audit_id=audit_id, path=path)
    return FakeFrame(function, {"w": "io.Writer", name: REQUEST_TYPE}, values)


def find(client: FakeClient, finder: RequestFinder | None = None) -> tuple[Holder, Request] | None:
    """Return where the goroutine's own frames have a request, and the request."""
    found = (finder or RequestFinder()).find(client.as_client, 7, client.functions)
    if found is None or found.holder is None:
        return None
    assert found.attribution is found.holder.attribution
    return found.holder, found.request


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


def test_the_request_of_the_frame_itself(client: FakeClient) -> None:
    client.frames = [holding("handlers.get"), FakeFrame("http.serve")]
    found = find(client)
    assert found == (Holder(0, "handlers.get", "req"), Request("GET", "/api", "kdelve-1"))
    assert found[0].attribution is Attribution.FRAME


def test_the_innermost_request_is_preferred(client: FakeClient) -> None:
    """The apiserver can send itself a request on behalf of another one."""
    client.frames = [
        FakeFrame("registry.Get", {"ctx": "context.Context"}),
        holding("inner", path="/inner", name="r"),
        holding("middle", path="/middle"),
        holding("outer", path="/outer"),
    ]
    found = find(client)
    assert found == (Holder(1, "inner", "r"), Request("GET", "/inner", "kdelve-1"))
    assert found[0].attribution is Attribution.OUTER_FRAME


def test_requests_without_an_audit_id_fall_back_to_the_outermost(client: FakeClient) -> None:
    client.frames = [
        holding("inner", audit_id=None, path="/inner"),
        holding("middle", audit_id=None, path="/middle"),
        holding("passed over", path="/passed/over"),
        holding("outer", path="/outer"),
        FakeFrame("runtime.goexit"),
    ]
    found = find(client)
    assert found == (Holder(3, "outer", "req"), Request("GET", "/outer", "kdelve-1"))


def test_only_the_innermost_two_and_the_outermost_are_looked_into(client: FakeClient) -> None:
    client.frames = [holding(f"f{n}", audit_id=None) for n in range(9)]
    find(client)
    looked_into = [what for method, what in client.calls if method == "list_function_args"]
    assert looked_into == ["f0", "f1", "f8"]


def test_a_request_that_has_no_audit_id_anywhere_is_found_nevertheless(client: FakeClient) -> None:
    client.frames = [holding("inner", audit_id=None), holding("outer", audit_id=None, path="/o")]
    found = find(client)
    assert found == (Holder(0, "inner", "req"), Request("GET", "/api", ""))


def test_no_request_in_any_frame(client: FakeClient) -> None:
    client.frames = [FakeFrame("controller.run", {"key": "string"}), FakeFrame("runtime.goexit")]
    assert find(client) is None


def test_the_request_within_a_restful_one(client: FakeClient) -> None:
    values = request_values("req.Request")
    client.frames = [FakeFrame("restful.dispatch", {"req": RESTFUL_TYPE}, values)]
    found = find(client)
    assert found is not None
    assert found[0].expression == "req.Request"


def test_where_a_function_keeps_its_request_is_learned_once(client: FakeClient) -> None:
    client.frames = [FakeFrame("registry.Get", {}), holding("handlers.get"), FakeFrame("serve", {})]
    finder = RequestFinder()
    first = find(client, finder)
    counted = client.count()
    assert counted["list_function_args"] == counted["list_local_vars"] == 2
    assert find(client, finder) == first
    assert client.count() == {"eval": 3}, "method, path and Audit-ID"


def test_frames_without_debug_information_are_skipped(client: FakeClient) -> None:
    client.frames = [
        FakeFrame("", None),
        FakeFrame("runtime.asmcgocall", None),
        FakeFrame("crypto.assembly", None),
        holding("handlers.get"),
    ]
    found = find(client)
    assert found is not None
    assert found[0].frame == 3
    assert ("list_function_args", "runtime.asmcgocall") not in client.calls


def test_a_name_that_is_no_identifier_is_not_asked_for(client: FakeClient) -> None:
    """An unnamed result, say."""
    client.frames = [FakeFrame("new", {"~r0": REQUEST_TYPE})]
    assert find(client) is None
    assert client.calls[-2:] == [("eval", "0: runtime.curg.parentGoid"), ("stacktrace", "6")]
    assert client.count()["eval"] == 1


def test_a_holder_fits_the_same_function_at_the_same_frame() -> None:
    holder = Holder(1, "handlers.get", "req")
    assert holder.fits(["registry.Get", "handlers.get", "serve"])
    assert not holder.fits(["handlers.get", "serve"])
    assert not holder.fits(["registry.Get"])


def test_expressions_from_the_innermost_frame() -> None:
    outer, inner = Holder(2, "serve", "r.Request"), Holder(0, "get", "req")
    assert outer.expressions(from_innermost=True)[1] == "runtime.frame(2).r.Request.Method"
    assert outer.expressions(from_innermost=False)[1] == "r.Request.Method"
    assert inner.expressions(from_innermost=True)[1] == "req.Method"


@pytest.mark.parametrize(
    ("variables", "request_"),
    [
        ([], None),
        ([strings("id"), string("GET"), string("/api")], Request("GET", "/api", "id")),
        ([strings(), string("GET"), string("/api")], Request("GET", "/api", "")),
        ([strings("a", "b"), string("GET"), string("/")], Request("GET", "/", "a")),
        (
            [strings("id"), string("GET"), string("/api/v1/na", length=90)],
            Request("GET", "/api/v1/na…", "id"),
        ),
        (
            [api.Variable(unreadable="no key"), string("GET"), string("/api")],
            Request("GET", "/api", ""),
        ),
        ([strings("id"), api.Variable(unreadable="nil"), string("/api")], None),
        ([strings("id"), string("GET"), api.Variable(unreadable="nil")], None),
        ([strings("id"), string("GET"), number(1)], None),
    ],
)
def test_reading_a_request(variables: list[api.Variable], request_: Request | None) -> None:
    assert read_request(variables) == request_


def test_without_a_request_the_parents_is_the_goroutines(client: FakeClient) -> None:
    """What the apiserver starts for a DELETE has no request itself."""
    client.frames = [FakeFrame("registry.(*Store).Delete", {"ctx": "context.Context"})]
    client.parent_frames = [FakeFrame("finisher.finishRequest", {}), holding("handlers.delete")]
    found = RequestFinder().find(client.as_client, 7, client.functions)
    assert found is not None
    assert found.request == Request("GET", "/api", "kdelve-1")
    assert found.attribution is Attribution.PARENT
    assert found.holder is None


def test_a_parent_that_serves_one_request_after_another_tells_nothing(client: FakeClient) -> None:
    """It may work on the next one by now."""
    client.frames = [FakeFrame("registry.(*Store).Delete", {})]
    client.parent_frames = [holding("handlers.delete"), FakeFrame("net/http.(*conn).serve", {})]
    assert RequestFinder().find(client.as_client, 7, client.functions) is None


def test_a_parent_that_has_ended_tells_nothing(client: FakeClient) -> None:
    client.frames = [FakeFrame("registry.(*Store).Delete", {})]
    assert RequestFinder().find(client.as_client, 7, client.functions) is None
