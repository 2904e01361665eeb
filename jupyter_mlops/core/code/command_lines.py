"""What command lines, and source in other languages than Python, read as code."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass, field

from .paths import Known, is_code

_QUOTED = re.compile(r"""(["'])([^"'\n]{1,300}?)\1""")
_R_SOURCE = re.compile(r"""\bsource\(\s*(?:file\s*=\s*)?([^"'\s)][^,)]*)""")
_R_FOLDER = re.compile(r"""\b(?:setwd|cd)\(\s*(["'])([^"'\n]+)\1""")
# a variable that begins a path is nearly always the script's own folder
_LEADING_VARIABLE = re.compile(r"""^(?:\$\{?\w+\}?|\$\(.*\)|`[^`]*`)/""")
_PYTHON = re.compile(r"^(?:.*/)?python[\d.]*$")


@dataclass(frozen=True)
class FileUse:
    """A file that source names.

    Attributes:
        explicit: whether source certainly runs or reads it, so that its absence is worth a word.
        names: what else it may be called, such as with a suffix behind it.
    """

    path: Known
    explicit: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModuleUse:
    """A module that source imports.

    Attributes:
        level: how many dots stand before its name.
        names: what is taken from it, which may be modules, too.
    """

    module: str
    level: int = 0
    names: tuple[str, ...] = ()


@dataclass
class Uses:
    """What one source reads as code.

    Attributes:
        bases: folders where it looks for modules and files, beside the one it runs in.
        written: files that it writes itself; they are no code of the project.
        unknown: what is known only when it runs, one phrase each.
    """

    files: list[FileUse] = field(default_factory=list)
    modules: list[ModuleUse] = field(default_factory=list)
    bases: list[Known] = field(default_factory=list)
    written: list[Known] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def file(self, text: str, *names: str, explicit: bool = False) -> None:
        """Note a file by its path as it is written."""
        self.files.append(FileUse(Known(text), explicit, names))


def shell_uses(text: str, uses: Uses) -> None:
    """Note what lines of a shell read as code."""
    for line in text.replace("\\\n", " ").split("\n"):
        words = _words(line)
        _shell_line(words, uses)


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        # a quote that a later line closes
        return line.split()


def _shell_line(words: list[str], uses: Uses) -> None:
    for position, word in enumerate(words):
        before = words[position - 1] if position else ""
        begins = not position or before in (";", "&&", "||", "|", "(", "{", "then", "do", "else")
        if before in ("source", ".") and (position == 1 or _begins(words, position - 1)):
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
        elif begins and word.startswith(("./", "../")):
            uses.file(word)


def _begins(words: list[str], position: int) -> bool:
    return words[position - 1] in (";", "&&", "||", "|", "(", "{", "then", "do", "else")


def _shell_file(word: str, uses: Uses, *, explicit: bool) -> None:
    rest = _LEADING_VARIABLE.sub("", word)
    if any(sign in rest for sign in "$*{`"):
        if explicit:
            uses.unknown.append(f"“{word}” is known only when it runs")
        return
    uses.file(rest, explicit=explicit)


def quoted_uses(text: str, uses: Uses) -> None:
    """Note what R, Julia, SQL or a template reads as code: whatever it quotes that is named as code is."""
    for _, found in _QUOTED.findall(text):
        if is_code(found):
            uses.file(found)
    uses.bases.extend(Known(folder) for _, folder in _R_FOLDER.findall(text))
    uses.unknown.extend(
        f"source({what.strip()}) is known only when it runs"
        for what in _R_SOURCE.findall(text)
        if not _QUOTED.search(what)
    )


def language_uses(text: str, language: str, uses: Uses) -> None:
    """Note what source of a language other than Python reads as code."""
    if language in ("bash", "sh", "zsh", "shell"):
        shell_uses(text, uses)
    else:
        quoted_uses(text, uses)


def language_of_file(path: str) -> str:
    """Language of a file by its name."""
    suffix = posixpath.splitext(path)[1].lower()
    return {".py": "python", ".ipynb": "notebook", ".sh": "bash", ".bash": "bash"}.get(suffix, suffix.lstrip("."))
