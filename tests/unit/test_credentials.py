"""The ServiceAccount's credentials, from a fake API."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from pytest_kdelve.controlplane import certificates
from pytest_kdelve.controlplane.access import Access
from pytest_kdelve.controlplane.credentials import Credentials, ServiceAccountMaker
from pytest_kdelve.errors import CredentialsError
from tests.unit.fake_http import Answer, FakeApiserver

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def fake() -> Iterator[FakeApiserver]:
    with FakeApiserver().serving() as fake:
        fake.answers[f"GET {ROLE}"] = Answer(body={"rules": [{"verbs": ["*"]}]})
        yield fake


@pytest.fixture
def maker(
    fake: FakeApiserver, files: certificates.Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServiceAccountMaker]:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with ServiceAccountMaker(Access.by_certificate(fake.url, files)) as maker:
        yield maker


def test_the_account_is_bound_and_has_an_empty_secret(
    fake: FakeApiserver, maker: ServiceAccountMaker
) -> None:
    maker.create("cluster-admin")
    created = [(one.path, one.body) for one in fake.received if one.method == "POST"]
    [(bindings, binding), (accounts, account), (secrets, secret)] = created
    assert (accounts, bindings, secrets) == (ACCOUNTS, BINDINGS, SECRETS)
    assert account == {"metadata": {"name": "kdelve"}}
    assert isinstance(binding, dict)
    assert binding["roleRef"]["kind"] == "ClusterRole"
    assert binding["roleRef"]["name"] == "cluster-admin"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "kdelve", "namespace": "default"}
    ]
    assert isinstance(secret, dict)
    assert secret["type"] == "kubernetes.io/service-account-token"
    assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "kdelve"}
    assert "data" not in secret


@pytest.mark.parametrize(
    ("refused", "what"),
    [
        (f"GET {ROLE}", "read the ClusterRole 'cluster-admin'"),
        (f"POST {ACCOUNTS}", "create the ServiceAccount default/kdelve"),
        (
            f"POST {BINDINGS}",
            "bind the ServiceAccount default/kdelve to the ClusterRole 'cluster-admin'",
        ),
        (f"POST {SECRETS}", "create the Secret default/kdelve"),
    ],
)
def test_what_is_refused_is_said(
    fake: FakeApiserver, maker: ServiceAccountMaker, refused: str, what: str
) -> None:
    fake.answers[refused] = Answer(403, {"message": "not for you"})
    with pytest.raises(CredentialsError) as raised:
        maker.create("cluster-admin")
    body = '{"message": "not for you"}'
    assert str(raised.value) == f"could not {what}: 403 Forbidden: {body}"


@pytest.mark.parametrize(
    ("refused", "status", "has_begun"),
    [
        (f"GET {ROLE}", 403, False),
        (f"POST {BINDINGS}", 403, False),
        (f"POST {BINDINGS}", 504, True),
        (f"POST {ACCOUNTS}", 403, True),
    ],
)
def test_what_may_be_left_of_a_failure(
    fake: FakeApiserver, maker: ServiceAccountMaker, refused: str, status: int, *, has_begun: bool
) -> None:
    assert not maker.has_begun
    fake.answers[refused] = Answer(status)
    with pytest.raises(CredentialsError):
        maker.create("cluster-admin")
    assert maker.has_begun is has_begun


@pytest.mark.parametrize("data", [None, {}, {"token": ""}, {"token": "dG9rZW4="}])
def test_there_are_no_credentials_before_the_secret_is_filled(
    fake: FakeApiserver, maker: ServiceAccountMaker, data: object
) -> None:
    fake.answers[f"GET {SECRETS}/kdelve"] = Answer(body={"data": data})
    assert maker.read() is None


def test_the_filled_secret(
    fake: FakeApiserver, maker: ServiceAccountMaker, files: certificates.Certificates
) -> None:
    authority = files.ca.read_text()
    data = {"token": b"to.ke.n", "ca.crt": authority.encode()}
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    fake.answers[f"GET {SECRETS}/kdelve"] = Answer(body={"data": encoded})
    credentials = maker.read()
    assert credentials == Credentials(
        name="kdelve",
        namespace="default",
        token="to.ke.n",  # noqa: S106 - not a real one
        ca_crt=authority,
        ca_file=files.ca,
        obtained="Secret default/kdelve, filled by the token controller",
    )
    assert "to.ke.n" not in repr(credentials)
    assert "BEGIN" not in repr(credentials)


@pytest.mark.parametrize(
    ("role", "has_rules"),
    [
        ({"rules": [{"verbs": ["get"]}]}, True),
        ({"rules": []}, True),
        ({"rules": None, "aggregationRule": {"clusterRoleSelectors": []}}, False),
        ({"rules": [{"verbs": ["get"]}], "aggregationRule": {}}, True),
    ],
)
def test_an_aggregated_role_is_filled_later(
    fake: FakeApiserver, maker: ServiceAccountMaker, role: object, *, has_rules: bool
) -> None:
    fake.answers[f"GET {ROLE}"] = Answer(body=role)
    assert maker.has_rules("cluster-admin") is has_rules


def test_no_connection(files: certificates.Certificates) -> None:
    with FakeApiserver().serving() as fake:
        pass
    refused = r"could not read the Secret default/kdelve: .*refus"
    with (
        ServiceAccountMaker(Access.by_certificate(fake.url, files)) as maker,
        pytest.raises(CredentialsError, match=refused),
    ):
        maker.read()
