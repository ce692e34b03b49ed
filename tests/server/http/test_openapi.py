"""/openapi.json: a valid document of all that the server answers, from the descriptions that check requests."""

import ast
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import numpyclip.server
from numpyclip.dispatch.field_kinds import File
from numpyclip.dispatch.queries import Filters
from numpyclip.server.app import PARTS, create_app
from numpyclip.server.http.body_parsing import parse_query
from numpyclip.server.http.openapi import document, plain
from tests.server.conftest import Client, Serve

OPERATIONS = [(path, each) for operations in PARTS.values() for path, each in operations.items()]


@pytest.fixture(scope="module")
def described() -> Any:
    return document(PARTS)


def test_the_document_is_valid(described: Any) -> None:
    pytest.importorskip("openapi_spec_validator").validate(described)


def test_every_route_of_the_application_is_in_it(described: Any, tiny: Any) -> None:
    app = create_app(tiny, "tiny")
    routes = {
        (plain(route.path), method)  # type: ignore[attr-defined]
        for route in app.routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    found = {(path, method.upper()) for path, methods in described["paths"].items() for method in methods}
    assert found == routes


def test_operations_have_names_of_their_own_and_say_what_they_do(described: Any) -> None:
    found = [operation for methods in described["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in found}) == len(found)
    assert all(operation["summary"] for operation in found)
    assert described["paths"]["/v1/models/{id}"]["get"]["operationId"] == "get_v1_models_id"
    for path, each in OPERATIONS:
        assert all(field.meaning for field in each.fields.DESCRIBED.values()), path


def test_every_operation_has_an_example_unless_it_takes_nothing_or_needs_a_file() -> None:
    for path, each in OPERATIONS:
        fields = each.fields.DESCRIBED
        needs_file = any(isinstance(field, File) and field.required for field in fields.values())
        assert bool(each.fields.EXAMPLE) != (not fields or needs_file), path


@pytest.mark.parametrize(("path", "each"), [(path, each) for path, each in OPERATIONS if each.fields.EXAMPLE])
def test_examples_are_as_described(described: Any, path: str, each: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    fields, example = each.fields, each.fields.EXAMPLE
    found = fields(example, strict=True).values
    for method in described["paths"][plain(path)].values():
        for parameter in method.get("parameters", ()):
            if "example" in parameter:
                jsonschema.validate(parameter["example"], parameter["schema"])
        contents = method.get("requestBody", {}).get("content", {})
        for media, content in contents.items():
            jsonschema.validate(content["example"], content["schema"])
            assert (
                media != "application/x-www-form-urlencoded"
                or fields(parse_query(urlencode(example, doseq=True))).values == found
            )


def test_examples_are_answered(serve: Serve, own_atlas: str) -> None:
    client = serve(store=own_atlas, aliases=("ViT-B/32", "ViT-B-32__openai"), token="secret")
    for path, each in OPERATIONS:
        if "POST" in each.methods and each.fields.EXAMPLE:
            example, token = each.fields.EXAMPLE, {"Authorization": "Bearer secret"}
            if "json" in each.bodies:
                answer = client.post(path, example, **token)
            else:
                answer = client.form(path, list(example.items()), **token)
            assert answer.status in (200, 204), (path, answer.body)


def test_names_in_a_path_are_required_fields(described: Any) -> None:
    for path, methods in described["paths"].items():
        for operation in methods.values():
            in_path = [each for each in operation.get("parameters", ()) if each["in"] == "path"]
            assert {each["name"] for each in in_path} == set(re.findall(r"{(\w+)}", path))
            assert all(each["required"] for each in in_path)


def test_what_is_refused_when_it_is_missing_is_required(client: Client, described: Any) -> None:
    for path, name in (
        ("/metadata", "ids"),
        ("/predict", "entries"),
        ("/classify", "labels"),
        ("/thumbnail", "image"),
        ("/post", "data"),
    ):
        content = described["paths"][path]["post"]["requestBody"]["content"]
        assert all(name in each["schema"].get("required", ()) for each in content.values()), path
        kind = "" if "application/json" in content else "application/x-www-form-urlencoded"
        answer = client("POST", path, b"" if kind else b"{}", Content_Type=kind)
        assert f"{name} is missing; expected" in answer.message
    assert {each["name"]: each["required"] for each in described["paths"]["/towns"]["get"]["parameters"]}["name"]
    assert "name is missing" in client.get("/towns").message


def test_requests_of_a_get_are_parameters_and_of_a_post_bodies(described: Any) -> None:
    get, post = (described["paths"]["/search"][method] for method in ("get", "post"))
    assert {each["name"]: each["schema"] for each in get["parameters"]}["n"] == {
        "type": "integer",
        "minimum": 1,
        "default": 60,
    }
    content = post["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data", "application/x-www-form-urlencoded"}
    form = content["multipart/form-data"]["schema"]["properties"]
    assert form["image"]["items"] == {"type": "string", "format": "binary"}
    assert "parameters" not in post


def test_errors_are_as_clients_of_each_api_expect_them(described: Any) -> None:
    def error(path: str, method: str, status: int) -> Any:
        reference = described["paths"][path][method]["responses"][str(status)]["$ref"]
        return described["components"]["responses"][reference.rpartition("/")[2]]["content"]["application/json"]

    assert "error" in error("/search", "get", 400)["example"]
    assert "detail" in error("/embeddings", "post", 422)["example"]
    assert error("/search", "get", 400)["schema"]["required"] == ["error"]


def test_what_needs_no_token_is_so_described(described: Any) -> None:
    open_paths = {
        path for path, methods in described["paths"].items() for each in methods.values() if each.get("security") == []
    }
    assert {"/", "/login", "/healthz"} <= open_paths
    assert not {"/search", "/openapi.json", "/docs", "/metrics"} & open_paths


def test_the_document_is_served_and_reveals_no_more_than_it_is(client: Client, described: Any) -> None:
    answer = client.get("/openapi.json", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert client.get("/openapi.json").json == json.loads(json.dumps(described))


def test_every_field_that_is_described_is_read() -> None:
    """`fields.NAME`, or its name as a string, is somewhere in the modules that answer requests."""
    read: set[str] = set()
    package = Path(numpyclip.server.__file__).parents[1]
    for module in [*(package / "server").rglob("*.py"), *(package / "dispatch").glob("*.py")]:
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "fields":
                read.add(node.attr.rstrip("_"))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sent":
                read.update(str(each.value) for each in node.args if isinstance(each, ast.Constant))
    for path, each in OPERATIONS:
        assert not each.fields.DESCRIBED.keys() - read - Filters.DESCRIBED.keys(), (
            path
        )  # which `where_of` reads by name
