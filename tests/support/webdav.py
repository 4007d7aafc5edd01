"""A real WebDAV server (nginx) on loopback: PUT, MKCOL, MOVE. It takes what is sent under a name of its own and renames it into place."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.support.loopback import HOST, by_hand, free_port, listening, user
from tests.support.needs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOLS = ("nginx", "curl")
_CONFIGURATION = """
daemon off;
{as_user}
pid {private}/nginx.pid;
error_log stderr;
worker_processes 1;
events {{ }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {bodies};
  proxy_temp_path {private}/proxy;
  fastcgi_temp_path {private}/fastcgi;
  uwsgi_temp_path {private}/uwsgi;
  scgi_temp_path {private}/scgi;
  server {{
    listen {host}:{port};
    location / {{
      root "{folder}";
      dav_methods PUT DELETE MKCOL COPY MOVE;
      create_full_put_path on;
      dav_access user:rw group:r all:r;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class WebDav:
    """A folder that is served."""

    port: int

    def url(self, path: str) -> str:
        """Of a path below the folder."""
        return f"http://{HOST}:{self.port}/{quote(path)}"

    @property
    def ways(self) -> list[str]:
        return [f"curl -T FILE {self.url('')}"]


@contextmanager
def serving(folder: Path, private: Path, bodies: Path | None = None) -> Iterator[WebDav]:
    """The folder, for as long as the block lasts. `bodies`: where nginx keeps what is still being sent; another filesystem than the
    folder's makes it copy in place of renaming.
    """
    private.mkdir(parents=True, exist_ok=True)
    port = free_port()
    configuration = private / "nginx.conf"
    as_user = "user root;" if user() == "root" else ""  # its workers would become another user, who may not write there
    configuration.write_text(
        _CONFIGURATION.format(
            port=port, host=HOST, as_user=as_user, private=private, folder=folder, bodies=bodies or private / "bodies"
        )
    )
    with listening([program("nginx"), "-p", str(private), "-e", "stderr", "-c", str(configuration)], port, private / "nginx.out"):
        yield WebDav(port)


if __name__ == "__main__":
    sys.exit(by_hand("tests.support.webdav", __doc__, TOOLS, serving))
