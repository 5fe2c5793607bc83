"""LeRobot sets, v3.0, v2.1 and v2.0, written with pyarrow and PyAV alone: of the toy world, or of frames that count."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import toy
from numpy.typing import NDArray

STATE, ACTION = "observation.state", "action"
HEAD, WRIST = "observation.images.top", "observation.images.gripper_cam"
NAMES = ("grip", "spare", "y", "x")  # in the set's order, which is not ours
TOML = f"""
robot = "toyarm"
[cameras]
head = "{HEAD}"
left_wrist = "{WRIST}"
[joints]
state = "{STATE}"
action = "{ACTION}"
names = ["x", "y", "grip"]
units = "degrees"
[gripper]
grip = [5.0, 105.0]
[text]
default = "do it"
"""


@dataclass(frozen=True)
class Part:
    """One episode: numbers (frames d) in the set's units, pictures (frames h w 3) of each camera."""

    state: NDArray[np.float32]
    action: NDArray[np.float32]
    pictures: Mapping[str, NDArray[np.uint8]]
    tasks: tuple[str, ...] = (toy.SAY,)


def toy_part(seed: int, pictures: int = 7, side: int = 64) -> Part:
    """Return the toy's run to a spot as a robot of degrees and per cent recorded it, 25 frames a second."""
    made = toy.episode(seed, side=8, pictures=pictures)
    state, action = made.state[::2], made.action[::2]
    spot = toy.places(seed)[0]
    shown = {HEAD: "head", WRIST: "left_wrist"}
    return Part(
        theirs(state),
        theirs(np.concatenate([action, action[-1:]])),
        {key: np.stack([toy.draw(camera, row, spot, side) for row in state]) for key, camera in shown.items()},
    )


def theirs(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the toy's numbers (frames 14) as NAMES of the set: degrees, and a gripper from 5 closed to 105 open."""
    x, y = np.rad2deg(rows[:, [toy.X, toy.Y]]).T
    return np.stack([5.0 + 100.0 * rows[:, toy.GRIP], np.full_like(x, 7.0), y, x], 1).astype(np.float32)


def counted_part(episode: int, frames: int) -> Part:
    """Return an episode whose pictures show its number and theirs, and whose x is the frame's number, in degrees."""
    count = np.arange(frames, dtype=np.float32)
    state = np.stack([np.full_like(count, 50.0), count * 0, count * 0 + episode, count], 1)
    shown = np.stack([painted(episode, frame) for frame in range(frames)])
    return Part(state, state + np.float32([0, 0, 0, 0.5]), {HEAD: shown, WRIST: shown[:, ::-1].copy()})


def painted(episode: int, frame: int, side: int = 64) -> NDArray[np.uint8]:
    """Return a picture of sixteen squares, black or white: four bits of the episode's number, twelve of the frame's."""
    bits = [(episode * 4096 + frame) >> i & 1 for i in range(16)]
    squares = np.array(bits, np.uint8).reshape(4, 4).repeat(side // 4, 0).repeat(side // 4, 1)
    return np.repeat(255 * squares[..., None], 3, 2)


def told(pictures: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Return (episode, frame) of painted pictures."""
    side = pictures.shape[1] // 4
    means = pictures.astype(float).mean(3).reshape(-1, 4, side, 4, side).mean((2, 4)).reshape(-1, 16)
    numbers = ((means > 127.5) * (1 << np.arange(16))).sum(1)
    return [divmod(int(number), 4096) for number in numbers]


def write(
    path: Path, parts: Sequence[Part], version: str = "v3.0", fps: int = 25, gop: int = 2, per_file: int = 2,
    names: object = list(NAMES), codec: str = "libx264", action_names: object = None,
) -> Path:  # fmt: skip
    """Write a set of episodes 0, 1, ... to `path`; v3.0 has `per_file` of them in each parquet file and video.

    The action has the names of the state, unless `action_names` are others.
    """
    (path / "meta").mkdir(parents=True)
    shared = version == "v3.0"
    data = "chunk_index:03d}/file-{file_index" if shared else "episode_chunk:03d}/episode_{episode_index"
    video = "{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}"
    info: dict[str, Any] = {
        "codebase_version": version,
        "robot_type": "toy_follower",
        "fps": fps,
        "total_episodes": len(parts),
        "total_frames": sum(len(part.state) for part in parts),
        "chunks_size": 1000,
        "splits": {"train": f"0:{len(parts)}"},
        "data_path": f"data/chunk-{{{data}:0{3 if shared else 6}d}}.parquet",
        "video_path": f"videos/{video}.mp4"
        if shared
        else "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": features(parts[0], names, names if action_names is None else action_names),
    }
    (path / "meta/info.json").write_text(json.dumps(info))
    (_write_shared if shared else _write_apart)(path, parts, fps, gop, codec, per_file)
    return path


def features(part: Part, names: object, action_names: object) -> dict[str, Any]:
    """Return the features of `info.json`."""
    parts = {STATE: (part.state, names), ACTION: (part.action, action_names)}
    vectors = {
        key: {"dtype": "float32", "shape": [rows.shape[1]], "names": called} for key, (rows, called) in parts.items()
    }
    shape = {"names": ["height", "width", "channels"]}
    videos = {key: {"dtype": "video", "shape": list(seen.shape[1:]), **shape} for key, seen in part.pictures.items()}
    whole = ("frame_index", "episode_index", "index", "task_index")
    numbers = {key: {"dtype": "int64", "shape": [1], "names": None} for key in whole}
    return {**vectors, **videos, **numbers, "timestamp": {"dtype": "float32", "shape": [1], "names": None}}


def film(path: Path, pictures: NDArray[np.uint8], fps: int | Fraction, gop: int, codec: str = "libx264") -> None:
    """Write a video, a keyframe at least every `gop` frames."""
    quality = {"libx264": {"crf": "18"}, "libsvtav1": {"crf": "25", "preset": "12"}, "mpeg4": {"qscale": "2"}}[codec]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={"g": str(gop), **quality})
        stream.height, stream.width, stream.pix_fmt = *pictures.shape[1:3], "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))


def rows(part: Part, episode: int, start: int, fps: int, kind: Any) -> pa.Table:  # noqa: ANN401 - pyarrow has no types
    """Return the frames of an episode as a table; `kind` makes the type of a vector from its width."""
    count = len(part.state)
    frame = np.arange(count)
    vectors = {
        key: pa.array(list(value.astype(np.float32)), kind(value.shape[1]))
        for key, value in ((STATE, part.state), (ACTION, part.action))
    }
    return pa.table(
        {
            **vectors,
            "timestamp": (frame / fps).astype(np.float32),
            "frame_index": frame,
            "episode_index": np.full(count, episode),
            "index": start + frame,
            "task_index": np.zeros(count, np.int64),
        }
    )


def _write_shared(path: Path, parts: Sequence[Part], fps: int, gop: int, codec: str, per_file: int) -> None:
    episodes = []
    for file in range(-(-len(parts) // per_file)):
        mine = range(file * per_file, min((file + 1) * per_file, len(parts)))
        lengths = [len(parts[e].state) for e in mine]
        starts = np.cumsum([0, *lengths])
        tables = [rows(parts[e], e, 0, fps, lambda width: pa.list_(pa.float32(), width)) for e in mine]
        target = path / f"data/chunk-000/file-{file:03d}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(tables), target)
        for key in parts[0].pictures:
            whole = np.concatenate([parts[e].pictures[key] for e in mine])
            film(path / f"videos/{key}/chunk-000/file-{file:03d}.mp4", whole, fps, gop, codec)
        for place, e in enumerate(mine):
            here = {"chunk_index": 0, "file_index": file}
            row = {"episode_index": e, "tasks": list(parts[e].tasks), "length": lengths[place]}
            row |= {f"data/{name}": value for name, value in here.items()}
            for key in parts[0].pictures:
                times = {"from_timestamp": starts[place] / fps, "to_timestamp": starts[place + 1] / fps}
                row |= {f"videos/{key}/{name}": value for name, value in (here | times).items()}
            episodes.append(row)
    target = path / "meta/episodes/chunk-000/file-000.parquet"
    target.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(episodes), target)


def _write_apart(path: Path, parts: Sequence[Part], fps: int, gop: int, codec: str, per_file: int) -> None:
    lines = []
    for e, part in enumerate(parts):
        target = path / f"data/chunk-000/episode_{e:06d}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows(part, e, 0, fps, lambda width: pa.list_(pa.float32())), target)
        for key, pictures in part.pictures.items():
            film(path / f"videos/chunk-000/{key}/episode_{e:06d}.mp4", pictures, fps, gop, codec)
        lines.append(json.dumps({"episode_index": e, "tasks": list(part.tasks), "length": len(part.state)}))
    (path / "meta/episodes.jsonl").write_text("\n".join(lines) + "\n")


def edit_tables(path: Path, change: Callable[[dict[str, list[Any]]], dict[str, list[Any]]]) -> None:
    """Change the columns of every parquet file of frames of a set."""
    for file in sorted((path / "data").rglob("*.parquet")):
        pq.write_table(pa.table(change(pq.ParquetFile(file).read().to_pydict())), file)


def edit_info(path: Path, **changes: object) -> None:
    """Change what a set's `info.json` says."""
    file = path / "meta/info.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def edit_list(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the entry of every episode in the set's list of them."""
    lines = path / "meta/episodes.jsonl"
    if lines.is_file():
        entries = [json.loads(line) for line in lines.read_text().splitlines()]
        lines.write_text("\n".join(json.dumps(change(entry)) for entry in entries) + "\n")
    for file in sorted((path / "meta/episodes").rglob("*.parquet")):
        pq.write_table(pa.Table.from_pylist([change(entry) for entry in pq.ParquetFile(file).read().to_pylist()]), file)


def embed_images(path: Path, parts: Sequence[Part], suffix: str = ".png") -> Path:
    """Put the pictures of a set into its parquet files instead of videos."""
    shutil.rmtree(path / "videos")
    info = json.loads((path / "meta/info.json").read_text())
    for key in parts[0].pictures:
        info["features"][key]["dtype"] = "image"
    edit_info(path, features=info["features"], video_path=None)

    def embed(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        where = list(zip(columns["episode_index"], columns["frame_index"], strict=True))
        for key in parts[0].pictures:
            images = [parts[episode].pictures[key][frame] for episode, frame in where]
            cells = [cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes() for image in images]
            columns[key] = [{"bytes": cell, "path": f"{i}{suffix}"} for i, cell in enumerate(cells)]
        return columns

    edit_tables(path, embed)
    return path
