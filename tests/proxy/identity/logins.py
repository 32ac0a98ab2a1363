"""Logging in to a real Keycloak as people do: by its pages."""

import base64
import re
import secrets
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx

from tests.issuing import APP
from tests.real_keycloak import RealRealm

PAGE = "http://127.0.0.1:8001/"
"""Where the app's people are sent back to."""


def visit(url: str, username: str, password: str) -> str:
    """Goes from page to page as a person does who logs in and agrees. Ends outside of Keycloak, or where no page asks
    for more; gives the address."""
    answers = {
        "kc-form-login": {"username": username, "password": password},
        "kc-oauth": {"accept": "Yes"},
    }
    with httpx.Client(timeout=30) as browser:
        method, data = "GET", None
        for _ in range(10):
            # Cookies are for https only, or for this machine, which browsers know to be safe and httpx does not.
            cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
            answer = browser.request(method, url, data=data, headers={"cookie": cookies})
            if "location" in answer.headers:
                method, data, url = "GET", None, urljoin(url, answer.headers["location"])
                if url.startswith(PAGE):
                    return url
                continue
            form = re.search(r'<form[^>]*?action="([^"]+)"', answer.text, re.DOTALL)
            asked = next((name for name in answers if name in answer.text), None)
            if form is None or asked is None:
                return url
            hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
            method, data, url = "POST", {**hidden, **answers[asked]}, urljoin(url, unescape(form[1]))
    raise AssertionError("there is no end of pages")


def proof() -> tuple[str, dict[str, str]]:
    """PKCE: what is kept, and what is shown first."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return verifier, {"code_challenge": challenge, "code_challenge_method": "S256"}


def login_in_a_browser(realm: RealRealm, username: str, password: str) -> dict[str, Any]:
    """Authorization code with PKCE, by the login page."""
    verifier, challenge = proof()
    asked = {"client_id": APP, "response_type": "code", "redirect_uri": PAGE, "scope": "openid", **challenge}
    place = visit(f"{realm.issuer}/protocol/openid-connect/auth?{urlencode(asked)}", username, password)
    (code,) = parse_qs(urlsplit(place).query)["code"]
    return realm.grant(
        grant_type="authorization_code", client_id=APP, code=code, redirect_uri=PAGE, code_verifier=verifier
    )


def login_on_a_device(realm: RealRealm, username: str, password: str) -> dict[str, Any]:
    """A command line shows a link, which somebody opens in a browser."""
    verifier, challenge = proof()
    started = httpx.post(
        f"{realm.issuer}/protocol/openid-connect/auth/device",
        data={"client_id": APP, "scope": "openid", **challenge},
        timeout=30,
    )
    assert started.status_code == 200, started.text
    visit(started.json()["verification_uri_complete"], username, password)
    return realm.grant(
        grant_type="urn:ietf:params:oauth:grant-type:device_code",
        client_id=APP,
        device_code=started.json()["device_code"],
        code_verifier=verifier,
    )
