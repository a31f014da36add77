"""Four ways to change a part of an object, each with a type of its own."""

import json

import pytest

JSON = {"Content-Type": "application/json-patch+json"}
MERGE = {"Content-Type": "application/merge-patch+json"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
#: How the apiserver names a manager in its books.
AUTHOR = '{"manager":"author","operation":"Apply"}'


@pytest.mark.hits(
    "handlers.(*jsonPatcher).applyJSPatch",
    at="patchedJS, err := patchObj.Apply(versionedJS)",
    locals={
        "p.patchType": "application/json-patch+json",
        "len(patchObj)": 2,
        "versionedJS": lambda before: json.loads(before)["data"] == {"chapter": "1"},
    },
)
def test_a_json_patch_is_a_list_of_operations(api, config_map):
    operations = [
        {"op": "test", "path": "/data/chapter", "value": "1"},
        {"op": "replace", "path": "/data/chapter", "value": "2"},
    ]
    answer = api.patch(config_map, headers=JSON, data=json.dumps(operations))
    assert answer.json()["data"] == {"chapter": "2"}


@pytest.mark.hits(
    "handlers.(*jsonPatcher).applyJSPatch",
    at="patchedJS, retErr = jsonpatch.MergePatch(versionedJS, p.patchBytes)",
    locals={"p.patchBytes": b'{"data": {"chapter": null}}', "len(strictErrors)": 0},
)
def test_null_in_a_merge_patch_removes_a_field(api, config_map):
    patch = {"data": {"chapter": None}}
    answer = api.patch(config_map, headers=MERGE, data=json.dumps(patch))
    assert "data" not in answer.json()


@pytest.mark.hits(
    "handlers.applyPatchToObject",
    at="converter := runtime.DefaultUnstructuredConverter",
    locals={
        'patchMap["spec"]': {"ports": [{"name": "tls", "port": 443}]},
        'len(patchedObjMap["spec"].(data)["ports"].(data))': 2,
    },
)
def test_a_strategic_patch_merges_lists_by_their_key(api, create):
    """A merge patch would have replaced the list; here the port is the key."""
    ports = [{"name": "http", "port": 80}]
    path = create("/api/v1/namespaces/default/services", spec={"ports": ports})
    patch = {"spec": {"ports": [{"name": "tls", "port": 443}]}}
    answer = api.patch(path, headers=STRATEGIC, data=json.dumps(patch))
    assert sorted(port["port"] for port in answer.json()["spec"]["ports"]) == [80, 443]


def applied(name, **data):
    metadata = {"name": name}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


@pytest.mark.hits(
    "handlers.(*applyPatcher).applyPatchToCurrentObject",
    at="obj, err := p.fieldManager.Apply(",
    locals={
        "p.options.FieldManager": "author",
        "force": False,
        'patchObj.Object["data"]': {"title": "Go"},
    },
    count=1,
)
def test_an_apply_has_a_manager_of_its_fields(api, config_map, name):
    author = {"fieldManager": "author"}
    answer = api.patch(config_map, headers=APPLY, params=author, data=applied(name, title="Go"))
    assert answer.json()["data"] == {"chapter": "1", "title": "Go"}


@pytest.mark.hits(
    "merge.(*Updater).update",
    at="if !force && len(conflicts) != 0 {",
    locals={"workflow": AUTHOR, "len(conflicts)": 1, "force": False},
)
@pytest.mark.hits(
    "merge.(*Updater).update",
    at="if !force && len(conflicts) != 0 {",
    locals={"workflow": AUTHOR, "len(conflicts)": 1, "force": True},
)
def test_two_managers_of_one_field_are_in_conflict(api, config_map, name):
    author = {"fieldManager": "author"}
    patch = applied(name, chapter="2")
    conflict = api.patch(config_map, headers=APPLY, params=author, data=patch)
    assert conflict.status_code == 409
    forced = api.patch(config_map, headers=APPLY, params={**author, "force": "true"}, data=patch)
    assert forced.json()["data"] == {"chapter": "2"}
