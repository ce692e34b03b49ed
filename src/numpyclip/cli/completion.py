"""`numpyclip completion`: print a completion script for the shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from numpyclip.cli import commands
from numpyclip.cli.outputs import write
from numpyclip.errors import InputError

EXAMPLES = """\
  numpyclip completion bash >> ~/.local/share/bash-completion/completions/numpyclip
  source <(numpyclip completion zsh)                  # in ~/.zshrc, after compinit
  numpyclip completion fish > ~/.config/fish/completions/numpyclip.fish
  numpyclip completion words -- index --vectors f     # what the last word can become, for other shells

Where a word is neither a command, an option, a choice nor the name of a model, the shell completes names of files."""

SHELLS = {
    "bash": """\
_numpyclip() {
    local IFS=$'\\n'
    COMPREPLY=($("${1/#\\~/$HOME}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//@}  # which is in names of models
complete -o bashdefault -o default -F _numpyclip numpyclip
""",
    "zsh": """\
#compdef numpyclip
_numpyclip() {
    local -a found
    found=(${(f)"$("${words[1]/#\\~/$HOME}" completion words -- "${(@)words[2,CURRENT]}" 2> /dev/null)"})
    if (( $#found )); then compadd -- $found; else compset -P '--*='; _files; fi
}
compdef _numpyclip numpyclip
""",
    "fish": """\
function __numpyclip
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set words[1] (string replace -r '^~' $HOME -- $words[1])
    $words[1] completion words -- $words[2..-1] "$last" 2> /dev/null
end
complete -c numpyclip -a '(__numpyclip)'
""",
}
_MODELS = ("model", "text_model")
_ITEMS_ARE_MODELS = ("numpyclip models", "numpyclip convert", "numpyclip export")


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("items", metavar="SHELL", nargs="*", help="bash, zsh or fish")
    command.set_defaults(nothing=f"name a shell: {', '.join(SHELLS)}")


def run(arguments: argparse.Namespace) -> int:
    """Print the script of a shell, or what a word can become."""
    shell, *words = arguments.items
    if shell == "words":
        found = candidates(words)
        write("".join(f"{word}\n" for word in found))
        return 0 if found else 1
    if shell not in SHELLS or words:
        raise InputError(f"{' '.join(arguments.items)}: is not a known shell; expected {', '.join(SHELLS)}.")
    write(SHELLS[shell])
    return 0


def candidates(words: Sequence[str]) -> list[str]:
    """Return what the last of the words after `numpyclip` can become; nothing where it may be the name of a file."""
    last = words[-1] if words and words[-1] != "=" else ""
    before = [word for word in words[:-1] if word != "="]  # which for bash is a word of its own
    if "--" in before:
        return []
    command: argparse.ArgumentParser = commands.parser(next((word for word in before if not word.startswith("-")), ""))
    for word in before:
        command = _within(command).get(word, command)
    option, equals, value = last.partition("=")
    if equals and option.startswith("--"):
        return [f"{option}={found}" for found in _beginning(value, _values(command, option))]
    if before and (action := command._option_string_actions.get(before[-1])) is not None and action.nargs != 0:
        return _beginning(last, _values(command, before[-1]))
    if last.startswith("-"):
        return _beginning(last, command._option_string_actions)
    choices = [str(word) for action in command._actions if not action.option_strings for word in action.choices or ()]
    return _beginning(last, choices + (_models() if command.prog in _ITEMS_ARE_MODELS else []))


def _within(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands in a command."""
    found = (action.choices for action in command._actions if isinstance(action, argparse._SubParsersAction))
    return next(found, {})


def _values(command: argparse.ArgumentParser, option: str) -> Iterable[str]:
    """List the values of an option; none where they are files or anything else."""
    action = command._option_string_actions.get(option)
    if action is None:
        return ()
    return _models() if action.dest in _MODELS else map(str, action.choices or ())


def _models() -> list[str]:
    from numpyclip.weights.catalogue import available_models

    return available_models()


def _beginning(start: str, words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(start))
