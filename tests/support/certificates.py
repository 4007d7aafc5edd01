"""Certificates: an authority of one's own, and what it signs. Needs openssl.

By hand:

    python -m tests.support.certificates FOLDER NAME [--expired] [--self-signed]

makes FOLDER/ca.pem, where it is not there yet, and FOLDER/NAME.pem with the key in it.
"""

from __future__ import annotations

import argparse
import ipaddress
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.needs import needed

DAYS = 30


@dataclass(frozen=True)
class Authority:
    """Signs certificates; all lie in `folder`, its own as `ca_file`."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.ca_file.exists():
            extension = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
            self._request(self.folder / "ca.key", "/CN=An authority of tests", "-x509", "-days", str(DAYS), *extension, out=self.ca_file)

    @property
    def ca_file(self) -> Path:
        """The authority's own certificate: whoever has it as `api.ca_file` trusts what it signs."""
        return self.folder / "ca.pem"

    def issue(self, name: str, *, expired: bool = False, self_signed: bool = False) -> Path:
        """A certificate for a host (a name, or an IP address), and its key, in one PEM file."""
        kind = "expired" if expired else "own" if self_signed else "good"
        both = self.folder / f"{name}.{kind}.pem"
        key, signed = both.with_suffix(".key"), both.with_suffix(".crt")
        alternative = f"subjectAltName={_kind(name)}:{name}"
        if self_signed:
            self._request(key, f"/CN={name}", "-x509", "-days", str(DAYS), "-addext", alternative, out=signed)
        else:
            request, extensions = both.with_suffix(".csr"), both.with_suffix(".ext")
            self._request(key, f"/CN={name}", out=request)
            extensions.write_text(alternative)
            _openssl(
                "x509", "-req", "-in", request, "-CA", self.ca_file, "-CAkey", self.folder / "ca.key", "-extfile", extensions,
                "-days", "-1" if expired else str(DAYS), "-out", signed,
            )  # fmt: skip
        both.write_bytes(key.read_bytes() + signed.read_bytes())
        return both

    def _request(self, key: Path, subject: str, *more: str, out: Path) -> None:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        _openssl("req", *curve, "-nodes", "-subj", subject, "-keyout", key, "-out", out, *more)


def serving(certificate: Path) -> ssl.SSLContext:
    """What a server needs to answer with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _kind(name: str) -> str:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "DNS"
    return "IP"


def _openssl(*words: str | Path) -> None:
    done = subprocess.run([needed("openssl", "openssl"), *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.certificates", description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", help="the host that it is for: a name, or an IP address")
    parser.add_argument("--expired", action="store_true", help="it was good until yesterday")
    parser.add_argument("--self-signed", action="store_true", help="not signed by the authority")
    asked = parser.parse_args()
    print(Authority(asked.folder).issue(asked.name, expired=asked.expired, self_signed=asked.self_signed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
