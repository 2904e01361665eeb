"""Finds the code that shell commands, and sources in other languages than Python, use."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass, field

from .paths import Known, is_code

_QUOTED = re.compile(r"""(["'])([^"'\n]{1,300}?)\1""")
_R_SOURCE = re.compile(r"""\bsource\(\s*(?:file\s*=\s*)?([^"'\s)][^,)]*)""")
_R_FOLDER = re.compile(r"""\b(?:setwd|cd)\(\s*(["'])([^"'\n]+)\1""")
# a variable at the beginning of a path is nearly always the script's folder
_LEADING_VARIABLE = re.compile(r"""^(?:\$\{?\w+\}?|\$\(.*\)|`[^`]*`)/""")
_PYTHON = re.compile(r"^(?:.*/)?python[\d.]*$")


@dataclass(frozen=True)
class FileUse:
    """A file that a source refers to.

    Attributes:
        explicit: whether the source certainly runs or reads it, so that its absence is reported.
        names: other names to try, for example with a suffix added.
    """

    path: Known
    explicit: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModuleUse:
    """A module that a source imports.

    Attributes:
        level: number of dots before its name.
        names: imported from it; they may be modules too.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()


@dataclass
class Uses:
    """The code that one source uses.

    Attributes:
        bases: folders in which it looks for modules and files, besides its working directory.
        written: files that it writes itself; these are not part of the project's code.
        unknown: one phrase for each use that is known only at run time.
    """

    files: list[FileUse] = field(default_factory=list)
    modules: list[ModuleUse] = field(default_factory=list)
    bases: list[Known] = field(default_factory=list)
    written: list[Known] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def file(self, text: str, *names: str, explicit: bool = False) -> None:
        """Add a file by its path as written."""
        self.files.append(FileUse(Known(text), explicit, names))


def shell_uses(text: str, uses: Uses) -> None:
    """Add the code that shell commands use."""
    for line in text.replace("\\\n", " ").split("\n"):
        _shell_line(_words(line), uses)


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        # a later line closes the quote
        return line.split()


def _shell_line(words: list[str], uses: Uses) -> None:
    for position, word in enumerate(words):
        before = words[position - 1] if position else ""
        if before in ("source", ".") and _begins(words, position - 1):
            _shell_file(word, uses, explicit=True)
        elif before in (">", ">>", "tee") and is_code(word):
            uses.written.append(Known(word))
        elif before == "cd" and not word.startswith(("$", "-", "~")):
            uses.bases.append(Known(word))
        elif before == "-m" and any(_PYTHON.match(earlier) for earlier in words[:position]):
            uses.modules.append(ModuleUse(word))
        elif is_code(word):
            _shell_file(
                word, uses, explicit=before in ("bash", "sh", "Rscript", "julia") or bool(_PYTHON.match(before))
            )
        elif word == "papermill" or (word == "nbconvert" and "--execute" in words):
            uses.files.extend(
                FileUse(Known(later), explicit=True)
                for later in [later for later in words[position:] if later.endswith(".ipynb")][:1]
            )
        elif word.startswith(("./", "../")) and _begins(words, position):
            uses.file(word)


def _begins(words: list[str], position: int) -> bool:
    """Whether a command begins at a position."""
    return position == 0 or words[position - 1] in (";", "&&", "||", "|", "(", "{", "then", "do", "else")


def _shell_file(word: str, uses: Uses, *, explicit: bool) -> None:
    rest = _LEADING_VARIABLE.sub("", word)
    if any(sign in rest for sign in "$*{`"):
        if explicit:
            uses.unknown.append(f"“{word}” is known only when it runs")
        return
    uses.file(rest, explicit=explicit)


def quoted_uses(text: str, uses: Uses) -> None:
    """Add the code that R, Julia, SQL or a template uses: all quoted texts that look like a code file's name."""
    for _, found in _QUOTED.findall(text):
        if is_code(found):
            uses.file(found)
    uses.bases.extend(Known(folder) for _, folder in _R_FOLDER.findall(text))
    uses.unknown.extend(
        f"source({what.strip()}) is known only when it runs"
        for what in _R_SOURCE.findall(text)
        if not _QUOTED.search(what)
    )


def language_uses(text: str, language: str) -> Uses:
    """The code that a source in a language other than Python uses."""
    uses = Uses()
    if language in ("bash", "sh", "zsh", "shell"):
        shell_uses(text, uses)
    else:
        quoted_uses(text, uses)
    return uses


def language_of_file(path: str) -> str:
    """Language of a file, judged by its name."""
    suffix = posixpath.splitext(path)[1].lower()
    return {".py": "python", ".ipynb": "notebook", ".sh": "bash", ".bash": "bash"}.get(suffix, suffix.lstrip("."))
