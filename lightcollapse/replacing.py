"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from lightcollapse.errors import LightcollapseError


class replacing:  # noqa: N801 - a context manager, named like one
    """Context manager: a temporary path beside `target` that takes its place when the block ends without error."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> Path:
        try:
            handle, name = tempfile.mkstemp(dir=self.target.parent, prefix=".", suffix=self.target.suffix)
        except OSError as error:
            raise LightcollapseError(f"cannot write {self.target}: {error.strerror}") from None
        os.close(handle)
        self.temporary = Path(name)
        return self.temporary

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            umask = os.umask(0)
            os.umask(umask)
            self.temporary.chmod(0o666 & ~umask)
            os.replace(self.temporary, self.target)
        else:
            self.temporary.unlink(missing_ok=True)
