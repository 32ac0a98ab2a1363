"""A real Keycloak as a program of its own, with realms from the product's realm file, governed by its admin API."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from runtime import ports
from runtime.child import Child, Program
from runtime.probes import http_ok
from tests.issuing import APP

FILES = Path(__file__).parent.parent / "config/keycloak"
REALM_FILE = FILES / "tollkeeper-realm.json"
DEMO_FILE = FILES / "demo/tollkeeper-users-0.json"

_ADMIN = {"client_id": "admin-of-the-tests", "client_secret": "a secret of the tests"}
_PASSWORD = "a password of the tests"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class RealAccount:
    """A user who logs in with the password at `client`."""

    realm: "RealRealm"
    subject: str
    email: str
    client: str

    def token(self) -> str:
        return str(self.login()["access_token"])

    def login(self, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What the token endpoint answers: access, refresh and ID token."""
        return self.realm.grant(
            headers,
            grant_type="password",
            client_id=self.client,
            username=self.email,
            password=_PASSWORD,
            scope="openid",
        )


class RealRealm:
    """One issuer."""

    def __init__(self, server: "RealKeycloak", name: str) -> None:
        self.name = name
        self.issuer = f"{server.url}/realms/{name}"
        self._server = server

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/token"

    def grant(self, headers: Mapping[str, str] | None = None, **form: str) -> dict[str, Any]:
        """Asks the token endpoint, which must agree."""
        answer = self._server.http.post(self.token_url, data=form, headers=headers)
        assert answer.status_code == 200, answer.text
        granted: dict[str, Any] = answer.json()
        return granted

    def admin(self, method: str, path: str = "", body: Any = None) -> Any:
        """Calls the admin API below this realm; gives the answer's JSON, or the id of what was created."""
        return self._server.admin(method, f"/{self.name}{path}", body)

    def account(
        self,
        organization_id: str | None = None,
        *,
        role: str | None = None,
        admin: bool = False,
        client: str = APP,
    ) -> RealAccount:
        email = f"person-{next(_numbers)}@atelier.example"
        named = {"organization_id": organization_id, "organization_role": role}
        user = {
            "username": email,
            "email": email,
            "emailVerified": True,
            "enabled": True,
            "firstName": "Camille",
            "lastName": "Martin",
            "credentials": [{"type": "password", "value": _PASSWORD, "temporary": False}],
            "attributes": {name: [value] for name, value in named.items() if value is not None},
        }
        subject = self.admin("POST", "/users", user)
        if admin:
            role_of_realm = self.admin("GET", "/roles/ADMIN")
            self.admin("POST", f"/users/{subject}/role-mappings/realm", [role_of_realm])
        self.let_passwords_in(client)
        return RealAccount(self, subject, email, client)

    def let_passwords_in(self, client: str) -> None:
        """At the product's own client people log in by browser or device only. One that is not there is made."""
        if not self.admin("GET", f"/clients?clientId={client}"):
            self.admin("POST", "/clients", {"clientId": client, "publicClient": True})
        self.change_client(client, directAccessGrantsEnabled=True)

    def client(self, name: str) -> dict[str, Any]:
        (found,) = self.admin("GET", f"/clients?clientId={name}")
        client: dict[str, Any] = found
        return client

    def change_client(self, name: str, **changes: Any) -> None:
        client = self.client(name)
        if any(client.get(field) != value for field, value in changes.items()):
            self.admin("PUT", f"/clients/{client['id']}", {**client, **changes})

    def rotate(self, kind: str = "rsa-generated", **config: str) -> str:
        """The id of the new key provider. `kind` and `config` are Keycloak's words for it."""
        number = next(_numbers)
        return str(
            self.admin(
                "POST",
                "/components",
                {
                    "name": f"key {number}",
                    "providerId": kind,
                    "providerType": "org.keycloak.keys.KeyProvider",
                    "config": {
                        "priority": [str(1000 + number)],
                        "enabled": ["true"],
                        "active": ["true"],
                        **{name: [value] for name, value in config.items()},
                    },
                },
            )
        )


class RealKeycloak:
    """`home` is where Keycloak lies, `folder` holds its database. Start it from the main thread."""

    def __init__(self, home: Path, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(timeout=30)
        self._child: Child | None = None
        self._program = Program(
            name="keycloak",
            argv=[
                *("/bin/sh", str(home / "bin/kc.sh"), "start-dev", f"-Dkc.home.dir={folder}"),
                *("--http-host=127.0.0.1", f"--http-port={port}", "--cache=local", "--import-realm"),
            ],
            environ={
                **{name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ},
                "KC_BOOTSTRAP_ADMIN_CLIENT_ID": _ADMIN["client_id"],
                "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET": _ADMIN["client_secret"],
            },
            ready=http_ok(f"{self.url}/realms/master"),
            ready_seconds=240,
        )
        for part in ("lib", "conf", "providers", "themes"):
            (folder / part).symlink_to(home / part)
        imports = folder / "data/import"
        imports.mkdir(parents=True)
        for file in (REALM_FILE, DEMO_FILE):
            shutil.copy(file, imports)

    @property
    def product_realm(self) -> RealRealm:
        """As operators import it, with its demo users."""
        return RealRealm(self, "tollkeeper")

    def realm(self) -> RealRealm:
        """A new one from the product's realm file, without users."""
        made = RealRealm(self, f"realm-{next(_numbers)}")
        self.admin("POST", "", {**orjson.loads(REALM_FILE.read_bytes()), "realm": made.name})
        return made

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        granted = RealRealm(self, "master").grant(None, grant_type="client_credentials", **_ADMIN)
        answer = self.http.request(
            method,
            f"{self.url}/admin/realms{path}",
            json=body,
            headers={"authorization": f"Bearer {granted['access_token']}"},
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        if answer.status_code == 201:
            return answer.headers["location"].rpartition("/")[2]
        return answer.json() if answer.content else None

    def start(self) -> None:
        if self._child is None:
            self._child = Child(self._program)
            self._child.wait_ready()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
        self._child = None


@contextmanager
def real_keycloak(environ: Mapping[str, str]) -> Iterator[RealKeycloak]:
    """One that runs."""
    home = environ.get("KEYCLOAK_HOME")
    assert home, "KEYCLOAK_HOME names no Keycloak; run `make test-keycloak`, which fetches one"
    with ports.reserve("127.0.0.1", 0, option="port") as reserved:
        port = ports.number(reserved)
    with tempfile.TemporaryDirectory(prefix="tk-keycloak-") as folder:
        made = RealKeycloak(Path(home), Path(folder), port)
        try:
            made.start()
            yield made
        finally:
            made.stop()
            made.http.close()
