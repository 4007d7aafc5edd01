"""Real programs that tests ask: where they are, and which package brings one that is not here."""

from __future__ import annotations

import importlib.util
import os
import shutil

PACKAGES = {
    "curl": "curl",
    "fusermount3": "fuse3",
    "nginx": "nginx-light",
    "rsync": "rsync",
    "scp": "openssh-client",
    "sftp": "openssh-client",
    "smbclient": "smbclient",
    "smbd": "samba",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "sshfs": "sshfs",
    "strace": "strace",
    "vsftpd": "vsftpd",
}
"""The Debian package of each program."""
MODULES = {"mfusepy": "mfusepy", "smbprotocol": "smbprotocol"}
"""The distribution (pip install …) of each Python module."""
FUSE = "/dev/fuse"
_PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])  # servers lie where users do not look


def program(name: str) -> str:
    """The path of a program that is here."""
    found = shutil.which(name, path=_PLACES)
    assert found is not None, missing(name)
    return found


def missing(*names: str) -> str:
    """Why these programs, Python modules and devices (as `/dev/fuse`) cannot be used here, and what to install; "" where they can."""
    lacking = [name for name in names if not _is_here(name)]
    return f"not here: {', '.join(map(_told, lacking))}" if lacking else ""


def _is_here(name: str) -> bool:
    if name.startswith("/"):
        return os.access(name, os.R_OK | os.W_OK)
    if name in MODULES:
        return importlib.util.find_spec(name) is not None
    return shutil.which(name, path=_PLACES) is not None


def _told(name: str) -> str:
    if name in MODULES:
        return f"{name} (pip install {MODULES[name]})"
    return f"{name} (apt install {PACKAGES[name]})" if name in PACKAGES else name


def needed(tool: str, package: str) -> str:
    """The path of a program, or of a file that has to be there; where it is not here the test is skipped, and says which Debian package
    brings it.
    """
    found = tool if os.path.isabs(tool) and os.path.exists(tool) else shutil.which(tool, path=_PLACES)
    if found is None:
        skip(f"needs {tool}: apt install {package}")
    return str(found)


def needed_root(what: str) -> None:
    """Skip the test unless it is run by the superuser; `what` says what for."""
    if os.geteuid() != 0:
        skip(f"needs root: {what}")


def skip(why: str) -> None:
    """Skip the test that runs."""
    import pytest

    pytest.skip(why)


def require(*names: str) -> None:
    """Skip the test, and say what to install, where any of these is not here."""
    if why := missing(*names):
        skip(why)
