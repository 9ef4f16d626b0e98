"""Where collectstatic puts static files, under hashed names too, and what templates link to."""

from __future__ import annotations

import logging

from whitenoise.storage import CompressedManifestStaticFilesStorage

logger = logging.getLogger(__name__)


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
