"""What DELETE's options ask for: grace, preconditions, and what becomes of dependents."""

import pytest

DRY_RUN = {"dryRun": "All"}


@pytest.mark.hits(
    "registry.deletionFinalizersForGarbageCollection",
    at="oldFinalizerSet := sets.NewString(accessor.GetFinalizers()...)",
    locals={
        "*options.PropagationPolicy": "Orphan",
        "shouldOrphan": True,
        "newFinalizers": ["orphan"],
    },
)
def test_orphans_are_made_by_a_finalizer(api, config_map):
    """The garbage collector removes it, once dependents have forgotten their owner."""
    answer = api.delete(config_map, params=DRY_RUN, json={"propagationPolicy": "Orphan"})
    assert answer.json()["metadata"]["finalizers"] == ["orphan"]


@pytest.mark.hits(
    "registry.markAsDeleting",
    at="objectMeta.SetDeletionGracePeriodSeconds(&zero)",
    locals={
        "existingDeletionTimestamp": None,
        "obj.(data).ObjectMeta.Finalizers": ["foregroundDeletion"],
    },
)
def test_foreground_deletion_waits_for_dependents(api, config_map):
    answer = api.delete(config_map, params=DRY_RUN, json={"propagationPolicy": "Foreground"})
    assert answer.json()["metadata"]["deletionTimestamp"]


@pytest.mark.hits(
    "rest.BeforeDelete",
    at='fmt.Errorf("the UID in the precondition (%s) does not match the UID in record',
    locals={"*options.Preconditions.UID": "another", "gvk.Kind": "ConfigMap"},
    count=1,
)
@pytest.mark.not_hits("etcd3.(*store).Delete")
def test_another_object_of_the_same_name_is_not_deleted(api, config_map):
    answer = api.delete(config_map, json={"preconditions": {"uid": "another"}})
    assert answer.status_code == 409


@pytest.fixture
def pod(create, service_account):
    """Return the path of a Pod on a node, which has to end it."""
    return create(
        "/api/v1/namespaces/default/pods",
        spec={
            "nodeName": "shelf",
            "terminationGracePeriodSeconds": 40,
            "serviceAccountName": service_account.rpartition("/")[2],
            "containers": [{"name": "book", "image": "book"}],
        },
    )


@pytest.mark.hits(
    "rest.BeforeDelete",
    at="objectMeta.SetDeletionGracePeriodSeconds(options.GracePeriodSeconds)",
    locals={"*options.GracePeriodSeconds": 5, "gvk.Kind": "Pod"},
)
@pytest.mark.hits(
    "pod.podStrategy.CheckGracefulDelete",
    at="options.GracePeriodSeconds = &period",
    locals={
        "period": 5,
        "pod.Spec.NodeName": "shelf",
        "*pod.Spec.TerminationGracePeriodSeconds": 40,
    },
)
def test_a_pod_on_a_node_has_the_grace_that_was_asked_for(api, pod):
    answer = api.delete(pod, params=DRY_RUN, json={"gracePeriodSeconds": 5})
    assert answer.json()["metadata"]["deletionGracePeriodSeconds"] == 5
