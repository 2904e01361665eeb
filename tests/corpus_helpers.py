"""The corpus: how its notebooks are read, executed by plain papermill, and made comparable.

A file of ``tests/corpus`` is one notebook. Its first line says what it is about; lines such as ``# needs: torch``
declare something; ``# %%`` begins a cell, with ``markdown``, ``raw`` or tags behind it, and ``# %% file NAME`` a
file that lies in the notebook's folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sysconfig
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

CORPUS = Path(__file__).parent / "corpus"
_DECLARED = re.compile(r"# (kernel|needs|parameters|fresh|dies): (.*)")


@dataclass
class Entry:
    """One notebook of the corpus.

    Attributes:
        kernel: ``other`` is one of a virtual environment in which the modules of ``importable`` are installed.
        needs: a package without which it has nothing to show.
        fresh: what the run says of why a warm kernel must not be used for it.
        dies: whether its kernel ends without a word.
    """

    name: str
    about: str = ""
    kernel: str = "python3"
    needs: str = ""
    fresh: str = ""
    dies: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    cells: list[Any] = field(default_factory=list)

    def write(self, folder: Path) -> Path:
        """Lay the notebook and its files into an empty folder; the notebook's path."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        kernelspec = {"name": self.kernel, "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=self.cells, metadata={"kernelspec": kernelspec, "own": {"kept": 1}})
        nbformat.write(notebook, folder / "notebook.ipynb")
        return folder / "notebook.ipynb"


def read_entry(path: Path) -> Entry:
    """Read a notebook of the corpus."""
    head, *parts = re.split(r"^# %%", path.read_text(), flags=re.MULTILINE)
    first, *declared = head.strip().splitlines()
    entry = Entry(path.stem, about=first.removeprefix("# "))
    for line in declared:
        found = _DECLARED.fullmatch(line)
        assert found, f"{path.name}: {line}"
        setattr(entry, found[1], json.loads(found[2]) if found[1] == "parameters" else found[2])
    for number, part in enumerate(parts):
        title, _, body = part.partition("\n")
        title = title.strip()
        if title.startswith("file "):
            entry.files[title.removeprefix("file ")] = body
            continue
        tags = title.strip("[]").split(", ") if title.startswith("[") else []
        kind = title or "code" if not tags else "code"
        make = getattr(nbformat.v4, f"new_{kind}_cell")
        entry.cells.append(make(body.rstrip("\n"), id=f"c{number}", metadata={"tags": tags} if tags else {}))
    return entry


ENTRIES = {path.stem: read_entry(path) for path in sorted(CORPUS.glob("*.py"))}


def install_other_kernel(folder: Path) -> None:
    """Make a virtual environment with the corpus's own modules, and a kernel of it; ``folder`` is for JUPYTER_PATH.

    ipykernel and all else it finds in the environment of the tests.
    """
    venv.create(folder / "venv", symlinks=True)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    shutil.copytree(CORPUS / "importable", packages, dirs_exist_ok=True)
    (packages / "tests.pth").write_text(sysconfig.get_paths()["purelib"])
    (folder / "kernels" / "other").mkdir(parents=True)
    argv = [str(folder / "venv" / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Other", "language": "python"}
    (folder / "kernels" / "other" / "kernel.json").write_text(json.dumps(spec))


def papermill_alone(
    notebook: str, kernel: str, output: str, log: str, parameters: dict[str, Any], environ: dict[str, str]
) -> list[str]:
    """Execute a notebook as a person would with papermill, in a process that does nothing else.

    Args:
        log: takes what the kernel's process itself prints.

    Returns:
        Name and text of the error that ended it, or nothing.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError

    os.environ.clear()
    os.environ.update(environ)
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)

    def execute() -> None:
        papermill.execute_notebook(
            notebook,
            output,
            parameters,
            kernel_name=kernel,
            cwd=str(Path(notebook).parent),
            progress_bar=False,
            execution_timeout=60,
        )

    try:
        try:
            execute()
        except RuntimeError as error:
            # its ports are free when they are chosen, and may be another's when the kernel takes them
            if "died before replying to kernel_info" not in str(error):
                raise
            execute()
    except papermill.PapermillExecutionError as error:
        return [error.ename, error.evalue]
    except DeadKernelError as error:
        return ["DeadKernelError", str(error)]
    return []


@dataclass(frozen=True)
class Half:
    """One execution of one notebook.

    Attributes:
        folder: everything it has read or written lies below.
        run_id: told to it by its environment.
        error: name and text of what ended it.
    """

    notebook: Any
    folder: Path
    run_id: str
    error: list[str]


# what differs between any two runs, also between two of papermill's own
_MASKS = [
    (re.compile(r"0x[0-9a-f]{6,}"), "0xADDRESS"),
    (re.compile(r"ipykernel_\d+"), "ipykernel_PID"),  # the folder of its cells' file names
    (re.compile(r"JPY_PARENT_PID = \d+"), "JPY_PARENT_PID = PID"),
    (re.compile(r"/tmp/tmp[a-z0-9_]+"), "/tmp/NAME"),
    (re.compile(r"(CPU times: |Wall time: |\nuser |\nsys ).*"), r"\1TIME"),
    # an IPython that has to wait for a processor says more
    (re.compile(r"(Compiler|Parser) +: .*\n|Compiler time: .*\n|The slowest run took .*\n"), ""),
    # from the line's beginning, so that a long line without a time is read once
    (re.compile(r"^.* (±|\+-) .* per loop", re.MULTILINE), "TIME per loop"),
    (re.compile(r" in [\d.]+ seconds|Ran (\d+) tests? in .*"), r"TIME \1"),
    (re.compile(r"(differs: \w+) .*"), r"\1"),  # test_chance_is_chance compares those
    # where the sockets are described: papermill's kernels use ports, and each of us keeps history away in its own way
    (re.compile(r"'-f', '[^']+\.json'(, '--HistoryManager\.\w+=[^']+')?"), "'-f', 'CONNECTION'"),
]


def mask(text: str, half: Half) -> str:
    """Text without what is different in every run."""
    text = text.replace(str(half.folder), "FOLDER").replace(half.run_id, "RUN")
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text


def _masked(value: Any, half: Half) -> Any:
    if isinstance(value, str):
        return mask(value, half)
    if isinstance(value, list):
        return [_masked(part, half) for part in value]
    return {name: _masked(part, half) for name, part in value.items()} if isinstance(value, dict) else value


def alike(half: Half) -> dict[str, Any]:
    """A notebook as it must be, whoever executed it: all that papermill and we do differently is here."""
    notebook = nbformat.from_dict(_masked(half.notebook, half))
    # papermill tells of an error in cells of its own, which we leave to the panel
    notebook.cells = [cell for cell in notebook.cells if not _tells_of_an_error(cell)]
    for cell in notebook.cells:
        _cell_alike(cell, notebook.metadata.papermill)
    # times; and paths, of which ours would say where a copy lay that is gone
    for name in ("start_time", "end_time", "duration", "input_path", "output_path"):
        notebook.metadata.papermill.pop(name, None)
    result: dict[str, Any] = json.loads(json.dumps(notebook))
    return result


def _tells_of_an_error(cell: Any) -> bool:
    return "papermill-error-cell-tag" in cell.metadata.get("tags", [])


def _cell_alike(cell: Any, whole: Any) -> None:
    record = cell.metadata.papermill
    if record.start_time is None:
        # once a kernel has ended by itself papermill says "completed" of what it never reached, we say "pending"
        record.status = "not executed"
    record.start_time = record.end_time = record.duration = None
    for moment in cell.metadata.get("execution", {}):
        cell.metadata.execution[moment] = "TIME"
    if "injected-parameters" in cell.metadata.get("tags", []):
        cell.id = "made by papermill"
    if cell.cell_type == "code":
        if any(_left_well(output) for output in cell.outputs):
            # papermill calls it no failure, yet notes one
            cell.outputs = [output for output in cell.outputs if not _left_well(output)]
            record.exception, record.status, whole.exception = False, "completed", None
        cell.outputs = _joined(cell.outputs)


def _left_well(output: Any) -> bool:
    """Whether it is the exception by which a notebook ends itself and says that all is well."""
    return output.get("ename") == "SystemExit" and output.evalue in ("", "0", "None")


def _joined(outputs: list[Any]) -> list[Any]:
    """papermill keeps the pieces in which text happened to arrive, we join them."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if output.output_type == "stream" and last is not None and last.get("name") == output.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def failed(half: Half) -> bool:
    """Whether papermill's half failed; it calls failed, too, what a cell's tag says that it expects."""
    # what the notebook dealt with in a way of its own leaves no output
    return half.error[:1] == ["CellExecutionError"] or any(
        output.output_type == "error" and not _left_well(output)
        for cell in half.notebook.cells
        if "raises-exception" not in cell.metadata.get("tags", [])
        for output in cell.get("outputs", ())
    )


def without_its_end(half: Half) -> dict[str, Any]:
    """A notebook whose kernel was suddenly gone: papermill says nothing of that, and that all cells are completed."""
    notebook = alike(half)
    del notebook["metadata"]["papermill"]["exception"]
    for cell in notebook["cells"]:
        cell["outputs"] = [output for output in cell["outputs"] if output.get("ename") != half.error[0]]
        del cell["metadata"]["papermill"]["exception"], cell["metadata"]["papermill"]["status"]
    return notebook


def written(half: Half) -> dict[str, str]:
    """Files in the notebook's folder, with the text of those that are plain text."""
    folder = half.folder / "project"
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {
        str(path.relative_to(folder)): mask(path.read_text(), half) if path.suffix == ".txt" else "" for path in paths
    }


def by_chance(half: Half) -> dict[str, list[str]]:
    """What a notebook printed after ``differs: NAME``."""
    text = "".join(
        output.text
        for cell in half.notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    )
    return {name: values.split() for name, values in re.findall(r"^differs: (\w+) (.*)$", text, re.MULTILINE)}
