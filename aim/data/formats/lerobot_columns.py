"""Columns of the parquet files of a LeRobot set: numbers, times and tasks of episodes, and images."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from aim.data.recorded import Rows
from sim.types import UserError

if TYPE_CHECKING:
    import pyarrow


ImageCell = Mapping[str, object] | bytes | None  # encoded bytes, or a table of bytes and a path


class RowRange(NamedTuple):
    """Rows of a parquet file that an episode takes: `first` to `end`, exclusive."""

    first: int
    end: int


def read_columns(file: Path, names: Sequence[str]) -> tuple[dict[str, Rows], int]:
    """Columns (rows d) of numbers by name, those that are there, and the file's rows; `UserError` for other values."""
    import pyarrow.parquet as parquet

    there = parquet.ParquetFile(file)
    wanted = [name for name in dict.fromkeys(names) if name in there.schema_arrow.names]
    table = there.read(columns=wanted)
    return {name: read_numbers(table, name, file) for name in wanted}, there.metadata.num_rows


def read_numbers(table: pyarrow.Table, name: str, file: Path) -> Rows:
    """A column of numbers, lists, or lists of lists, all of one shape, as (rows d); null becomes not a number."""
    import pyarrow
    import pyarrow.compute as compute

    column, width = pyarrow.chunked_array(table[name]).combine_chunks(), 1
    if isinstance(column, pyarrow.ChunkedArray):
        column = pyarrow.concat_arrays(column.chunks)
    while pyarrow.types.is_list(column.type) or _is_other_list(column.type):
        widths = compute.call_function("list_value_length", [column]).unique().to_pylist()
        if len(widths) > 1 or widths == [None]:
            raise UserError(f"{file}: rows of {name} differ in length: {widths}")
        width *= int(widths[0]) if widths else 1
        column = column.flatten()
    if not (pyarrow.types.is_primitive(column.type) or pyarrow.types.is_null(column.type)):
        raise UserError(f"{file}: {name} holds {column.type}, not numbers")
    return column.to_numpy(zero_copy_only=False).astype(np.float64).reshape(-1, width)


def _is_other_list(kind: pyarrow.DataType) -> bool:
    import pyarrow

    return pyarrow.types.is_fixed_size_list(kind) or pyarrow.types.is_large_list(kind)


def find_row_ranges(episode_index: NDArray[np.float64], episodes: Sequence[int]) -> dict[int, RowRange | None]:
    """Rows of each episode in a file by the column episode_index (rows,); None where they are not in one piece."""
    found: dict[int, RowRange | None] = {}
    for episode in episodes:
        rows = np.flatnonzero(episode_index == episode)
        whole = len(rows) > 0 and rows[-1] - rows[0] + 1 == len(rows)
        found[episode] = (
            RowRange(int(rows[0]), int(rows[-1]) + 1) if whole else RowRange(0, 0) if not len(rows) else None
        )
    return found


class ImageColumn:
    """Images of a camera in a parquet file, read row group by row group; the groups read last are kept."""

    def __init__(self, root: Path, file: Path, camera: str) -> None:
        """Open a file; `UserError` where it has no such column."""
        import pyarrow.parquet as parquet

        self.root, self.path, self.camera = root, file, camera
        self.table = parquet.ParquetFile(file)
        if camera not in self.table.schema_arrow.names:
            raise UserError(f"{file} has no column {camera!r}; it has {', '.join(self.table.schema_arrow.names)}")
        groups = range(self.table.num_row_groups)
        self.starts = np.cumsum([0, *(self.table.metadata.row_group(group).num_rows for group in groups)])
        self.group, self.cells = -1, []

    def frames(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """Pictures (k h w 3) of rows of the file; `UserError` where one is missing or damaged."""
        return np.stack([self._read_image(row) for row in rows])

    def digest_frames(self, rows: Sequence[int]) -> str:
        """Digest of the images in rows of the file as they are encoded; `UserError` where one is missing."""
        sha = hashlib.sha256()
        for row in rows:
            data = find_encoded(self.root, self._read_cell(row), f"{self.path} row {row}")
            sha.update(f"{len(data)} ".encode() + data)
        return sha.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self.table.close()

    def _read_image(self, row: int) -> NDArray[np.uint8]:
        return decode_image(self.root, self._read_cell(row), f"{self.path} row {row}")

    def _read_cell(self, row: int) -> ImageCell:
        group = int(np.searchsorted(self.starts, row, "right")) - 1
        if group != self.group:
            self.cells = self.table.read_row_group(group, columns=[self.camera])[self.camera]
            self.group = group
        return self.cells[row - int(self.starts[group])].as_py()


def decode_image(root: Path, cell: ImageCell, where: str) -> NDArray[np.uint8]:
    """Picture (h w 3) of a cell; `UserError` if it has none."""
    image = cv2.imdecode(np.frombuffer(find_encoded(root, cell, where), np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise UserError(f"{where}: the image is damaged")
    return np.asarray(image, np.uint8)


def find_encoded(root: Path, cell: ImageCell, where: str) -> bytes:
    """Encoded image of a cell, which may name a file below `root`; `UserError` if there is none."""
    data = cell.get("bytes") if isinstance(cell, Mapping) else cell
    path = cell.get("path") if isinstance(cell, Mapping) else None
    if data is None and isinstance(path, str) and (root / path).is_file():
        data = (root / path).read_bytes()
    if not isinstance(data, bytes) or not data:
        raise UserError(f"{where} has no image")
    return data


def iterate_groups(entries: Mapping[int, Path], episodes: Sequence[int]) -> Iterator[tuple[Path, list[int]]]:
    """Files with the episodes that lie in each, in the order of the episodes; one file at a time."""
    by_file: dict[Path, list[int]] = {}
    for episode in episodes:
        by_file.setdefault(entries[episode], []).append(episode)
    yield from by_file.items()
