"""A real kube-apiserver that is paused: what is seen and changed, and what goes on meanwhile."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client as k8s
from kubernetes import watch as k8s_watch

from pytest_kdelve.errors import KdelveError, PausedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_kdelve.plugin.fixtures import Apiserver
    from pytest_kdelve.plugin.handle import Kdelve
    from pytest_kdelve.plugin.http import ApiSession
    from tests.apiserver.running import Runner

AUTHORIZATION = "filters/authorization.go"
DECIDED = "authorizationFinish := time.Now()"
GETTER = "endpoints/handlers/get.go"
GETTER_CALL = "getter(ctx, name, req)"
SERVICE = "/api/v1/namespaces/default/services/kubernetes"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
#: Seconds: a client's timeout, and how long the server stands.
TIMEOUT, STANDING = 1, 2.5
LONG = 30.0


@pytest.mark.parametrize(("decision", "status"), [(0, 403), (1, 200)])
def test_a_changed_variable_changes_the_answer(
    kdelve: Kdelve, api: ApiSession, decision: int, status: int
) -> None:
    """The second case is the first one's twin: nothing but the value makes the difference."""
    with kdelve.pause(AUTHORIZATION, at=DECIDED) as pause:
        answer = api.background.get("/api")
        stop = pause.wait()
        assert stop.eval("authorized") == "DecisionAllow"
        stop.set("authorized", decision)
        assert not answer.done()
        stop.resume()
    assert answer.result().status_code == status
    assert api.get("/api").ok


def test_what_is_seen_at_a_stop(kdelve: Kdelve, api: ApiSession) -> None:
    with kdelve.pause(AUTHORIZATION, at=DECIDED) as pause:
        answer = api.background.get("/api")
        stop = pause.wait()
        assert stop.hit.request is not None
        assert str(stop.hit.request) == "GET /api"
        assert stop.source == DECIDED
        assert set(stop.args) == {"w", "req"}
        assert stop.locals["authorized"] == "DecisionAllow"
        assert stop.eval("req.URL.Path") == "/api"
        assert stop.eval("req") == {"Method": "GET", "URL": {"Path": "/api"}}
        assert "filters.withAuthorization" in stop.stack
        assert len(stop.goroutines) > 100
        found = stop.vars(r"^k8s\.io/apiserver/pkg/endpoints/filters\.")
        assert "k8s.io/apiserver/pkg/endpoints/filters.ErrIMPERSONATION" not in found
        assert all(name.startswith("k8s.io/apiserver/pkg/endpoints/filters.") for name in found)
        assert found
    assert answer.result().ok


def test_steps_go_through_the_source(kdelve: Kdelve, api: ApiSession) -> None:
    """Over a line, into a function that it calls, and out again with what was returned."""
    with kdelve.pause(AUTHORIZATION, at=DECIDED) as pause:
        answer = api.background.get("/api")
        stop = pause.wait()
        line = stop.line
        assert stop.next().line == line + 1
        assert "TrackAuthorizationLatency(ctx" in stop.source
        assert stop.step().function == "time.Time.Sub"
        assert stop.stepout().line == line + 1
        assert isinstance(stop.return_values[0], int)
        lines = [stop.next().source for _ in range(4)]
        assert "if authorized == authorizer.DecisionAllow {" in lines
        assert stop.function.endswith("filters.withAuthorization.func1")
    assert answer.result().ok


def test_requests_of_others_are_recorded_on_the_way(kdelve: Kdelve, api: ApiSession) -> None:
    """A long step lets the server run: other requests are answered, and their hits recorded."""
    with kdelve.watch(GETTER, at=GETTER_CALL, locals=["name"]) as hits:
        with kdelve.pause(AUTHORIZATION, at="handler.ServeHTTP(w, req)") as pause:
            answers = [api.background.get(SERVICE)]
            stop = pause.wait()
            answers += [api.background.get(SERVICE) for _ in range(3)]
            # Over the whole of the request's work, in which a hit of its own ends the step.
            assert stop.next().function.endswith("getResourceHandler.func1")
            assert stop.hit.goroutine in {hit.goroutine for hit in hits}
        assert [answer.result().status_code for answer in answers] == [200] * 4
    assert len(hits) == 4


@pytest.mark.hits(GETTER, at=GETTER_CALL, locals={"name": "kubernetes"}, count=1)
def test_a_marker_and_a_pause_share_a_line(kdelve: Kdelve, api: ApiSession) -> None:
    with kdelve.pause(GETTER, at=GETTER_CALL, when='name == "kubernetes"') as pause:
        answer = api.background.get(SERVICE)
        assert pause.wait().eval("name") == "kubernetes"
    assert answer.result().ok


@pytest.mark.hits(GETTER, at=GETTER_CALL, count=1)
def test_a_marker_in_a_function_does_not_end_a_step_out_of_it(
    kdelve: Kdelve, api: ApiSession
) -> None:
    """To say how far a request came, the function's returns are watched until somebody pauses."""
    with kdelve.pause(GETTER, at=GETTER_CALL) as pause:
        answer = api.background.get(SERVICE)
        stop = pause.wait()
        function = stop.function
        assert stop.stepout().function != function
    assert answer.result().ok


def test_two_pauses_follow_one_request(kdelve: Kdelve, api: ApiSession) -> None:
    with (
        kdelve.pause(AUTHORIZATION, at=DECIDED) as authorized,
        kdelve.pause(GETTER, at=GETTER_CALL) as got,
    ):
        answer = api.background.get(SERVICE)
        first = authorized.wait()
        with pytest.raises(PausedError, match=r"the hit of .*getter.* would wait for ever"):
            got.wait()
        first.resume()
        stop = got.wait()
        with pytest.raises(KdelveError, match="is over: the kube-apiserver was resumed"):
            authorized.wait()
        stop.resume()
        assert answer.result().ok


def test_requests_wait_longer_than_their_timeouts(
    kdelve: Kdelve, api: ApiSession, kube_client: k8s.ApiClient
) -> None:
    """Those that were sent before the pause, and those for which there is no connection yet."""
    core = k8s.CoreV1Api(kube_client)

    def read() -> k8s.V1Service:
        return core.read_namespaced_service("kubernetes", "default", _request_timeout=TIMEOUT)

    with (
        kdelve.pause(GETTER, at=GETTER_CALL) as pause,
        ThreadPoolExecutor(2) as pool,
    ):
        answer = api.background.get(SERVICE, timeout=TIMEOUT)
        stop = pause.wait()
        another = api.background.get("/api", timeout=TIMEOUT)
        reading = [pool.submit(read) for _ in range(2)]
        time.sleep(STANDING)
        assert not any([answer.done(), another.done(), *(each.done() for each in reading)])
        stop.resume()
        assert answer.result().ok
        assert another.result().ok
        assert [each.result(LONG).kind for each in reading] == ["Service"] * 2


def test_a_watch_goes_on_after_a_pause(
    kdelve: Kdelve, api: ApiSession, kube_client: k8s.ApiClient
) -> None:
    """It is silent for longer than its timeout, and misses nothing."""
    name = f"paused-{uuid.uuid4().hex[:8]}"
    core = k8s.CoreV1Api(kube_client)
    seen: list[str] = []
    began = threading.Event()

    def follow() -> None:
        watch: Any = k8s_watch
        for event in watch.Watch().stream(
            core.list_namespaced_config_map,
            "default",
            field_selector=f"metadata.name={name}",
            timeout_seconds=int(LONG),
            _request_timeout=2 * TIMEOUT,
        ):
            seen.append(f"{event['type']} {event['object'].data}")
            began.set()
            if event["type"] == "DELETED":
                return

    path = f"{CONFIG_MAPS}/{name}"
    config_map = {"metadata": {"name": name}, "data": {"a": "1"}}
    assert api.post(CONFIG_MAPS, json=config_map).status_code == 201
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(follow)
        assert began.wait(LONG)
        with kdelve.pause("etcd3.(*store).GuaranteedUpdate") as pause:
            config_map["data"] = {"a": "2"}
            answer = api.background.put(path, json=config_map)
            stop = pause.wait()
            time.sleep(2 * STANDING)
            assert not watching.done()
            stop.resume()
            assert answer.result().ok
        assert api.delete(path).ok
        watching.result(LONG)
    assert seen == ["ADDED {'a': '1'}", "MODIFIED {'a': '2'}", "DELETED {'a': '2'}"]


@pytest.mark.parametrize("client", ["api", "kube_client"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_request_of_the_thread_that_has_to_resume_is_refused(
    kdelve: Kdelve, api: ApiSession, kube_client: k8s.ApiClient, client: str, when: str
) -> None:
    """It is told at once, whether the server stood before or is paused by this very request."""
    core = k8s.CoreV1Api(kube_client)

    def send() -> None:
        if client == "api":
            api.get(SERVICE)
        else:
            core.read_namespaced_service("kubernetes", "default")

    with kdelve.pause(GETTER, at=GETTER_CALL) as pause:
        if when == "before":
            answer = api.background.get(SERVICE)
            pause.wait()
        began = time.monotonic()
        with pytest.raises(PausedError, match=r"send requests through api\.background"):
            send()
        assert time.monotonic() - began < LONG / 3
        stop = pause.wait()
        if when == "before":
            with pytest.raises(PausedError, match=r"the result of GET .*/kubernetes would wait"):
                answer.result()
        stop.resume()
        if when == "before":
            assert answer.result().ok
    send()


def test_a_thread_of_its_own_may_look_after_the_pause(kdelve: Kdelve, api: ApiSession) -> None:
    """Then the test's own thread may wait for its answer as usual."""
    with kdelve.pause(GETTER, at=GETTER_CALL) as pause, ThreadPoolExecutor(1) as pool:
        looking = pool.submit(lambda: pause.wait().resume())
        assert api.get(SERVICE).ok
        looking.result(LONG)


def test_the_servers_own_timeout_is_long(apiserver: Apiserver) -> None:
    assert "--request-timeout=24h" in apiserver.argv


@pytest.fixture
def timer() -> Iterator[float]:
    began = time.monotonic()
    yield began
    assert time.monotonic() - began < LONG


@pytest.mark.usefixtures("timer")
def test_a_place_that_is_not_reached_is_said_with_the_requests(
    kdelve: Kdelve, api: ApiSession
) -> None:
    """The answer that is there, and the one that is awaited."""
    with kdelve.pause("handlers.DeleteResource") as pause, ThreadPoolExecutor(1) as pool:
        api.get("/api")
        with kdelve.pause(GETTER, at=GETTER_CALL) as other:
            api.background.get(SERVICE)
            pool.submit(other.wait).result(LONG)
            with pytest.raises(KdelveError) as caught:
                pause.wait(timeout=0.5)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("kdelve.pause('handlers.DeleteResource') was awaited for 0.5 s, but")
    assert lines[1:] == [
        "This test's requests:",
        "    GET /api -> 200 OK",
        f"    GET {SERVICE} -> no answer yet",
    ]


def test_a_short_request_timeout_of_the_server_counts_a_pause(runner: Runner) -> None:
    """The twin of the server's long one: this is what would come of it, and users may want it."""
    result = runner.run_file(
        """
        import time
        import pytest

        @pytest.mark.parametrize(("standing", "status"), [(0, 200), (3, 504)])
        def test_one(kdelve, api, standing, status):
            with kdelve.pause("registry.(*Store).Get") as pause:
                answer = api.background.get("/api/v1/namespaces/default/services/kubernetes")
                pause.wait()
                time.sleep(standing)
            assert answer.result().status_code == status
        """,
        "--kdelve-apiserver-arg=--request-timeout=2s",
    )
    result.assert_outcomes(passed=2)


LEAVING = """
    import contextlib, os, signal, time
    import pytest

    AT = ("filters/authorization.go", "authorizationFinish := time.Now()")

    @contextlib.contextmanager
    def paused(kdelve, api):
        with kdelve.pause(AT[0], at=AT[1]) as pause:
            answer = api.background.get("/api")
            yield pause.wait()

    @pytest.fixture
    def stack():
        return contextlib.ExitStack()

    @pytest.fixture
    def held(kdelve, api):
        with paused(kdelve, api) as stop:
            yield stop

    def test_passes(kdelve, api):
        with paused(kdelve, api): pass

    def test_fails(kdelve, api):
        with paused(kdelve, api): assert False

    def test_skips(kdelve, api):
        with paused(kdelve, api): pytest.skip("no")

    def test_exits(kdelve, api):
        with paused(kdelve, api): raise SystemExit(3)

    @pytest.mark.timeout(3, func_only=True)
    def test_is_stopped(kdelve, api):
        with paused(kdelve, api) as stop:
            stop.resume()
            time.sleep(60)

    def test_forgot(kdelve, api, stack):
        stack.enter_context(paused(kdelve, api))

    def test_forgot_and_failed(kdelve, api, stack):
        stack.enter_context(paused(kdelve, api))
        assert "its own" == "failure"

    @pytest.mark.hits("filters/authorization.go", at="authorizationFinish := time.Now()", count=1)
    def test_forgot_in_a_fixture(held):
        pass

    @pytest.mark.timeout(4, func_only=True)
    def test_takes_its_time(held):
        time.sleep(6)
        held.resume()

    @pytest.mark.timeout(4, method="thread", func_only=True)
    def test_takes_its_time_in_a_thread(held):
        time.sleep(6)
        held.resume()

    @pytest.mark.timeout(20)
    @pytest.mark.hits("endpoints/handlers/get.go", at="getter(ctx, name, req)", count=1)
    def test_the_next_one(api):
        assert api.get("/api/v1/namespaces/default/services/kubernetes", timeout=10).ok
"""


def test_each_way_out_of_a_test_resumes(runner: Runner) -> None:
    result = runner.run_file(LEAVING, "-W", "error", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=4, skipped=1, failed=6)
    result.stdout.fnmatch_lines(
        [
            "*__ test_is_stopped __*",
            "*Failed: Timeout (>3.0s) from pytest-timeout.",
            "*__ test_forgot __*",
            "kdelve.pause('filters/authorization.go', at='authorizationFinish := time.Now()') *",
            "  It stood at k8s.io/apiserver/pkg/endpoints/filters/authorization.go:72 k8s.io/*",
            "    authorizationFinish := time.Now()",
            "  in GET /api (goroutine *)",
            "Call resume() on what wait() returns, or leave the block of the pause:",
            "*__ test_forgot_and_failed __*",
            "E *assert 'its own' == 'failure'",
            "*- Captured kdelve pause call -*",
            "*__ test_forgot_in_a_fixture __*",
            "kdelve.pause('filters/authorization.go', at='authorizationFinish := time.Now()') *",
        ]
    )
    result.stdout.no_fnmatch_line("Expected*")


def test_an_interrupt_while_it_is_paused_leaves_nothing(runner: Runner) -> None:
    result = runner.run_file(
        """
        def test_one(kdelve, api):
            pause = kdelve.pause("filters/authorization.go", at="authorizationFinish := time.Now()")
            pause.__enter__()
            api.background.get("/api")
            pause.wait()
            raise KeyboardInterrupt
        """
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert result.duration < 60


@pytest.mark.parametrize("victim", ["apiserver.pid", "psutil.Process(apiserver.pid).ppid()"])
def test_a_part_that_dies_while_it_is_paused(runner: Runner, victim: str) -> None:
    result = runner.run_file(
        f"""
        import os, signal
        import psutil, pytest
        from pytest_kdelve.errors import KdelveError

        def test_one(kdelve, api, apiserver):
            with kdelve.pause("filters/authorization.go", at="authorizationFinish :=") as pause:
                answer = api.background.get("/api")
                stop = pause.wait()
                os.kill({victim}, signal.SIGKILL)
                with pytest.raises(KdelveError):
                    for _ in range(50):
                        stop.next()

        def test_next(api):
            api.get("/api")
        """,
        "-W",
        "default",
    )
    assert result.parseoutcomes().get("errors") == 1
    assert result.duration < 90
