"""gunicorn's logs, in the entrypoint's form."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger

from .. import capture
from .forwarded import client


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logs in the entrypoint's form. Of a request's URL only the path: queries hold secrets."""

    def setup(self, cfg: Any) -> None:
        """Install the handlers; called by gunicorn, at start and at SIGHUP."""
        super().setup(cfg)
        for name in ("gunicorn.error", "gunicorn.access"):
            capture.enable(name)
            _drop_streams(logging.getLogger(name))

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        """Write one request's record; called by workers."""
        # Older gunicorns do not tell.
        if not getattr(self, "access_log_enabled", self.cfg.accesslog):
            return
        status = str(resp.status).split(None, 1)[0]
        fields = {
            "method": environ.get("REQUEST_METHOD", ""),
            "path": environ.get("PATH_INFO", ""),
            "status": int(status) if status.isdecimal() else status,
            "duration_ms": round(request_time.seconds * 1000 + request_time.microseconds / 1000, 1),
            "remote_addr": client(
                environ.get("REMOTE_ADDR", ""),
                environ.get("HTTP_X_FORWARDED_FOR", ""),
                self.cfg.forwarded_allow_ips,
            ),
        }
        message = "%s %s %s", fields["method"], fields["path"], status
        self.access_log.info(*message, extra={"fields": fields})

    def _set_handler(self, logger: Any, output: Any, fmt: Any, stream: Any = None) -> None:
        super()._set_handler(logger, None if output == "-" else output, capture.Formatter())
        if output == "-":
            for old in [each for each in logger.handlers if getattr(each, "_gunicorn", False)]:
                logger.removeHandler(old)
            handler = capture.Handler()
            handler._gunicorn = True  # type: ignore[attr-defined]  # its own mark
            logger.addHandler(handler)


def _drop_streams(logger: logging.Logger) -> None:
    """Handlers that a project's gunicorn configuration has given the logger would write each record a second time."""
    for handler in list(logger.handlers):
        to_stream = isinstance(handler, logging.StreamHandler) and not isinstance(
            handler, logging.FileHandler
        )
        if to_stream and not getattr(handler, "_gunicorn", False):
            logger.removeHandler(handler)
