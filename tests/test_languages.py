"""Values are written in the language of the kernel, by its name as papermill knows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from worker_helpers import make_spec, output, run, text_of

from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker.attempt import Attempt
from jupyter_mlops.worker.notebook.execute import as_source

VALUES: dict[str, Any] = {"n": 3, "rate": 0.5, "fast": True, "name": "a", "many": [1, 2]}


def source(tmp_path: Path, kernel: str, language: str, values: dict[str, Any] = VALUES) -> str:
    """What stands in the injected cell; ``kernel`` and ``language`` are those that the kernel's project installs."""
    attempt = Attempt(make_spec(tmp_path, kernel=kernel, parameters=values), lambda event: None, "here")
    attempt.kernelspec = KernelSpec(language=language)
    return as_source(attempt)


@pytest.mark.parametrize(
    ("kernel", "language", "expected"),
    [
        # as IRkernel, IJulia, Almond, MATLAB's kernel and .NET Interactive install themselves
        ("ir", "R", '# Parameters\nn = 3\nrate = 0.5\nfast = TRUE\nname = "a"\nmany = list(1, 2)\n'),
        ("julia-1.11", "julia", '# Parameters\nn = 3\nrate = 0.5\nfast = true\nname = "a"\nmany = [1, 2]\n'),
        (
            "scala",
            "scala",
            '// Parameters\nval n = 3\nval rate = 0.5\nval fast = true\nval name = "a"\nval many = Seq(1, 2)\n',
        ),
        ("matlab", "matlab", '% Parameters\nn = 3;\nrate = 0.5;\nfast = true;\nname = "a";\nmany = {1, 2};\n'),
        (
            ".net-csharp",
            "C#",
            '// Parameters\nvar n = 3;\nvar rate = 0.5;\nvar fast = true;\nvar name = "a";\n'
            "var many = new [] { 1, 2 };\n",
        ),
        ("python3", "Python", '# Parameters\nn = 3\nrate = 0.5\nfast = True\nname = "a"\nmany = [1, 2]\n'),
        ("bash", "bash", "# Parameters\nn=3\nrate=0.5\nfast=true\nname=a\nmany=(1 2)\n"),
    ],
)
def test_any_language_that_papermill_knows(tmp_path: Path, kernel: str, language: str, expected: str) -> None:
    assert source(tmp_path, kernel, language) == expected


@pytest.mark.parametrize(
    ("kernel", "language", "values"),
    [("xcpp17", "C++17", {"n": 1}), (".net-csharp", "C#", {"n": None}), ("bash", "bash", {"n": {"a": 1}})],
)
def test_what_it_cannot_write_is_refused(tmp_path: Path, kernel: str, language: str, values: dict[str, Any]) -> None:
    with pytest.raises(
        InvalidInputError, match="papermill cannot write these parameters in " + language.replace("+", r"\+")
    ):
        source(tmp_path, kernel, language, values)


@pytest.mark.slow
@pytest.mark.skipif("ir" not in KernelSpecManager().find_kernel_specs(), reason="needs IRkernel (r-cran-irkernel)")
def test_a_notebook_in_r(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        'cat(n, rate, fast, name, many[[2]], class(many), "\\n")\nacc <- n * rate',
        parameters_cell='n <- 1\nrate <- 0.1\nfast <- FALSE\nname <- "x"\nmany <- list()',
        kernel="ir",
        parameters=VALUES,
        metrics=["acc", "absent"],
    )
    assert result.state is RunState.SUCCEEDED, result
    assert text_of(output(tmp_path).cells[2]) == "3 0.5 TRUE a 2 list \n"
    assert result.metrics == {"acc": 1.5}
    assert result.warnings == []
