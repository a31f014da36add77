"""What a CustomResourceDefinition's schema does to its objects."""

import uuid

import pytest


@pytest.fixture(scope="module")
def books(prepare, eventually):
    """Define books, which have a title and some pages, and return the path of those in default."""
    group = f"reading-{uuid.uuid4().hex[:8]}.example.com"
    names = {"plural": "books", "singular": "book", "kind": "Book", "listKind": "BookList"}
    fields = {
        "title": {"type": "string"},
        "pages": {"type": "integer", "minimum": 1, "default": 100},
    }
    book = {"spec": {"type": "object", "properties": fields}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": book}},
    }
    definition = {
        "metadata": {"name": f"books.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    answer = prepare("POST", definitions, json=definition)
    assert answer.status_code == 201, answer.text
    path = f"/apis/{group}/v1/namespaces/default/books"
    eventually(lambda: prepare("GET", path).ok)
    yield path
    prepare("DELETE", f"{definitions}/books.{group}")


def book(books, **spec):
    group = books.split("/")[2]
    metadata = {"generateName": "reading-"}
    return {"apiVersion": f"{group}/v1", "kind": "Book", "metadata": metadata, "spec": spec}


@pytest.mark.hits(
    "apiextensions-apiserver/pkg/apiserver.(*crdHandler).ServeHTTP",
    at="verb := strings.ToUpper(requestInfo.Verb)",
    locals={
        "requestInfo.Resource": "books",
        "requestInfo.Verb": "list",
        "crd.Spec.Names.Kind": "Book",
        "crd.Spec.Scope": "Namespaced",
        "terminating": False,
    },
    count=1,
)
def test_one_handler_serves_all_custom_resources(api, books):
    assert api.get(books).json()["items"] == []


@pytest.mark.hits(
    "schema/pruning.prune",
    at="if !metaFields[k] || len(opts.",
    locals={"k": "colour", "v.(data)": "red"},
    count=1,
)
def test_what_is_not_in_the_schema_is_pruned(api, books):
    answer = api.post(books, params={"dryRun": "All"}, json=book(books, colour="red"))
    assert answer.json()["spec"] == {"pages": 100}


@pytest.mark.kubernetes(
    ">=1.25", reason="before, the feature gate ServerSideFieldValidation was off by default"
)
@pytest.mark.hits(
    "apiextensions-apiserver/pkg/apiserver.(*unstructuredSchemaCoercer).apply",
    at="structuraldefaulting.PruneNonNullableNullsWithoutDefaults(",
    locals={"unknownFieldPaths": ["spec.colour"], "kind": "Book", "gv.Version": "v1"},
)
def test_what_is_pruned_is_warned_of(api, books):
    answer = api.post(books, params={"dryRun": "All"}, json=book(books, colour="red"))
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.colour\\""'


@pytest.mark.hits(
    "schema/defaulting.Default",
    at="x[k] = runtime.DeepCopyJSONValue(prop.Default.Object)",
    locals={"k": "pages", "prop.Default.Object": 100},
)
def test_a_default_of_the_schema_fills_what_is_missing(api, books):
    answer = api.post(books, params={"dryRun": "All"}, json=book(books, title="Go"))
    assert answer.json()["spec"] == {"title": "Go", "pages": 100}


@pytest.mark.hits(
    "customresource.customResourceStrategy.Validate",
    at="errs = append(errs, schemaobjectmeta.Validate(",
    locals={
        "len(errs)": 1,
        "errs[0].Type": "FieldValueInvalid",
        "errs[0].Field": "spec.pages",
        "errs[0].Detail": "spec.pages in body should be greater than or equal to 1",
    },
)
@pytest.mark.not_hits("etcd3.(*store).Create")
def test_what_the_schema_forbids_is_invalid(api, books):
    assert api.post(books, json=book(books, pages=0)).status_code == 422
