"""The user the embedded engines run as, and the directories that are theirs.

An ordinary user runs them as himself. Root does not: Postgres refuses it, and neither needs it. They then
run as a system user of their own, made on first use.
"""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from runtime.child import Confinement

USER = "tollkeeper"
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SETPCAP = 1, 2, 8


class EngineError(RuntimeError):
    """The embedded engines cannot run here; the message is one line that says what to do."""


def own_directory(path: Path) -> None:
    """Makes `path`, private, for whoever runs the engines."""
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.stat()
    if os.geteuid() != 0:
        if status.st_uid != os.geteuid():
            raise EngineError(f"{path} belongs to another user ({status.st_uid}); use another --data-dir")
    elif status.st_uid == 0:
        entry = _system_user()
        os.chown(path, entry.pw_uid, entry.pw_gid)
    path.chmod(0o700)


def confinement(directory: Path, binaries: Iterable[Path]) -> Confinement | None:
    """How root runs `binaries` on `directory`, made by own_directory; None for an ordinary user."""
    if os.geteuid() != 0:
        return None
    owner = directory.stat()
    binaries = [binary.resolve() for binary in binaries]
    parents = {parent for path in (directory.resolve(), *binaries) for parent in path.parents}
    closed = any(not _may_enter(owner.st_uid, parent.stat()) for parent in parents)
    unreadable = any(not binary.stat().st_mode & stat.S_IROTH for binary in binaries)
    unexecutable = any(not binary.stat().st_mode & stat.S_IXOTH for binary in binaries)
    capability = None
    if unexecutable or unreadable or closed:
        capability = _capability(["override"] if unexecutable else ["read", "override"])
    return Confinement(owner.st_uid, owner.st_gid, capability)


def _may_enter(uid: int, directory: os.stat_result) -> bool:
    return bool(directory.st_mode & (stat.S_IXUSR if directory.st_uid == uid else stat.S_IXOTH))


def _capability(wanted: list[str]) -> str:
    """The narrowest we hold; reading is enough unless a program may not even be run by others."""
    held = _held_capabilities()
    numbers = {"read": CAP_DAC_READ_SEARCH, "override": CAP_DAC_OVERRIDE}
    if held >> CAP_SETPCAP & 1:
        for name in wanted:
            if held >> numbers[name] & 1:
                return name
    raise EngineError(
        f"user {USER} cannot enter the data directory or the installation, and this root may not lend it the"
        " right; use a --data-dir and a folder others may enter, run as an ordinary user, or set DATABASE_URL"
        " and REDIS_URL"
    )


def _held_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0


def _system_user() -> pwd.struct_passwd:
    if (entry := _find_user()) is not None:
        return entry
    command = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    problem = "useradd is not installed"
    if command is not None:
        arguments = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        made = subprocess.run(
            [command, *arguments, "--shell", "/usr/sbin/nologin", USER],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        problem = made.stderr.strip()
    # Also after a failure: another tollkeeper may have made it at the same moment.
    if (entry := _find_user()) is not None:
        return entry
    raise EngineError(
        f"Postgres does not run as root, and the user {USER} cannot be made ({problem}); "
        "run as an ordinary user or set DATABASE_URL and REDIS_URL"
    )


def _find_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None
