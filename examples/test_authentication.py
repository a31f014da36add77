"""Who sends a request: tokens, anonymous requests, and the tokens that TokenRequest issues."""

import re

import pytest


@pytest.mark.hits(
    "endpoints/filters/authentication.go",
    at="genericapirequest.WithUser(req.Context(), resp.User)",
    locals={
        "resp.User.(data).Name": "system:serviceaccount:default:kdelve",
        "resp.User.(data).Groups": [
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated",
        ],
    },
    count=1,
)
def test_a_token_becomes_a_user_and_groups(api):
    assert api.get("/version").status_code == 200


@pytest.mark.hits(
    "endpoints/filters/authentication.go",
    at="genericapirequest.WithUser(req.Context(), resp.User)",
    locals={
        "resp.User.(data).Name": "system:anonymous",
        "resp.User.(data).Groups": ["system:unauthenticated"],
    },
)
@pytest.mark.hits(
    "request/anonymous/anonymous.go",
    at="return &authenticator.Response{",
    locals={"req.URL.Path": "/livez", "auds": ["https://kubernetes.default.svc.cluster.local"]},
)
def test_a_request_without_a_token_is_anonymous(api):
    """The authenticator of anonymous requests is asked last, when no other knew the user."""

    def no_token(request):
        return request

    assert api.get("/livez", auth=no_token).status_code == 200


@pytest.mark.hits(
    "pkg/serviceaccount/claims.go",
    at="if string(serviceAccount.UID) != saref.UID {",
    locals={
        "public.Issuer": "https://kubernetes.default.svc.cluster.local",
        "public.Subject": re.compile("^system:serviceaccount:default:reading-"),
        "namespace": "default",
        "saref.Name": re.compile("^reading-"),
    },
    count=1,
)
def test_the_claims_of_a_token_are_checked_once(api, bearer):
    """The ServiceAccount must still be there; the second request is answered from a cache."""
    for _ in range(2):
        assert api.get("/version", auth=bearer).status_code == 200


@pytest.mark.hits(
    "(*TokenREST).Create",
    at="token.Claims(*svcacct, pod, secret,",
    locals={
        "exp": 1200,
        "req.Spec.Audiences": ["https://kubernetes.default.svc.cluster.local"],
        "svcacct.Name": re.compile("^reading-"),
        "pod": None,
    },
)
def test_a_token_request_is_for_the_apiserver_by_default(api, service_account):
    """No audience was asked for, so it became the apiserver's own."""
    wanted = {"spec": {"expirationSeconds": 1200}}
    status = api.post(f"{service_account}/token", json=wanted).json()["status"]
    assert status["expirationTimestamp"]


@pytest.mark.hits(
    "authentication/validation.ValidateTokenRequest",
    at="return allErrs",
    locals={
        "tr.Spec.ExpirationSeconds": 60,
        "len(allErrs)": 1,
        "allErrs[0].Field": "spec.expirationSeconds",
        "allErrs[0].Detail": "may not specify a duration less than 10 minutes",
    },
)
@pytest.mark.not_hits("pkg/serviceaccount.Claims")
def test_a_token_for_a_minute_is_refused(api, service_account):
    wanted = {"spec": {"expirationSeconds": 60}}
    assert api.post(f"{service_account}/token", json=wanted).status_code == 422
