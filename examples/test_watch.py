"""How changes are told: watches, their time limits, and lists that are streamed."""

import itertools
import json

import pytest

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SECOND = 10**9


def events(answer, number):
    """Read some events; leaving the block around the answer ends the watch."""
    return [json.loads(line) for line in itertools.islice(answer.iter_lines(), number)]


@pytest.mark.hits(
    "endpoints/handlers/get.go",
    at="watcher, err := rw.Watch(ctx, &opts)",
    locals={"timeout": 1 * SECOND, "opts.ResourceVersion": "0", "opts.Watch": True},
    count=1,
)
def test_a_watch_ends_when_its_seconds_are_over(api):
    nothing = {"fieldSelector": "metadata.name=nothing"}
    second = {"watch": "1", "timeoutSeconds": "1", "resourceVersion": "0"}
    assert api.get(CONFIG_MAPS, params={**nothing, **second}).content == b""


@pytest.mark.hits(
    "handlers.doTransformObject",
    locals={"obj.(data).Data": {"chapter": "1"}},
    count=1,
)
@pytest.mark.hits(
    "endpoints/handlers/watch.go",
    at="if len(ch) == 0 {",
    locals={"event.Type": "ADDED", "s.MediaType": "application/json"},
    count=1,
)
def test_what_is_there_already_was_added(api, config_map, name):
    one = {"watch": "1", "resourceVersion": "0", "fieldSelector": f"metadata.name={name}"}
    with api.get(CONFIG_MAPS, params=one, stream=True) as answer:
        [added] = events(answer, 1)
    assert config_map.endswith(added["object"]["metadata"]["name"])


@pytest.mark.kubernetes(
    ">=1.32,!=1.33.*",
    reason="the feature gate WatchList is on by default in 1.32, and from 1.34 on",
)
@pytest.mark.hits(
    "handlers.(*WatchServer).HandleHTTP",
    at="if err := watchEncoder.Encode(event); err != nil {",
    locals={"event.Type": "BOOKMARK", "isWatchListLatencyRecordingRequired": True},
)
@pytest.mark.hits(
    "cacher.(*Cacher).setInitialEventsEndBookmarkIfRequested",
    locals={"*opts.SendInitialEvents": True, "opts.Predicate.AllowWatchBookmarks": True},
)
def test_a_bookmark_ends_a_list_that_is_streamed(api, config_map, name):
    streamed = {
        "watch": "1",
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
        "fieldSelector": f"metadata.name={name}",
    }
    with api.get(CONFIG_MAPS, params=streamed, stream=True) as answer:
        added, bookmark = events(answer, 2)
    assert config_map.endswith(added["object"]["metadata"]["name"])
    assert bookmark["type"] == "BOOKMARK"
