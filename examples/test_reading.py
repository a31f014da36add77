"""How kube-apiserver works, read with a debugger: start your own tests from these.

Run them with ``pytest examples``; the files beside this one go on, one topic each. Each test sends
a request to a real kube-apiserver under Delve, and says which lines of the source it must reach,
and what the variables hold there. Lines are named by their text (``at=``), since their numbers
change with each release.
"""

import re

import pytest

from pytest_kdelve import at

DECISION_ALLOW = 1


@pytest.mark.hits(
    "cmd/kube-apiserver/apiserver.go",
    at="cli.Run(command)",
    during="startup",
    locals={"command.Use": "kube-apiserver"},
)
def test_main_builds_a_cobra_command_and_runs_it(apiserver):
    """Start-up code is hit before the server is ready, for all collected tests at once."""
    assert apiserver.version.startswith("v1.")


@pytest.mark.hits(
    "(*apisHandler).ServeHTTP",
    at="responsewriters.WriteObjectNegotiated(",
    locals={"req.URL.Path": "/apis", "len(discoveryGroupList.Groups)": lambda groups: groups > 10},
)
def test_the_aggregator_answers_apis_with_a_group_list(api):
    assert api.get("/apis").json()["kind"] == "APIGroupList"


@pytest.mark.hits(
    "endpoints/filters/authorization.go",
    at="if authorized == authorizer.DecisionAllow {",
    locals={"authorized": "DecisionAllow", "reason": re.compile("RBAC: allowed by")},
)
@pytest.mark.hits(
    "endpoints/handlers/get.go",
    at="result, err := getter(ctx, name, req",
    locals={"name": "kubernetes", "namespace": "default"},
    count=1,
)
def test_a_get_is_authorized_and_reaches_the_getter(api):
    answer = api.get("/api/v1/namespaces/default/services/kubernetes")
    assert answer.json()["metadata"]["name"] == "kubernetes"


@pytest.mark.hits(
    "namespace/lifecycle/admission.go",
    at="if !exists || forceLiveLookup {",
    locals={"exists": True},
)
@pytest.mark.hits(
    "etcd3.(*store).Create",
    locals={"key": re.compile("/configmaps/default/reading-")},
)
def test_a_post_goes_through_admission_to_etcd(api, kdelve):
    new = {"metadata": {"generateName": "reading-"}, "data": {"chapter": "1"}}
    with kdelve.watch("registry.(*Store).Create", locals=["obj"]) as creations:
        answer = api.post("/api/v1/namespaces/default/configmaps", json=new)
    assert answer.status_code == 201
    assert creations.only.values["obj"] == {"Data": {"chapter": "1"}}
    assert "handlers.createHandler" in creations.only.stack


@pytest.mark.hits(
    "endpoints/filters/authentication.go",
    at='klog.ErrorS(err, "Unable to authenticate the request")',
    locals={"ok": False},
)
@pytest.mark.not_hits("endpoints/filters/authorization.go", at="a.Authorize(ctx, attributes)")
def test_a_request_with_a_wrong_token_ends_at_authentication(api):
    def wrong_token(request):
        request.headers["Authorization"] = "Bearer wrong"
        return request

    assert api.get("/api", auth=wrong_token).status_code == 401


@pytest.mark.hits(
    "endpoints/filters/authorization.go",
    at="responsewriters.Forbidden(",
    locals={
        "authorized": lambda decision: decision != DECISION_ALLOW,
        "attributes.(data).User.(data).Name": "somebody",
    },
)
@pytest.mark.not_hits("endpoints/handlers/get.go", at="result, err := getter(ctx, name, req")
def test_a_user_without_a_role_is_forbidden(api):
    """The ServiceAccount is an administrator, so it may act as somebody who is not."""
    somebody = {"Impersonate-User": "somebody"}
    answer = api.get("/api/v1/namespaces/default/services/kubernetes", headers=somebody)
    assert answer.status_code == 403


@pytest.mark.hits_in_order(
    at("endpoints/filters/authentication.go", "genericapirequest.WithUser(req.Context()"),
    at(
        "endpoints/filters/authorization.go",
        "if authorized == authorizer.DecisionAllow {",
        locals={"authorized": "DecisionAllow"},
    ),
    at("endpoints/handlers/create.go", "requestFunc := func() (runtime.Object, error) {"),
    at("namespace/lifecycle/admission.go", "if !exists || forceLiveLookup {"),
    "registry.(*Store).Create",
    "etcd3.(*store).Create",
)
def test_a_post_goes_down_through_all_layers(api, namespace):
    """One request reaches them one after another, in two goroutines."""
    new = {"metadata": {"name": "reading"}, "data": {"chapter": "1"}}
    assert api.post(f"/api/v1/namespaces/{namespace}/configmaps", json=new).status_code == 201


@pytest.mark.hits(
    "endpoints/filters/authorization.go",
    at="responsewriters.Forbidden(",
    locals={"authorized": "DecisionDeny", "reason": re.compile("RBAC: allowed by")},
)
def test_a_decision_that_is_changed_is_obeyed(api, kdelve):
    """While the server is paused, the request waits in the background."""
    decided = "if authorized == authorizer.DecisionAllow {"
    with kdelve.pause("endpoints/filters/authorization.go", at=decided) as pause:
        answer = api.background.get("/api")
        stop = pause.wait()
        assert stop.locals["authorized"] == "DecisionAllow"
        stop.set("authorized", 0)
        stop.resume()
    assert answer.result().status_code == 403
