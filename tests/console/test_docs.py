from base64 import b64encode
from hashlib import sha256

from console.docs import CONTENT_SECURITY_POLICY, page

EVIL = "<script>alert('x')</script>\"&"


def test_everything_in_the_document_is_escaped() -> None:
    schema = {"type": EVIL, "description": EVIL, "properties": {EVIL: {"$ref": f"#/x/{EVIL}"}}}
    document = {
        "info": {"title": EVIL, "description": EVIL},
        "paths": {
            f"/{EVIL}": {
                "get": {
                    "summary": EVIL,
                    "security": [{EVIL: []}],
                    "parameters": [{"name": EVIL, "schema": {"enum": [EVIL]}, "required": True}],
                    "responses": {EVIL: {"content": {"application/json": {"schema": schema}}}},
                }
            }
        },
        "components": {"schemas": {EVIL: schema}},
    }
    assert "<script" not in page(document)
    assert "alert('x')" not in page(document)


def test_the_policy_allows_the_pages_own_style_and_nothing_else() -> None:
    text = page({"info": {"title": "", "description": ""}, "paths": {}, "components": {"schemas": {}}})
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert (
        f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in CONTENT_SECURITY_POLICY
    )
    assert "unsafe" not in CONTENT_SECURITY_POLICY
