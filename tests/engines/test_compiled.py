"""Compiled graphs on disk: opened by the next process, and made again if anything is wrong with them."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.arguments import PRECISIONS
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.engines import compiled
from numpyclip.engines.engine import Engine
from numpyclip.engines.selection import ENGINES
from numpyclip.errors import EngineError, InputError, NumPyCLIPError
from numpyclip.runtime import prepared
from numpyclip.runtime.prepared import prepared_files
from tests.families.test_parity import load

IDS = np.array([[94, 3, 5, 95], [94, 7, 95, 0]])
GRAPHS = 2, {"transformers-clip": "3ff8b87d92628486", "open_clip-fastvit": "d5640b059bcd61b8"}  # of which version
CALLS = """
import sys, numpy, numpyclip
model, _ = numpyclip.load(sys.argv[1], activation="quick_gelu", engine=sys.argv[2])
print(model.encode_text(numpy.array([[94, 3, 5, 95], [94, 7, 95, 0]])).tobytes().hex(), "onnx" in sys.modules)
"""


@pytest.fixture
def compilations(engine: str, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The graphs that were compiled, not opened: of each the file to cache it in, if any."""
    made: list[object] = []
    kind = ENGINES[engine]
    compile_ = kind.compile

    def recorded(self: Engine, *arguments: Any) -> Any:
        made.append(arguments[-1])
        return compile_(self, *arguments)

    monkeypatch.setattr(kind, "compile", recorded)
    return made


def embed(path: Path, engine: str) -> Any:
    return numpyclip.load(path, activation="quick_gelu", engine=engine)[0].encode_text(IDS)


def digest(name: str) -> str:
    """That of all graphs of a model: of all but the numbers of their weights, whose last bits vary by processor."""
    onnx = pytest.importorskip("onnx")
    from numpyclip.graph import image_graph, text_graph

    model, found = load(name)[0], hashlib.sha256()
    for precision in PRECISIONS:
        for graph in (
            image_graph(model, precision=precision),
            image_graph(model, precision=precision, pixels="pixel_values"),
            text_graph(model, precision=precision),
        ):
            for tensor in graph.graph.initializer:
                if (tensor.data_type, len(tensor.raw_data)) == (onnx.TensorProto.FLOAT, 4):
                    tensor.raw_data = f"{np.frombuffer(tensor.raw_data, np.float32)[0]:.4g}".encode()
                elif tensor.data_type != onnx.TensorProto.INT64:
                    tensor.ClearField("raw_data")
            found.update(graph.SerializeToString(deterministic=True))
    return found.hexdigest()[:16]


def test_graphs_of_other_nodes_have_another_version() -> None:
    """Else those that earlier versions of NumPyCLIP have compiled would be opened."""
    found = compiled.VERSION, {name: digest(name) for name in GRAPHS[1]}
    assert found == GRAPHS, "graphs have changed: raise compiled.VERSION, and record what was found"


def test_the_next_process_compiles_nothing(path: Path, engine: str, by_engine: CLIP) -> None:
    """Nor does it import what writes graphs."""
    here = by_engine.encode_text(IDS)
    command = [sys.executable, "-c", CALLS, str(path), engine]
    there, imported = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    assert np.abs(np.frombuffer(bytes.fromhex(there), np.float32).reshape(here.shape) - here).max() < 1e-5
    assert imported == "False"


def test_a_graph_is_cached_once_for_each_tower(path: Path, engine: str, compilations: list[object]) -> None:
    first = embed(path, engine)
    assert [file.name.partition("-")[2] for file in prepared_files()] == [f"compiled-v{compiled.VERSION}.bin"]
    assert (embed(path, engine) == first).all()
    assert len(compilations) == 1
    (file,) = prepared_files()
    assert prepared.remove_prepared(file)
    embed(path, engine)
    assert len(compilations) == 2


def test_another_activation_is_another_graph(path: Path, engine: str, compilations: list[object]) -> None:
    first = embed(path, engine)
    other = numpyclip.load(path, activation="gelu", engine=engine)[0].encode_text(IDS)
    assert np.abs(first - other).max() > 1e-4
    assert len(compilations) == 2


@pytest.mark.parametrize("place", [0, 0.5, -1])
def test_a_damaged_file_is_made_again(path: Path, engine: str, compilations: list[object], place: float) -> None:
    first = embed(path, engine)
    (file,) = prepared_files()
    content = bytearray(file.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    file.write_bytes(content)
    assert np.abs(embed(path, engine) - first).max() < 1e-5
    assert len(compilations) == 2
    embed(path, engine)
    assert len(compilations) == 2


OPENS = """
import os, sys
from pathlib import Path
from numpyclip.engines import compiled

def resident(): return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])

file, before = Path(sys.argv[1]), resident()
file.touch()
os.truncate(file, 2**26)
compiled._seal(file, b"graph", file.name)
cached = compiled._read(file)
print(len(cached.weights), cached.graph, resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux's /proc")
def test_opening_a_file_needs_no_memory_for_its_weights(tmp_path: Path) -> None:
    """Engines map what they need of it, which for ONNX Runtime is half."""
    command = [sys.executable, "-c", OPENS, str(tmp_path / "graph")]
    size, graph, kibibytes = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    assert (int(size), graph) == (2**26, "b'graph'")
    assert int(kibibytes) < 2**26 / 1024 / 2


@pytest.mark.parametrize("size", [0, 20, 1000])
def test_a_truncated_file_is_made_again(path: Path, engine: str, compilations: list[object], size: int) -> None:
    first = embed(path, engine)
    (file,) = prepared_files()
    os.truncate(file, size)
    assert np.abs(embed(path, engine) - first).max() < 1e-5
    assert len(compilations) == 2


def test_a_file_that_the_runtime_refuses_is_made_again(path: Path, engine: str, compilations: list[object]) -> None:
    first = embed(path, engine)
    kind = ENGINES[engine]

    with pytest.MonkeyPatch.context() as patch:
        open_ = kind.open
        refusals = iter([EngineError("of another driver")])

        def open_later(self: Engine, *arguments: Any) -> Any:
            for error in refusals:
                raise error
            return open_(self, *arguments)

        patch.setattr(kind, "open", open_later)
        assert np.abs(embed(path, engine) - first).max() < 1e-5
    assert len(compilations) == 2
    embed(path, engine)
    assert len(compilations) == 2


def test_a_runtime_that_opens_nothing_compiles_it_for_each_process(
    path: Path, engine: str, by_numpy: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = ENGINES[engine]

    def refuse(*_: object) -> None:
        raise EngineError("cannot open graphs")

    monkeypatch.setattr(kind, "open", refuse)
    assert np.abs(embed(path, engine) - by_numpy.encode_text(IDS)).max() < 1e-5
    assert prepared_files() == []


def test_the_file_of_another_user_is_not_opened(
    path: Path, engine: str, compilations: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    embed(path, engine)
    monkeypatch.setattr(compiled, "is_trusted", lambda status: False)
    embed(path, engine)
    assert len(compilations) == 2
    assert len(prepared_files()) == 1


def test_without_a_cache_nothing_is_cached(
    path: Path, engine: str, compilations: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMPYCLIP_CACHE", "0")
    assert (embed(path, engine) == embed(path, engine)).all()
    assert len(compilations) == 2


def test_what_cannot_be_cached_is_written_to_the_folder_of_the_cache(
    path: Path, engine: str, by_numpy: CLIP, compilations: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of temporary files may be in memory, and nobody removes what a killed process leaves there."""
    monkeypatch.setattr(ENGINES[engine], "can_cache", False)
    monkeypatch.setattr("tempfile.tempdir", "nowhere")
    assert np.abs(embed(path, engine) - by_numpy.encode_text(IDS)).max() < 1e-5
    assert compilations == [None]
    folder = prepared.prepared_folder()
    assert folder is not None
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_no_error(
    path: Path, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    monkeypatch.setenv("NUMPYCLIP_CACHE", str(tmp_path / "closed" / "cache"))
    embed(path, engine)


def test_a_full_disk_is_no_error(
    path: Path, engine: str, by_numpy: CLIP, compilations: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compiled, "_seal", fail)
    assert np.abs(embed(path, engine) - by_numpy.encode_text(IDS)).max() < 1e-5
    assert prepared_files() == []
    assert len(compilations) == 2


def test_an_engine_that_cannot_write_compiles_without_a_cache(
    path: Path, engine: str, by_numpy: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = ENGINES[engine]
    compile_ = kind.compile

    def without_room(self: Engine, graph: Path, threads: int, cache: Path | None) -> Any:
        if cache is not None:
            raise EngineError(f"{engine} on cpu: No space left on device")
        return compile_(self, graph, threads, cache)

    monkeypatch.setattr(kind, "compile", without_room)
    assert np.abs(embed(path, engine) - by_numpy.encode_text(IDS)).max() < 1e-5
    assert prepared_files() == []


def test_a_disk_without_room_for_the_graph_is_no_error(
    path: Path, engine: str, by_numpy: CLIP, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = compiled._written

    def without_room(make: Any, folder: Path) -> Any:
        if tmp_path in folder.parents:  # where the cache is
            raise NumPyCLIPError(f"{folder}: cannot be written (No space left on device).") from OSError(28, "")
        return written(make, folder)

    monkeypatch.setattr(compiled, "_written", without_room)
    assert np.abs(embed(path, engine) - by_numpy.encode_text(IDS)).max() < 1e-5


def test_an_error_of_a_graph_is_raised(path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise EngineError("no such operator")

    monkeypatch.setattr(ENGINES[engine], "compile", refuse)
    with pytest.raises(EngineError, match="no such operator"):
        embed(path, engine)


@pytest.mark.parametrize("room", [800_000, 1_000_000])  # the graph has 430,080 bytes of weights, the file more
def test_what_would_fill_half_the_room_is_compiled_once_and_not_cached(
    path: Path, engine: str, by_numpy: CLIP, compilations: list[object], monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(compiled, "CACHE_BYTES", room)
    assert np.abs(embed(path, engine) - by_numpy.encode_text(IDS)).max() < 1e-5
    assert prepared_files() == []
    assert [cache is None for cache in compilations] == [room == 800_000]


def test_a_tower_without_a_graph_is_refused_by_name(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InputError("ModifiedResNet: has no graph.")

    monkeypatch.setattr("numpyclip.graph.image_graph", refuse)
    model, _ = numpyclip.load("tiny", engine=engine)
    with pytest.raises(InputError, match="ModifiedResNet"):
        model.encode_image(np.zeros((1, 64, 64, 3), np.uint8))


def test_cached_graphs_count_in_the_limit_of_the_cache(
    path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = numpyclip.load(path, activation="quick_gelu", engine=engine)
    model.encode_image(np.zeros((1, 32, 32, 3), np.uint8))
    (file,) = prepared_files()
    monkeypatch.setattr(prepared, "CACHE_BYTES", file.stat().st_size + 1)
    model.encode_text(IDS)
    (other,) = prepared_files()
    assert other != file
