"""Which requests wait for others: flow schemas and priority levels."""

import pytest


@pytest.mark.hits(
    "flowcontrol.(*configController).Handle",
    at="idle = req.Finish(func() {",
    locals={
        "fs.Name": "service-accounts",
        "pl.Name": "workload-low",
        "isExempt": False,
        "requestDigest.RequestInfo.Verb": "list",
        "requestDigest.RequestInfo.Resource": "configmaps",
    },
    count=1,
)
def test_a_service_account_is_a_workload_of_low_priority(api):
    assert api.get("/api/v1/namespaces/default/configmaps").status_code == 200


@pytest.mark.hits(
    "flowcontrol.(*configController).Handle",
    at="idle = req.Finish(func() {",
    locals={
        "fs.Name": "probes",
        "pl.Name": "exempt",
        "isExempt": True,
        "requestDigest.RequestInfo.IsResourceRequest": False,
    },
)
def test_a_probe_never_waits(api):
    assert api.get("/livez").status_code == 200


@pytest.mark.hits(
    "flowcontrol.(*configController).startRequest",
    at="hashValue = hashFlowID(selectedFlowSchema.Name, flowDistinguisher)",
    locals={
        "flowDistinguisher": "system:serviceaccount:default:kdelve",
        "selectedFlowSchema.Spec.DistinguisherMethod.Type": "ByUser",
        "numQueues": 128,
    },
)
def test_each_user_has_queues_of_their_own(api):
    assert api.get("/api/v1/namespaces/default/pods").status_code == 200
