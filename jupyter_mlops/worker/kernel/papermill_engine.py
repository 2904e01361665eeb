"""papermill engine with warm kernels: ``engine_name="mlops-warm"``.

papermill loads this module on import, so it imports little.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from papermill.engines import NBClientEngine, NotebookExecutionManager


class WarmEngine(NBClientEngine):
    """Forks each notebook's kernel from a process that has done its imports, except for the first of its kind."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, kernel_name: str, **kwargs: Any) -> Any:
        """Execute as papermill does, with the same arguments."""
        from traitlets.config import Config

        from ..fork.imports import warm_imports
        from .provisioner import WarmManager

        folder = Path.cwd()  # papermill has changed to the requested one
        sources = [cell.source for cell in nb_man.nb.cells if cell.cell_type == "code"]
        config = Config({"WarmProvisioner": {"imports": warm_imports(sources, folder)}})
        return super().execute_managed_notebook(
            nb_man, kernel_name, kernel_manager_class=WarmManager, config=config, **kwargs
        )
