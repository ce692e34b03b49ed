"""A process that reads tokenizers, so that a native package that ends it is seen: ``with Child() as child: ...``."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

TEXTS = ["a photo of  the class. \u00e9\ufb01\u2460 Q", "a" * 3000, "class " * 500, "\u4e2d" * 500, "\ud800\0 \x1b", ""]
MEMORY, SECONDS = 3 << 30, 20


class Child:
    """Read folders one after another in a process of limited memory; a new one follows one that ended."""

    def __enter__(self) -> "Child":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _start(self) -> None:
        self._process: subprocess.Popen[Any] = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def read(self, folder: Path) -> str:
        """Read a folder; return "read", "refused: ..." with the message, or what else happened."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()
        if answer := self._process.stdout.readline():
            return str(answer).rstrip("\n")
        code = self._process.wait()
        self.__exit__()
        self._start()
        return f"the process ended with {code}"


def _read(folder: Path) -> str:
    from numpyclip.errors import CheckpointError, InputError
    from numpyclip.tokenizer.hugging_face import TokenizerRules, hugging_face_tokenizer, open_clip_file_tokenizer

    answers = []
    makes: tuple[Callable[[], Any], ...] = (
        lambda: open_clip_file_tokenizer(folder, "", "lower", strip_sep_token=False),
        lambda: hugging_face_tokenizer(folder, TokenizerRules("SiglipTokenizer", lower=True)),
    )
    for make in makes:
        try:
            tokenizer = make()
            tokenizer(TEXTS, 16, True)
            with suppress(InputError):  # not all of them need be there
                tokenizer.decode([1, 2, 3])
            answers.append("read")
        except CheckpointError as error:
            answers.append(f"refused: {error}")
        except Exception as error:
            return f"failed with {error!r}"
    return max(answers)


def main() -> None:
    """Answer each line of stdin, the path of a folder, by one of stdout."""
    import resource
    import signal

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for line in sys.stdin:
        signal.alarm(SECONDS)
        print(ascii(_read(Path(line.rstrip("\n"))))[1:-1], flush=True)
        signal.alarm(0)


if __name__ == "__main__":
    main()
