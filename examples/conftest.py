"""What the reading tests share: objects to read about, which exist before a test sends its request.

They are made by a client of their own. Requests of ``api`` and ``kube_client`` are the test's, so
what those cause counts for its markers; what only prepares a test must not.
"""

import operator
import uuid
from contextlib import ExitStack

import pytest
import requests
import tenacity


@pytest.fixture(scope="session")
def prepare(apiserver, credentials):
    """Send a request that is not the test's: ``prepare("GET", "/version")``."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(apiserver.ca_file)
        session.headers["Authorization"] = f"Bearer {credentials.token}"

        def send(method, path, **kwargs):
            return session.request(method, apiserver.url + path, timeout=60, **kwargs)

        yield send


@pytest.fixture(scope="session")
def eventually():
    """Call a function until it returns something true, which controllers take a moment for."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_result(operator.not_),
        stop=tenacity.stop_after_delay(30),
        wait=tenacity.wait_fixed(0.05),
    )


@pytest.fixture
def name():
    """Return a name that nothing has yet; what the other fixtures make gets it."""
    return f"reading-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def create(prepare, name):
    """Create an object and return its path; it is deleted when the test is over."""
    with ExitStack() as created:

        def create(collection, **body):
            body["metadata"] = {"name": name, **body.get("metadata", {})}
            answer = prepare("POST", collection, json=body)
            assert answer.status_code == 201, answer.text
            path = f"{collection}/{body['metadata']['name']}"
            created.callback(prepare, "DELETE", path, json={"gracePeriodSeconds": 0})
            return path

        yield create


@pytest.fixture
def config_map(create, prepare, eventually):
    """Return the path of a ConfigMap with one key, which the watch cache knows, too."""
    path = create("/api/v1/namespaces/default/configmaps", data={"chapter": "1"})
    eventually(lambda: prepare("GET", path, params={"resourceVersion": "0"}).ok)
    return path


@pytest.fixture
def service_account(create):
    """Return the path of a ServiceAccount that may do nothing but what everybody may."""
    return create("/api/v1/namespaces/default/serviceaccounts")


@pytest.fixture
def bearer(prepare, service_account):
    """Authenticate as that ServiceAccount: ``api.get("/api", auth=bearer)``."""
    answer = prepare("POST", f"{service_account}/token", json={})
    token = answer.json()["status"]["token"]

    def authenticate(request):
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authenticate
