"""Whether the kernel lets a debugger trace, and what stands in the way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pytest_kdelve.controlplane.doctor.check import Check, State, text_of

#: ``CAP_SYS_PTRACE`` of linux/capability.h.
_CAP_SYS_PTRACE = 19
_SECCOMP_FILTER = 2
_NOT_EVEN_ROOT = 3
#: From the kernel's Documentation/admin-guide/LSM/Yama.rst.
_YAMA = {
    0: "processes of the same user may be traced",
    1: "only descendants may be traced, others with CAP_SYS_PTRACE",
    2: "only with CAP_SYS_PTRACE may anything be traced",
    3: "nothing may be traced, not even by root",
}
_PROBE_TIMEOUT = 1.5
#: What a target does that dlv starts: it asks to be traced by its parent, and is gone.
_PROBE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(0 if libc.ptrace(0, 0, 0, 0) == 0 else ctypes.get_errno())
"""
_CONTAINER = "in a container, start it with --cap-add=SYS_PTRACE"
_PROFILE = "or give it a seccomp profile that permits ptrace; Docker's own does from Linux 4.8 on"
_MODULES = (
    "look for a security module or a sandbox that forbids ptrace "
    "(SELinux: `getsebool deny_ptrace`; AppArmor: the kernel's log)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What /proc says of this process; None is not known.

    ``yama`` is kernel.yama.ptrace_scope, ``seccomp`` 2 where a filter is in force.
    """

    yama: int | None
    is_capable: bool | None
    seccomp: int | None
    no_new_privs: bool | None


def parse(status: str | None, yama: str | None) -> Permission:
    """Read the texts of /proc/self/status and of /proc/sys/kernel/yama/ptrace_scope.

    None for the text of a file that is not there; without yama, the rules are those of its 0.
    """
    capabilities = _field(status, "CapEff", base=16)
    privileges = _field(status, "NoNewPrivs")
    scope = (yama or "").strip()
    return Permission(
        yama=int(scope) if scope.isdecimal() else None,
        is_capable=None if capabilities is None else bool(capabilities >> _CAP_SYS_PTRACE & 1),
        seccomp=_field(status, "Seccomp"),
        no_new_privs=None if privileges is None else bool(privileges),
    )


def probe() -> int | None:
    """Have a child of a moment ask to be traced; return 0, its errno, or None for no answer."""
    argv = [sys.executable, "-I", "-S", "-c", _PROBE]
    try:
        answer = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=_PROBE_TIMEOUT,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    text = answer.stdout.strip()
    # A seccomp filter may kill instead of refusing.
    return int(text) if text.isdecimal() else None


def check_ptrace() -> Check:
    """Look at this process and this kernel."""
    permission = parse(
        text_of(Path("/proc/self/status")), text_of(Path("/proc/sys/kernel/yama/ptrace_scope"))
    )
    return judge(permission, refusal=probe())


def judge(permission: Permission, *, refusal: int | None) -> Check:
    """Say what may be traced; ``refusal`` is what ``probe`` returned."""
    seen = (_tried(refusal), _attaching(permission), _facts(permission))
    if refusal != 0:
        return Check(name="ptrace", state=State.PROBLEM, seen=seen, do=_for_starting(permission))
    if _may_attach(permission):
        return Check(name="ptrace", state=State.OK, seen=seen)
    return Check(name="ptrace", state=State.WARNING, seen=seen, do=_for_attaching(permission))


def _tried(refusal: int | None) -> str:
    if refusal == 0:
        return "a target that dlv starts can be traced (tried with PTRACE_TRACEME)"
    reason = "it gave no answer" if refusal is None else os.strerror(refusal)
    return f"a target that dlv starts cannot be traced (tried with PTRACE_TRACEME: {reason})"


def _may_attach(permission: Permission) -> bool:
    scope = permission.yama or 0
    return scope == 0 or (permission.is_capable is True and scope < _NOT_EVEN_ROOT)


def _attaching(permission: Permission) -> str:
    if not _may_attach(permission):
        return "a process that runs already cannot be attached to"
    whose = "any" if permission.is_capable else "your own"
    return f"dlv can attach to {whose} processes that run already"


def _facts(permission: Permission) -> str:
    scope = permission.yama
    meaning = _YAMA.get(scope, "unknown to this version") if scope is not None else ""
    capable = {True: "yes", False: "no", None: "not known"}[permission.is_capable]
    facts = [
        f"kernel.yama.ptrace_scope {scope}: {meaning}" if meaning else "no yama",
        f"CAP_SYS_PTRACE: {capable}",
        *(["a seccomp filter is in force"] if permission.seccomp == _SECCOMP_FILTER else []),
        *(["no_new_privs is set"] if permission.no_new_privs else []),
    ]
    return "; ".join(facts)


def _for_starting(permission: Permission) -> tuple[str, ...]:
    if permission.yama == _NOT_EVEN_ROOT:
        return _reboot(1)
    if permission.yama == _NOT_EVEN_ROOT - 1 and not permission.is_capable:
        return _loosen(1, permission)
    if permission.seccomp == _SECCOMP_FILTER:
        return (f"the seccomp filter is the likely reason: {_CONTAINER}", _PROFILE)
    return (_MODULES,)


def _for_attaching(permission: Permission) -> tuple[str, ...]:
    if permission.yama == _NOT_EVEN_ROOT:
        return _reboot(0)
    return ("only for --kdelve-attach:", *_loosen(0, permission))


def _reboot(scope: int) -> tuple[str, ...]:
    return (
        f"3 stays until the machine is booted again: write {scope} where it is set, and reboot",
        "to find that:\ngrep -rs ptrace_scope /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d",
    )


def _loosen(scope: int, permission: Permission) -> tuple[str, ...]:
    command = f"sudo sysctl kernel.yama.ptrace_scope={scope}"
    elsewhere = (
        "; not from here, where no_new_privs makes sudo useless" if permission.no_new_privs else ""
    )
    return (
        f"loosen it until the next boot, or run pytest as root{elsewhere}:\n{command}",
        _CONTAINER,
    )


def _field(status: str | None, name: str, *, base: int = 10) -> int | None:
    found = re.search(rf"^{name}:\s*([0-9a-fA-F]+)\s*$", status or "", re.MULTILINE)
    return int(found[1], base) if found else None
