"""Where uploads are kept; where collectstatic puts static files, under hashed names too."""

from __future__ import annotations

import logging
import os

from django.core.files import File
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

logger = logging.getLogger(__name__)


class MediaStorage(FileSystemStorage):
    """Django's own, but an upload that fails, such as on a full volume, leaves no part of it there."""

    def _save(self, name: str, content: File) -> str:
        """Write the bytes of `content` to a new file; returns its name. Raises OSError."""
        while True:
            path = self.path(name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            try:
                file = open(path, "xb")  # noqa: SIM115 -- closed below
                break
            except FileExistsError:  # another upload was faster
                name = self.get_available_name(name)
        try:
            with file:
                file.writelines(content.chunks())
            if self.file_permissions_mode is not None:
                os.chmod(path, self.file_permissions_mode)
        except BaseException:
            os.unlink(path)
            raise
        return name


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Hashed and compressed files; a page whose files were not collected is plain, not an error.

    With RUN_COLLECTSTATIC=0 the directory may be empty, or somebody else's: templates then link to the
    plain names, which whoever serves the files knows.
    """

    warned = False

    def stored_name(self, name: str) -> str:
        try:
            return super().stored_name(name)
        except ValueError:  # not in the manifest
            if not self.warned:
                self.warned = True
                logger.warning("Static file %s is not collected: run collectstatic.", name)
            return name

    def load_manifest(self) -> tuple[dict[str, str], str]:
        try:
            return super().load_manifest()
        except (OSError, ValueError) as error:
            logger.warning("The list of static files is not used: %s", error)
            return {}, ""
