"""What may change or refuse an object on its way in: admission plugins and policies."""

import re

import pytest

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
NO_POLICIES = "before, admissionregistration.k8s.io/v1 had no ValidatingAdmissionPolicy"


@pytest.fixture
def pods(create, prepare, name):
    """Return the path of the pods of a namespace in which a container may have one CPU."""
    namespace = create("/api/v1/namespaces")
    create(f"{namespace}/serviceaccounts", metadata={"name": "reader"})
    limit = {
        "type": "Container",
        "max": {"cpu": "1"},
        "default": {"cpu": "500m"},
        "defaultRequest": {"cpu": "250m"},
    }
    create(f"{namespace}/limitranges", spec={"limits": [limit]})
    yield f"{namespace}/pods"
    # The controller that would do it does not run.
    done = {"metadata": {"name": name}, "spec": {"finalizers": []}}
    prepare("DELETE", namespace)
    prepare("PUT", f"{namespace}/finalize", json=done)


def pod(**container):
    containers = [{"name": "book", "image": "book", **container}]
    spec = {"serviceAccountName": "reader", "containers": containers}
    return {"metadata": {"generateName": "reading-"}, "spec": spec}


@pytest.mark.hits(
    "limitranger.mergePodResourceRequirements",
    at="if pod.ObjectMeta.Annotations == nil {",
    locals={
        "annotations": ["cpu request for container book", "cpu limit for container book"],
        'pod.Spec.Containers[0].Resources.Limits["cpu"].i.value': 500,
    },
)
def test_a_limit_range_gives_a_container_what_it_lacks(api, pods):
    answer = api.post(pods, params={"dryRun": "All"}, json=pod())
    assert answer.json()["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "250m"}


@pytest.mark.hits(
    "limitranger.maxConstraint",
    at="if observedLimValue > enforcedValue {",
    locals={
        "limitType": "Container",
        "resourceName": "cpu",
        "observedLimValue": 2000,
        "enforcedValue": 1000,
    },
)
@pytest.mark.not_hits("etcd3.(*store).Create")
def test_a_limit_range_refuses_a_container_that_wants_too_much(api, pods):
    greedy = pod(resources={"limits": {"cpu": "2"}})
    assert api.post(pods, json=greedy).status_code == 403


@pytest.mark.hits(
    "admission/serviceaccount.(*Plugin).mountServiceAccountToken",
    at="pod.Spec.Volumes = append(pod.Spec.Volumes, api.Volume{",
    locals={
        "serviceAccount.Name": "reader",
        "tokenVolumeName": re.compile("^kube-api-access-"),
        "volumeMount": {
            "ReadOnly": True,
            "MountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        },
    },
)
def test_a_pod_gets_the_token_of_its_service_account(api, pods):
    answer = api.post(pods, params={"dryRun": "All"}, json=pod())
    assert answer.json()["spec"]["volumes"][0]["name"].startswith("kube-api-access-")


@pytest.mark.hits(
    "namespace/lifecycle/admission.go",
    at="namespace, err = l.client.CoreV1().Namespaces().Get(",
    locals={"exists": False, "forceLiveLookup": False},
    count=1,
)
def test_a_namespace_is_looked_for_in_etcd_before_it_is_said_to_be_missing(api):
    """The cache may lag behind, so it is waited for, and then the truth is asked."""
    new = {"metadata": {"name": "page"}}
    assert api.post("/api/v1/namespaces/nowhere/configmaps", json=new).status_code == 404


@pytest.fixture
def no_drafts(create, prepare, eventually, name):
    """Have a policy refuse ConfigMaps with the label ``draft`` and the policy's name."""
    group = "/apis/admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    match = {
        "resourceRules": [{**rule, "operations": ["CREATE"]}],
        "objectSelector": {"matchLabels": {"draft": name}},
    }
    expression = {"expression": "object.data.chapter != '0'", "message": "drafts stay at home"}
    spec = {"matchConstraints": match, "validations": [expression]}
    create(f"{group}/validatingadmissionpolicies", spec=spec)
    binding = {"policyName": name, "validationActions": ["Deny"]}
    create(f"{group}/validatingadmissionpolicybindings", spec=binding)
    draft = {"metadata": {"generateName": "reading-", "labels": {"draft": name}}}
    draft["data"] = {"chapter": "0"}

    def is_refused():
        answer = prepare("POST", CONFIG_MAPS, params={"dryRun": "All"}, json=draft)
        return answer.status_code == 422

    eventually(is_refused)
    return draft


@pytest.mark.kubernetes(">=1.30", reason=NO_POLICIES)
@pytest.mark.hits(
    "policy/validating.(*dispatcher).Dispatch",
    at="err := admission.NewForbidden(a, errors.New(message)).(*k8serrors.StatusError)",
    locals={
        "len(deniedDecisions)": 1,
        "deniedDecision.PolicyDecision": {"Action": "deny", "Message": "drafts stay at home"},
        "deniedDecision.Definition.ObjectMeta.Name": re.compile("^reading-"),
    },
)
def test_a_policy_refuses_a_draft(api, no_drafts):
    assert api.post(CONFIG_MAPS, json=no_drafts).status_code == 422


@pytest.mark.kubernetes(">=1.30", reason=NO_POLICIES)
@pytest.mark.hits(
    "policy/validating.(*validator).Validate",
    at="return ValidateResult{Decisions: decisions, AuditAnnotations: auditAnnotationResults}",
    locals={"len(decisions)": 1, "decisions[0]": {"Action": "admit", "Message": ""}},
)
@pytest.mark.not_hits(
    "policy/validating.(*dispatcher).Dispatch",
    at="deniedDecision := deniedDecisions[0]",
)
def test_a_policy_lets_a_chapter_pass(api, no_drafts):
    chapter = {**no_drafts, "data": {"chapter": "1"}}
    assert api.post(CONFIG_MAPS, params={"dryRun": "All"}, json=chapter).status_code == 201
