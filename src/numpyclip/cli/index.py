"""`numpyclip index`: index images for search, or update the index."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpyclip.cli.calibrate import read_queries, run_calibrate
from numpyclip.cli.inputs import Reporter, progress, texts_in
from numpyclip.cli.options import add_decoding_option, add_file_options, add_views_option, decode_options
from numpyclip.cli.outputs import counted, print_columns, print_json, say
from numpyclip.cli.parts import shard
from numpyclip.cli.stores import add_store_options, dimensions, load_remembered, place_of, remember_model
from numpyclip.cli.updates import update, watch
from numpyclip.errors import InputError
from numpyclip.images.views import CROP
from numpyclip.index.model_options import MODEL_OPTIONS, remembered_options
from numpyclip.index.vectors.shards import VECTOR_DTYPES

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.index import Index
    from numpyclip.index.store import Store

EXAMPLES = """\
  numpyclip index photos/
  numpyclip index                                     # updates all folders of the index
  numpyclip index --watch                             # whenever files change; needs: pip install "numpyclip[watch]"
  numpyclip index docs/pictures -m tiny --store pictures.index
  numpyclip index photos/ --ignore "*.tif" --ignore raw
  numpyclip index --views crop,tiles                  # also embeds what the crop of long images cuts off
  numpyclip index --texts captions.txt                # found by: search --near photo.jpg --in texts
  numpyclip index --migrate -m ViT-L/14               # the same images, with another model
  numpyclip index --export embeddings/                # img_emb/*.npy and metadata/*.parquet, for autofaiss and others
  numpyclip index --import embeddings/ -m ViT-B/32    # of --export, or of clip-retrieval
  numpyclip index --graph                             # above a million images
  numpyclip index --calibrate queries.csv             # fits probabilities to these images
  numpyclip index --check                             # finds damage and repairs it
  numpyclip index --list

Files of unchanged size and modification time are skipped; moved, renamed and copied ones are identified by their
content. Deleted files are removed from the index, but not if a whole folder is missing or empty, which may be an
unmounted disk; their embeddings stay until --compact. Symbolic links to directories are not followed, hidden files and
folders and archives are left alone. Videos need: pip install "numpyclip[video]". --store postgresql://... keeps the
index in PostgreSQL.

It can be stopped at any time: finished batches are kept, and the next call continues. Searches may run meanwhile."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("items", metavar="FOLDER", nargs="*", help="a folder to add; none: update all folders")
    command.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="GLOB",
        help="skip files and folders of this name; /NAME: only directly in FOLDER",
    )
    add_decoding_option(command)
    add_file_options(command)
    add_views_option(command, "those of the index, else crop")
    command.add_argument(
        "--animations",
        action=argparse.BooleanOptionalAction,
        help="embed moments of new animated images, as of videos, not their first frame; recorded",
    )
    command.add_argument(
        "--vectors",
        choices=VECTOR_DTYPES,
        help="of a new index: dtype of the first search pass; less memory, same results (default: float32)",
    )
    command.add_argument(
        "--mix-precisions",
        action="store_true",
        help="add embeddings in another precision; the index records both, and no command reuses its embeddings",
    )
    action = command.add_mutually_exclusive_group()
    action.add_argument("--watch", action="store_true", help="keep updating when files change, until Ctrl-C")
    action.add_argument("--texts", metavar="FILE", help="add texts, one per line, or - for standard input")
    action.add_argument("--migrate", action="store_true", help="re-embed everything with another model, --model")
    action.add_argument("--forget", metavar="FOLDER", help="remove a folder from the index, and keep it out")
    action.add_argument("--compact", action="store_true", help="delete embeddings of images without a file")
    action.add_argument("--export", metavar="FOLDER", help="write embeddings and metadata as clip-retrieval does")
    action.add_argument(
        "--import", metavar="FOLDER", dest="source", help="add such embeddings, or those of `embed`; also from a URL"
    )
    command.add_argument(
        "--shard", type=shard, metavar="I/N", help="--import only files whose number modulo N is I, from 0"
    )
    action.add_argument("--graph", action="store_true", help="build an HNSW index: approximate, for millions of images")
    action.add_argument("--no-graph", action="store_true", help="remove the HNSW index")
    action.add_argument("--check", action="store_true", help="find what is damaged, and repair it")
    action.add_argument(
        "--calibrate", metavar="FILE", help="fit probabilities to a CSV file: query, path or folder of right images"
    )
    action.add_argument("--no-calibration", action="store_true", help="go back to the default probabilities")
    action.add_argument("--list", action="store_true", help="print what the index holds")
    action.add_argument("--problems", action="store_true", help="print files that cannot be read, and why")
    command.add_argument("--json", action="store_true", help="print JSON")
    add_store_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for with the index."""
    from numpyclip.index import Index
    from numpyclip.index.open_store import open_store

    needs_no_model = _without_model(arguments)
    if arguments.shard is not None and arguments.source is None:
        raise InputError("--shard: is only for --import.")
    adds_otherwise = arguments.texts is not None or arguments.source is not None
    has_other_action = arguments.check or arguments.migrate or arguments.calibrate is not None
    if needs_no_model or has_other_action or adds_otherwise:
        _refuse_folders(arguments)
    if arguments.check:
        return _check(arguments)
    _check_folders(arguments)
    queries = None if arguments.calibrate is None else read_queries(arguments.calibrate)
    create = bool(arguments.items) or adds_otherwise
    with closing(open_store(place_of(arguments), create=create, vectors=arguments.vectors)) as store:
        if needs_no_model is not None:
            return needs_no_model(arguments, store)
        model = load_remembered(arguments, store, must_fit=not arguments.migrate, migrating=arguments.migrate)
        if arguments.migrate:
            return _migrate(arguments, store, model)
        index = Index(store, model, mix_precisions=arguments.mix_precisions)
        remember_model(arguments, store, model.fingerprint)
        return _with_model(arguments, index) if queries is None else run_calibrate(arguments, index, queries)


def _with_model(arguments: argparse.Namespace, index: Index) -> int:
    if arguments.source is not None:
        return _import(arguments, index)
    if arguments.texts is None:
        return watch(arguments, index) if arguments.watch else update(arguments, index)
    added = index.add_texts(progress(texts_in(arguments.texts), "text", printing=False))
    _say(arguments, {"added": added}, f"{added} new texts")
    return 0


def _refuse_folders(arguments: argparse.Namespace) -> None:
    """Raise InputError for what is only for folders of images."""
    if arguments.items:
        raise InputError(f"{arguments.items[0]}: FOLDER cannot be combined with this option.")
    for option in ("views", "animations"):
        if getattr(arguments, option) is not None:
            raise InputError(f"--{option}: is for images in folders, and cannot be combined with this option.")


def _check_folders(arguments: argparse.Namespace) -> None:
    """Find out what keeps folders from being indexed before an index is made, and a model loaded."""
    from numpyclip.index.watching import watcher
    from numpyclip.index.where import existing_folder

    if arguments.ignore and not arguments.items:
        raise InputError("--ignore has nothing to do; expected a FOLDER, whose files it leaves out.")
    for folder in arguments.items:
        existing_folder(folder)
    if arguments.watch:
        watcher()


def _without_model(arguments: argparse.Namespace) -> Callable[[argparse.Namespace, Store], int] | None:
    """Return what does one of the actions that need no model, if it was asked for."""
    actions = {
        _graph: arguments.graph,
        _remove_graph: arguments.no_graph,
        _remove_calibration: arguments.no_calibration,
        _export: arguments.export is not None,
        _forget: arguments.forget is not None,
        _compact: arguments.compact,
        _problems: arguments.problems,
        _list: arguments.list,
    }
    return next((action for action, is_wanted in actions.items() if is_wanted), None)


def _import(arguments: argparse.Namespace, index: Index) -> int:
    from numpyclip.destinations.read import missing_parts
    from numpyclip.index.importing import import_embeddings

    report, missing = Reporter(), missing_parts(arguments.source)
    if missing:
        say(f"{arguments.source}: {missing} of its parts are not there yet; what is there is imported.")
    new = import_embeddings(
        index,
        arguments.source,
        lambda files: progress(files, "file", printing=False),
        report,
        arguments.shard or (0, 1),
    )
    if index.store.model_name is None and (found := index.store.fingerprint):  # new, and of precisions that are mixed
        remember_model(arguments, index.store, found)
    _say(
        arguments,
        {"imported": new, "unreadable": report.count, "missing_parts": missing},
        f"{new:,} new; what the index has already stays as it is",
    )
    return 3 if report.count or missing else 0


def _migrate(arguments: argparse.Namespace, store: Store, model: CLIP) -> int:
    from numpyclip.index.migrate import migrate

    report = Reporter()
    with store.writing():
        steps = migrate(store, model, batch_size=arguments.batch_size, options=decode_options(arguments), report=report)
        done = sum(progress(steps, "batch", printing=False)) - report.count
    remember_model(arguments, store, model.fingerprint)
    _say(arguments, {"migrated": done, "lost": report.count}, f"{done} re-embedded")
    return 3 if report.count else 0


def _graph(arguments: argparse.Namespace, store: Store) -> int:
    from numpyclip.index.vectors import LEAST_RECALL
    from numpyclip.index.vectors.recall import QUERIES

    found = store.build_hnsw(lambda steps: progress(steps, "step", printing=False))
    record = {
        "recall": found.images,
        "recall_of_texts": found.texts,
        "n": found.n,
        "queries": found.queries,
        "candidates": found.candidates,
    }
    said = (
        f"recall@{found.n} {found.images:.1%} for images, {found.texts:.1%} for texts, on {found.queries} of each, "
        f"with {found.candidates:,} candidates"
    )
    if found.queries < QUERIES:
        said += ": too few images to tell"
    if not found.is_good:
        said += f"; below {LEAST_RECALL:.0%}, so there is no graph, and searches stay exhaustive"
    _say(arguments, {**record, "used": found.is_good}, said)
    return 0 if found.is_good else 1


def _remove_graph(arguments: argparse.Namespace, store: Store) -> int:
    removed = store.remove_hnsw()
    _say(arguments, {"removed": removed}, "removed" if removed else "there is no HNSW index")
    return 0 if removed else 1


def _remove_calibration(arguments: argparse.Namespace, store: Store) -> int:
    from numpyclip.index.stored_calibration import remove_calibration

    removed = remove_calibration(store)
    _say(arguments, {"removed": removed}, "removed" if removed else "there is no calibration")
    return 0 if removed else 1


def _export(arguments: argparse.Namespace, store: Store) -> int:
    from numpyclip.index.exporting import export_embeddings

    folder = Path(arguments.export)
    written = export_embeddings(store, folder, lambda matches: progress(matches, "image", printing=False))
    _say(arguments, {"exported": written}, f"{written} exported to {folder}")
    return 0


def _forget(arguments: argparse.Namespace, store: Store) -> int:
    with store.writing():
        before = store.folders()
        forgotten = store.forget_folder(arguments.forget)
        has_changed = forgotten or store.folders() != before
    _say(arguments, {"forgotten": forgotten}, f"{counted(forgotten, 'file')} removed from the index")
    return 0 if has_changed else 1


def _compact(arguments: argparse.Namespace, store: Store) -> int:
    with store.writing():
        dropped = store.compact()
    _say(arguments, {"dropped": dropped}, f"embeddings of {counted(dropped, 'image')} deleted")
    return 0


def _problems(arguments: argparse.Namespace, store: Store) -> int:
    for path, problem in store.problems():
        if arguments.json:
            print_json({"path": path, "problem": problem})
        else:
            print_columns(path, problem)
    return 0


def _list(arguments: argparse.Namespace, store: Store) -> int:
    from numpyclip.index.stored_calibration import is_calibrated

    counts, folders = dataclasses.asdict(store.counts()), store.folders()
    options, found = remembered_options(store), store.fingerprint
    precision = None if found is None else found.precision
    if arguments.json:
        about: dict[str, Any] = {**dict.fromkeys(MODEL_OPTIONS), **options, "precision": precision}
        about["truncate_dim"] = dimensions(options)
        about["calibrated"] = is_calibrated(store)
        about["views"] = store.views
        print_json({"store": store.place, **about, **counts, "folders": folders})
        return 0
    if precision not in (None, "float32"):
        options["precision"] = precision
    if store.views != CROP:
        options["views"] = ",".join(store.views)
    model = ", ".join(f"{key.replace('_', '-')} {value}" for key, value in options.items()) or (
        "no model yet" if found is None else "model of Python"
    )
    model += ", calibrated" if is_calibrated(store) else ""
    print_columns(f"{store.place}: {model}, " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    for folder, ignored in folders.items():
        print_columns(folder, *(f"without {pattern}" for pattern in ignored))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from numpyclip.index.repair import check_index

    problems = check_index(place_of(arguments), lambda steps: progress(steps, "step", printing=False))
    _say(arguments, {"problems": problems}, "; ".join(problems) or "nothing is damaged")
    return 1 if problems else 0


def _say(arguments: argparse.Namespace, record: dict[str, Any], text: str) -> None:
    if arguments.json:
        print_json(record)
    else:
        say(text)
