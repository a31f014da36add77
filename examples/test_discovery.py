"""What the apiserver serves: discovery, and the aggregator that passes requests on."""

import re

import pytest

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.mark.kubernetes(">=1.30", reason="before, apidiscovery.k8s.io had no v2")
@pytest.mark.hits(
    "aggregated.(*WrappedHandler).ServeHTTP",
    at="if IsAggregatedDiscoveryGVK(mediaType.Convert) {",
    locals={
        "mediaType.Convert": {
            "Group": "apidiscovery.k8s.io",
            "Version": "v2",
            "Kind": "APIGroupDiscoveryList",
        },
        "req.URL.Path": "/apis",
    },
)
@pytest.mark.not_hits("(*apisHandler).ServeHTTP")
def test_the_accept_header_asks_for_all_of_discovery_at_once(api):
    answer = api.get("/apis", headers={"Accept": AGGREGATED})
    assert answer.json()["kind"] == "APIGroupDiscoveryList"


@pytest.mark.kubernetes(">=1.30", reason="before, apidiscovery.k8s.io had no v2")
@pytest.mark.hits(
    "aggregated.ServeHTTPWithETag",
    at="w.WriteHeader(http.StatusNotModified)",
    locals={
        "clientCachedHash": re.compile('^"[0-9A-F]+"$'),
        "targetGV": {"Group": "apidiscovery.k8s.io", "Version": "v2"},
    },
    count=1,
)
def test_what_a_client_knows_of_discovery_is_not_sent_again(api):
    first = api.get("/api", headers={"Accept": AGGREGATED})
    known = {"Accept": AGGREGATED, "If-None-Match": first.headers["ETag"]}
    assert api.get("/api", headers=known).status_code == 304


@pytest.mark.hits(
    "discovery.(*APIVersionHandler).ServeHTTP",
    locals={"s.groupVersion": {"Group": "apps", "Version": "v1"}, "req.URL.Path": "/apis/apps/v1"},
)
def test_each_version_of_a_group_lists_its_resources(api):
    resources = api.get("/apis/apps/v1").json()["resources"]
    assert "deployments" in [resource["name"] for resource in resources]


@pytest.fixture
def passed_on(create, prepare, eventually, name):
    """Return a path that the aggregator passes on to a Service, which does not exist."""
    group = f"{name}.example.com"
    spec = {
        "group": group,
        "version": "v1",
        "service": {"namespace": "default", "name": "nobody"},
        "insecureSkipTLSVerify": True,
        "groupPriorityMinimum": 1000,
        "versionPriority": 10,
    }
    create(
        "/apis/apiregistration.k8s.io/v1/apiservices",
        metadata={"name": f"v1.{group}"},
        spec=spec,
    )
    path = f"/apis/{group}/v1/things"
    eventually(lambda: prepare("GET", path).status_code == 503)
    return path


@pytest.mark.hits(
    "kube-aggregator/pkg/apiserver/handler_proxy.go",
    at="if !handlingInfo.serviceAvailable {",
    locals={
        "handlingInfo": {
            "serviceName": "nobody",
            "serviceNamespace": "default",
            "servicePort": 443,
            "local": False,
            "serviceAvailable": False,
        }
    },
    count=1,
)
def test_the_aggregator_knows_that_a_service_is_not_there(api, passed_on):
    assert api.get(passed_on).status_code == 503


@pytest.mark.hits(
    "kube-aggregator/pkg/apiserver/handler_proxy.go",
    at="if handlingInfo.local {",
    locals={
        "handlingInfo": {"local": True, "serviceName": ""},
        "req.URL.Path": "/apis/apps/v1/namespaces/default/deployments",
    },
)
def test_the_aggregator_serves_built_in_groups_itself(api):
    assert api.get("/apis/apps/v1/namespaces/default/deployments").status_code == 200
