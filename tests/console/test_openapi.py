import re
from collections.abc import Iterator
from typing import Any

from console.operations import OPERATIONS
from tests.console.running import Console


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def test_the_document_describes_every_operation(console: Console) -> None:
    document = (await console.nobody.get("/api/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(operation.method, operation.path) for operation in OPERATIONS}
    names = [
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
    ]
    assert len(set(names)) == len(names)


async def test_every_reference_leads_somewhere_and_nothing_is_left_over(console: Console) -> None:
    document = (await console.nobody.get("/api/openapi.json")).json()
    found = set(references(document))
    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
    assert {reference.rpartition("/")[2] for reference in found} == set(document["components"]["schemas"])


async def test_what_is_made_and_answered_is_what_is_described(console: Console) -> None:
    document = (await console.nobody.get("/api/openapi.json")).json()
    schemas = document["components"]["schemas"]
    made = await console.make("plans", name="Pro")
    answer = document["paths"]["/api/admin/plans"]["post"]["responses"]["201"]
    schema = schemas[answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    assert set(schema["properties"]) == set(made)
    assert schema["properties"]["monthly_price"]["type"] == "string"


async def test_queries_are_described_by_the_names_they_have(console: Console) -> None:
    document = (await console.nobody.get("/api/openapi.json")).json()
    parameters = document["paths"]["/api/admin/usage"]["get"]["parameters"]
    names = {parameter["name"] for parameter in parameters}
    assert {"from", "to", "group_by", "organization", "cursor", "limit"} <= names
    path = document["paths"]["/api/admin/keys/{id}"]["delete"]["parameters"]
    assert [(p["name"], p["in"], p["required"]) for p in path] == [("id", "path", True)]


async def test_the_readable_docs_name_every_path_and_load_nothing(console: Console) -> None:
    answer = await console.nobody.get("/api/docs")
    assert answer.headers["content-type"].startswith("text/html")
    for operation in OPERATIONS:
        assert operation.path in answer.text
    assert re.findall(r'(?:src|href)="(?!#)([^"]*)"', answer.text) == ["/api/openapi.json"]
    assert "<script" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
