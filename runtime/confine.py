"""The last step before another program runs as our child: `python -I -S confine.py OPTIONS -- PROGRAM ARGS`.

Runs as a program of its own between fork and exec, because code in a forked copy of a threaded process is
unsafe. It ties the child's life to its parent's. For root it gives up root: Postgres refuses to run as root.

A data directory or a virtual environment below a private directory such as /root stays closed to the other
user. Rather than open directories that are not ours, the child may keep one capability:
`--capability read` (CAP_DAC_READ_SEARCH: look into and read what it does not own) or
`--capability override` (CAP_DAC_OVERRIDE: where containers offer nothing narrower).
Facts: capabilities(7), prctl(2). Standard library only; exits 125 with one line if a step fails.
"""

import argparse
import ctypes
import os
import signal
import sys

CAPABILITIES = {"override": 1, "read": 2}
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
# Without it access(2), by which Postgres looks for its own files, ignores the capability of a non-root user.
SECBIT_NO_SETUID_FIXUP = 1 << 2
LINUX_CAPABILITY_VERSION_3 = 0x20080522

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, step: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), step)


def prctl(option: int, first: int, second: int = 0) -> None:
    arguments = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    check(libc.prctl(option, *arguments), f"prctl {option}")


def keep_only(capability: int | None) -> None:
    """Reduces this process, already of another user, to one capability that survives exec, or to none."""
    mask = 0 if capability is None else 1 << capability
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable; then the same for capabilities 32 to 63
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    check(libc.capset(header, data), "capset")
    if capability is not None:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def become(uid: int, gid: int, capability: int | None) -> None:
    if capability is not None:
        prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    keep_only(capability)
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="confine")
    parser.add_argument("--parent", type=int, required=True, help="process whose death ends the child")
    parser.add_argument("--death-signal", type=int, default=signal.SIGTERM)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--capability", choices=sorted(CAPABILITIES))
    parser.add_argument("program", nargs="+")
    options = parser.parse_args(arguments)
    try:
        if options.uid is not None:
            become(options.uid, options.gid, CAPABILITIES.get(options.capability))
        # After the change of user, which clears it.
        prctl(PR_SET_PDEATHSIG, options.death_signal)
        check(os.getppid() - options.parent, "the parent is gone already")
        os.execv(options.program[0], options.program)  # noqa: S606 - no shell is what we want
    except OSError as error:
        sys.stderr.write(f"cannot start {options.program[0]}: {error}\n")
        sys.exit(125)


if __name__ == "__main__":
    main(sys.argv[1:])
