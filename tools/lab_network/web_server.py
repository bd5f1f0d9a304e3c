# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of a backend: nginx, saying the backend's name."""

import http.client
import socket
import time
from pathlib import Path

from lab_network.errors import LabError
from lab_network.process import Process

# One process without a master, so that one pid is the whole server. Connections are kept for as long as clients like.
_CONFIG = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {log} warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  default_type text/plain;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  reset_timedout_connection on;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 80 backlog=4096;
    listen [::]:80 ipv6only=on backlog=4096;
    location = / {{ return 200 "{name}\\n"; }}
    location = /healthz {{
      root {directory}/www;
      if (-f {directory}/refused/$remote_addr) {{ return 503; }}
    }}
    location / {{ root {directory}/www; }}
  }}
}}
"""
CHECK_PATHS = ("healthz", "ready")


class WebServer:
    def __init__(self, host, namespace, run_dir):
        """host: topology.Host of the backend. run_dir: the lab's."""
        self._host = host
        self._namespace = namespace
        self._directory = Path(run_dir) / host.name
        self._log = Path(run_dir) / "logs" / f"{host.name}-nginx.log"
        self.process = Process(f"{host.name}-nginx", Path(run_dir) / "processes")

    def start(self):
        (self._directory / "www").mkdir(parents=True, exist_ok=True)
        for path in CHECK_PATHS:
            self.pass_check(path)
        config = self._directory / "nginx.conf"
        config.write_text(_CONFIG.format(directory=self._directory, log=self._log, name=self._host.name))
        argv = self._namespace.argv("nginx", "-p", self._directory, "-c", config, "-e", self._log)
        self.process.start(argv, self._log)

    def wait_answering(self, within=5):
        deadline = time.monotonic() + within
        while True:
            try:
                if self._answer() == self._host.name:
                    return
            except (OSError, http.client.HTTPException):
                pass
            if time.monotonic() > deadline:
                raise LabError(f"wait for nginx on {self._host.name}: no answer within {within} s; see {self._log}")
            time.sleep(0.01)

    def fail_check(self, path):
        """From now on the server answers /`path` with 404; everything else goes on."""
        (self._directory / "www" / path).unlink()

    def pass_check(self, path):
        (self._directory / "www" / path).write_text("ok\n")

    def refuse_checks_of(self, host):
        """From now on checks by this topology.Host alone find the server ill; everything else goes on."""
        for mark in self._refused(host):
            mark.parent.mkdir(exist_ok=True)
            mark.touch()

    def pass_checks_of(self, host):
        for mark in self._refused(host):
            mark.unlink(missing_ok=True)

    def _refused(self, host):
        addresses = [address for i in host.interfaces for address in (i.address4, i.address6)]
        return [self._directory / "refused" / address for address in addresses]

    def _answer(self):
        with self._namespace.entered():
            with socket.create_connection((self._host.main.address4, 80), timeout=1) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.makefile("rb").read().split(b"\r\n\r\n", 1)[-1].decode().strip()
