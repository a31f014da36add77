"""Where objects are kept: the registry, the watch cache in front of etcd, and etcd itself."""

import re

import pytest

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
#: Where the prefix is put before it has changed from release to release.
KEY = re.compile("^(/registry)?/configmaps/default/reading-")


@pytest.mark.hits(
    "registry/generic/registry/store.go",
    at="name, err := e.ObjectNameFunc(obj)",
    locals={
        "obj.(data).ObjectMeta.Name": re.compile("^reading-[a-z0-9]{5}$"),
        "obj.(data).ObjectMeta.GenerateName": "reading-",
        "options.DryRun": ["All"],
    },
    count=1,
)
@pytest.mark.not_hits("etcd3.(*store).Create")
def test_the_registry_generates_names_before_anything_is_stored(api):
    new = {"metadata": {"generateName": "reading-"}}
    assert api.post(CONFIG_MAPS, params={"dryRun": "All"}, json=new).status_code == 201


@pytest.mark.hits(
    "registry.(*Store).Update.func1",
    at="apierrors.NewConflict(qualifiedResource, name, fmt.Errorf(OptimisticLockErrorMsg))",
    locals={
        "newResourceVersion": 1,
        "existingResourceVersion": lambda version: version > 1,
        "doUnconditionalUpdate": False,
    },
)
def test_an_update_of_an_old_version_is_a_conflict(api, config_map, name):
    old = {"metadata": {"name": name, "resourceVersion": "1"}}
    assert api.put(config_map, json=old).status_code == 409


@pytest.mark.hits(
    "etcd3.(*store).GuaranteedUpdate",
    at='("Transaction committed")',
    locals={
        "key": KEY,
        "origState.rev": lambda revision: revision > 1,
        "txnResp.Succeeded": True,
        "ttl": 0,
    },
)
def test_an_update_is_a_transaction_at_the_version_that_was_read(api, config_map, name):
    new = {"metadata": {"name": name}, "data": {"chapter": "2"}}
    assert api.put(config_map, json=new).status_code == 200


@pytest.mark.hits(
    "etcd3.(*store).GuaranteedUpdate",
    at="if !origState.stale {",
    locals={"key": KEY, "origStateIsCurrent": True},
    count=1,
)
@pytest.mark.not_hits(
    "etcd3.(*store).GuaranteedUpdate",
    at='("Transaction prepared")',
)
def test_an_update_that_changes_nothing_is_not_written(api, config_map):
    unchanged = api.get(config_map).json()
    answer = api.put(config_map, json=unchanged)
    assert answer.json()["metadata"] == unchanged["metadata"]


@pytest.mark.hits(
    "cacher.(*Cacher).Get",
    at="objVal.Set(reflect.ValueOf(elem.Object).Elem())",
    locals={"key": KEY, "getRV": 0, "exists": True},
    count=1,
)
@pytest.mark.not_hits("etcd3.(*store).Get")
def test_any_version_is_read_from_the_watch_cache(api, config_map):
    assert api.get(config_map, params={"resourceVersion": "0"}).status_code == 200


@pytest.mark.hits(
    "etcd3.(*store).Get",
    at="ModRevision)",
    locals={
        "key": KEY,
        "opts.ResourceVersion": "",
        "data": lambda stored: stored.startswith(b"k8s\0") and b"chapter" in stored,
    },
    count=1,
)
@pytest.mark.not_hits("cacher.(*Cacher).Get", at="objVal, err := conversion.EnforcePtr(objPtr)")
def test_the_newest_version_is_read_from_etcd(api, config_map):
    """It is kept as protobuf, and when etcd last changed it becomes its resourceVersion."""
    assert api.get(config_map).status_code == 200


@pytest.mark.kubernetes(">=1.31", reason="before, a list without a version came from etcd")
@pytest.mark.hits(
    "endpoints/handlers/get.go",
    at="result, err := r.List(ctx, &opts)",
    locals={"opts.ResourceVersion": ""},
)
@pytest.mark.hits(
    "cacher.(*Cacher).GetList",
    at='span.AddEvent("Resized result")',
    locals={"opts.Recursive": True, "len(selectedObjects)": 1, "limit": 0},
)
# Before 1.37, how far etcd has come is asked by a list that is not recursive.
@pytest.mark.not_hits("etcd3.(*store).GetList", locals={"opts.Recursive": True})
def test_a_list_comes_from_the_watch_cache_even_without_a_version(api, create, name):
    """The cache asks etcd how far it must have come, so what it lists is never old."""
    create(CONFIG_MAPS, metadata={"labels": {"novel": name}})
    found = api.get(CONFIG_MAPS, params={"labelSelector": f"novel={name}"}).json()["items"]
    assert [item["metadata"]["name"] for item in found] == [name]


@pytest.mark.hits(
    "etcd3.(*store).conditionalDelete",
    at="if !txnResp.Succeeded {",
    locals={
        "key": re.compile("^/registry/configmaps/default/reading-"),
        "txnResp.Succeeded": True,
        "preconditions.UID": None,
        "origStateIsCurrent": False,
    },
)
def test_a_delete_is_a_transaction_too(api, config_map):
    """What the watch cache knows is tried first, which saves a read from etcd."""
    assert api.delete(config_map).json()["status"] == "Success"
