"""Whose hit it is: the request that a goroutine works on."""

from __future__ import annotations

import pytest

from pytest_kdelve.delve import api
from pytest_kdelve.hits.attribution import Finding, RequestFinder, expressions, read_request
from pytest_kdelve.hits.frames import Holder, serves_many
from pytest_kdelve.hits.model import Attribution, Request
from tests.unit.fake_delve import (
    PARENT,
    REQUEST_TYPE,
    FakeClient,
    FakeFrame,
    number,
    request_values,
    string,
    strings,
)

GET = (string("GET"), string("/api"))
MISSING = api.Variable(unreadable="no key, or nil")
RESTFUL_TYPE = "*github.com/emicklei/go-restful/v3.Request"


def holding(
    function: str,
    *,
    audit_id: str | None = "kdelve-1",
    path: str = "/api",
    name: str = "req",
    is_outgoing: bool = False,
) -> FakeFrame:
    """Return a frame that has a request."""
    values = request_values(name, audit_id=audit_id, path=path, is_outgoing=is_outgoing)
    return FakeFrame(function, {"w": "io.Writer", name: REQUEST_TYPE}, values)


def find(client: FakeClient, finder: RequestFinder | None = None) -> tuple[Holder, Request] | None:
    """Return where the goroutine's own frames have a request, and the request."""
    found = (finder or RequestFinder()).find(client.as_client, 7, client.stack)
    if found is None or found.holder is None:
        return None
    expected = Attribution.OUTER_FRAME if found.holder.frame else Attribution.FRAME
    assert found.attribution is expected
    return found.holder, found.request


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


def test_the_request_of_the_frame_itself(client: FakeClient) -> None:
    client.frames = [holding("handlers.get"), FakeFrame("http.serve")]
    found = find(client)
    assert found == (Holder(0, "handlers.get", "req"), Request("GET", "/api", "kdelve-1"))


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


def test_one_that_the_apiserver_sends_itself_is_passed_over(client: FakeClient) -> None:
    """Of those in the middle, the outermost came from the network."""
    client.frames = [
        holding("inner", audit_id=None, path="/inner", is_outgoing=True),
        holding("middle", audit_id=None, path="/middle", is_outgoing=True),
        holding("passed over", path="/passed/over"),
        holding("outer", path="/outer"),
        FakeFrame("runtime.goexit"),
    ]
    found = find(client)
    assert found == (Holder(3, "outer", "req"), Request("GET", "/outer", "kdelve-1"))


def test_only_the_innermost_two_and_the_outermost_are_looked_into(client: FakeClient) -> None:
    client.frames = [holding(f"f{n}", audit_id=None, is_outgoing=True) for n in range(9)]
    assert find(client) is None
    looked_into = {what for method, what in client.calls if method == "eval" and "Method" in what}
    assert looked_into == {"0: req.Method", "1: req.Method", "8: req.Method"}


def test_one_that_came_in_without_an_audit_id_is_somebody_elses(client: FakeClient) -> None:
    client.frames = [holding("inner", audit_id=None), holding("outer", path="/outer")]
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
    assert client.count() == {"eval": 4}, "Audit-ID, method, path and RequestURI"


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
    assert expressions(outer, from_innermost=True)[1] == "runtime.frame(2).r.Request.Method"
    assert expressions(outer, from_innermost=False)[1] == "r.Request.Method"
    assert expressions(inner, from_innermost=True)[1] == "req.Method"


@pytest.mark.parametrize(
    ("variables", "request_"),
    [
        ([], None),
        ([strings("id"), *GET, string("/api")], Request("GET", "/api", "id")),
        ([strings("id"), *GET, string("")], Request("GET", "/api", "id")),
        ([strings(), *GET, string("/api")], Request("GET", "/api", "")),
        ([strings(), *GET, string("")], None),
        ([strings("a", "b"), *GET, string("/api")], Request("GET", "/api", "a")),
        (
            [strings("id"), string("GET"), string("/api/v1/na", length=90), string("/api")],
            Request("GET", "/api/v1/na…", "id"),
        ),
        ([MISSING, *GET, string("/api")], Request("GET", "/api", "")),
        ([MISSING, *GET, string("")], None),
        ([strings("id"), MISSING, string("/api"), MISSING], None),
        ([strings("id"), string("GET"), MISSING, MISSING], None),
        ([strings("id"), string("GET"), number(1), MISSING], None),
    ],
)
def test_reading_a_request(variables: list[api.Variable], request_: Request | None) -> None:
    assert read_request(variables) == request_


class TestAncestors:
    """What the apiserver starts for a DELETE has no request itself."""

    @pytest.fixture(autouse=True)
    def _without_a_request(self, client: FakeClient) -> None:
        client.frames = [FakeFrame("registry.(*Store).Delete", {}), FakeFrame("runtime.goexit")]

    @pytest.mark.parametrize("ancestors", [[PARENT], [5, PARENT], None], ids=str)
    def test_the_first_that_has_one_counts(
        self, client: FakeClient, ancestors: list[int] | None
    ) -> None:
        """One that has ended is passed over. Without a list of them there is the parent."""
        client.ancestor_ids = ancestors
        client.parent_frames = [FakeFrame("finisher.finishRequest", {}), holding("handlers.delete")]
        found = RequestFinder().find(client.as_client, 7, client.stack)
        assert found == Finding(Request("GET", "/api", "kdelve-1"), Attribution.ANCESTOR)

    def test_one_that_serves_one_request_after_another_tells_nothing(
        self, client: FakeClient
    ) -> None:
        """It may work on the next one by now."""
        client.parent_frames = [
            holding("handlers.delete"),
            FakeFrame("net/http.(*conn).serve", {}),
            FakeFrame("runtime.goexit", {}),
        ]
        assert RequestFinder().find(client.as_client, 7, client.stack) is None

    def test_nobody_is_asked_for_a_goroutine_of_a_connection(self, client: FakeClient) -> None:
        client.frames = [FakeFrame("net/http.(*persistConn).readLoop", {})]
        assert RequestFinder().find(client.as_client, 7, client.stack) is None
        assert {method for method, _ in client.calls} == {"list_function_args", "list_local_vars"}

    def test_where_all_have_ended_there_is_none(self, client: FakeClient) -> None:
        assert RequestFinder().find(client.as_client, 7, client.stack) is None

    def test_the_ancestors_of_a_goroutine_of_nobody_are_asked_once(
        self, client: FakeClient
    ) -> None:
        """For as long as it is in the same functions."""
        finder = RequestFinder()
        for _ in range(2):
            assert finder.find(client.as_client, 7, client.stack) is None
        assert client.count()["stacktrace"] == 1
        client.frames = [*client.frames[:-1], holding("handlers.delete")]
        assert finder.find(client.as_client, 7, client.stack)

    def test_a_goroutine_may_be_nobodys_before_it_works_for_a_request(
        self, client: FakeClient
    ) -> None:
        """Where it is entered, a function has no request yet; and a worker has the next one."""
        finder = RequestFinder()
        client.frames = [holding("http.readRequest", audit_id=None, is_outgoing=True)]
        assert finder.find(client.as_client, 7, client.stack) is None
        client.frames = [holding("http.readRequest")]
        assert finder.find(client.as_client, 7, client.stack)


@pytest.mark.parametrize(
    ("entry", "serves"),
    [
        ("main.main", True),
        ("main.main.func1", False),
        ("net/http.(*conn).serve", True),
        ("net/http.(*persistConn).writeLoop", True),
        ("net/http.(*Transport).startDialConnForLocked.func1", True),
        ("net/http.(*http2serverConn).serve", True),
        ("net/http.(*http2serverConn).runHandler", False),
        ("net/http/internal/http2.(*serverConn).serve", True),
        ("golang.org/x/net/http2.(*ClientConn).readLoop", True),
        ("golang.org/x/net/http2.(*serverConn).runHandler", False),
        ("google.golang.org/grpc/internal/transport.(*http2Client).reader", True),
        ("k8s.io/apiserver/pkg/server/filters.(*timeoutHandler).ServeHTTP.func1", False),
        ("net/http.(*timeoutHandler).ServeHTTP.func1", False),
    ],
)
def test_which_goroutines_serve_many(entry: str, *, serves: bool) -> None:
    """By where they begin; a handler may well be within a round trip of its own."""
    names = ["net/http.(*Transport).roundTrip", entry, "runtime.goexit"]
    stack = [api.Stackframe(function=api.Function(name=name)) for name in names]
    assert serves_many([*stack, api.Stackframe()]) is serves
