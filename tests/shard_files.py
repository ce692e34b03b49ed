"""Archives and parquet files as others write them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Any

import pytest


def tar(files: Mapping[str, bytes], mode: str = "w") -> bytes:
    """Return an archive of files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def parquet(columns: Mapping[str, Any], group: int | None = None, **options: Any) -> bytes:
    """Return a parquet file with row groups of so many rows."""
    pyarrow = pytest.importorskip("pyarrow", reason="parquet files need pyarrow: pip install 'numpyclip[parquet]'")
    from pyarrow import parquet as files

    content = io.BytesIO()
    files.write_table(pyarrow.table(dict(columns)), content, row_group_size=group, **options)
    return content.getvalue()
