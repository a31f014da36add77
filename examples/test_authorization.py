"""What a user may do: RBAC, access reviews, and acting as somebody else."""

import re

import pytest

from pytest_kdelve import at

KDELVE = "system:serviceaccount:default:kdelve"


@pytest.mark.hits(
    "rbac/validation.(*DefaultRuleResolver).VisitRulesFor",
    at="sourceDescriber.subject = &clusterRoleBinding.Subjects[subjectIndex]",
    locals={
        "user.(data).Name": KDELVE,
        "clusterRoleBinding.RoleRef.Name": "cluster-admin",
        "rules[0]": {"Verbs": ["*"], "APIGroups": ["*"], "Resources": ["*"]},
    },
)
@pytest.mark.hits(
    "rbac.(*RBACAuthorizer).Authorize",
    at="return authorizer.DecisionAllow, ruleCheckingVisitor.reason, nil",
    locals={
        "requestAttributes.(data).Verb": "list",
        "ruleCheckingVisitor.reason": re.compile('allowed by .* of ClusterRole "cluster-admin"'),
    },
    count=1,
)
def test_rbac_finds_the_binding_that_allows(api):
    """Bindings are tried in no order, until one allows."""
    assert api.get("/api/v1/namespaces/default/configmaps").status_code == 200


@pytest.mark.hits(
    "rbac.(*RBACAuthorizer).Authorize",
    at="return authorizer.DecisionNoOpinion, reason, nil",
    locals={
        "requestAttributes.(data).Verb": "delete",
        "requestAttributes.(data).Resource": "nodes",
        "requestAttributes.(data).User.(data).Name": "jane",
        "ruleCheckingVisitor.allowed": False,
        "reason": "",
    },
)
@pytest.mark.hits(
    "subjectaccessreview.(*REST).Create",
    at="return subjectAccessReview, nil",
    locals={"decision": "DecisionNoOpinion", "subjectAccessReview.Status.Allowed": False},
)
def test_an_access_review_asks_for_another_user(api):
    """RBAC never denies: it has no opinion, and where nobody allows, nothing is allowed."""
    question = {"user": "jane", "resourceAttributes": {"verb": "delete", "resource": "nodes"}}
    review = {"spec": question}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert api.post(path, json=review).json()["status"]["allowed"] is False


@pytest.mark.hits_in_order(
    at(
        "endpoints/filters/authentication.go",
        "genericapirequest.WithUser(req.Context(), resp.User)",
        locals={"resp.User.(data).Name": KDELVE},
    ),
    at(
        "audit.LogImpersonatedUser",
        locals={
            "user.(data).Name": "jane",
            "user.(data).Groups": ["readers", "system:authenticated"],
        },
    ),
    at(
        "endpoints/filters/authorization.go",
        "if authorized == authorizer.DecisionAllow {",
        locals={"attributes.(data).User.(data).Name": "jane", "authorized": "DecisionAllow"},
    ),
)
def test_an_administrator_acts_as_jane(api):
    """The group of all authenticated users is added to those that were asked for."""
    jane = {"Impersonate-User": "jane", "Impersonate-Group": "readers"}
    assert api.get("/version", headers=jane).status_code == 200


@pytest.mark.hits(
    "rbac.(*RBACAuthorizer).Authorize",
    at="return authorizer.DecisionNoOpinion, reason, nil",
    locals={
        "requestAttributes.(data).User.(data).Name": re.compile(
            "^system:serviceaccount:default:reading-"
        ),
        "requestAttributes.(data).Verb": "impersonate",
        "requestAttributes.(data).Resource": "users",
        "requestAttributes.(data).Name": "jane",
    },
)
@pytest.mark.not_hits("endpoints/filters/authorization.go", at="a.Authorize(ctx, attributes)")
def test_not_everybody_may_act_as_jane(api, bearer):
    """Impersonation is decided before the request itself is authorized."""
    answer = api.get("/version", auth=bearer, headers={"Impersonate-User": "jane"})
    assert answer.status_code == 403
