"""How changes are told: watches, their time limits, and lists that are streamed."""

import json

import pytest

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SECOND = 10**9


def events(answer):
    return [json.loads(line) for line in answer.iter_lines()]


@pytest.mark.hits(
    "handlers.handleWatch",
    at="watcher, err := rw.Watch(ctx, &opts)",
    locals={"timeout": 1 * SECOND, "opts.ResourceVersion": "0", "isWatchList": False},
    count=1,
)
def test_a_watch_ends_when_its_seconds_are_over(api):
    seconds = {"watch": "1", "timeoutSeconds": "1", "resourceVersion": "0"}
    answer = api.get(CONFIG_MAPS, params={**seconds, "fieldSelector": "metadata.name=nothing"})
    assert events(answer) == []


@pytest.mark.hits(
    "handlers.(*WatchServer).HandleHTTP",
    at="if err := watchEncoder.Encode(event); err != nil {",
    locals={
        "event.Type": "ADDED",
        "event.Object.(data).Data": {"chapter": "1"},
        "s.MediaType": "application/json",
    },
    count=1,
)
def test_what_is_there_already_was_added(api, config_map):
    name = config_map.rpartition("/")[2]
    one = {"fieldSelector": f"metadata.name={name}"}
    seconds = {"watch": "1", "timeoutSeconds": "1", "resourceVersion": "0"}
    assert [e["type"] for e in events(api.get(CONFIG_MAPS, params={**one, **seconds}))] == ["ADDED"]


@pytest.mark.hits(
    "handlers.(*WatchServer).HandleHTTP",
    at="if err := watchEncoder.Encode(event); err != nil {",
    locals={"event.Type": "BOOKMARK", "isWatchListLatencyRecordingRequired": True},
)
@pytest.mark.hits(
    "cacher.(*Cacher).setInitialEventsEndBookmarkIfRequested",
    locals={"*opts.SendInitialEvents": True, "opts.Predicate.AllowWatchBookmarks": True},
)
def test_a_bookmark_ends_a_list_that_is_streamed(api, config_map):
    name = config_map.rpartition("/")[2]
    streamed = {
        "watch": "1",
        "timeoutSeconds": "1",
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
        "fieldSelector": f"metadata.name={name}",
    }
    types = [event["type"] for event in events(api.get(CONFIG_MAPS, params=streamed))]
    assert types == ["ADDED", "BOOKMARK"]
