"""The Jupyter server under test, with everything it writes below one folder."""

import os
from pathlib import Path

from jupyterlab.galata import configure_jupyter_server

home = Path(os.environ["MLOPS_UI_TESTS_HOME"])

configure_jupyter_server(c)  # noqa: F821
c.ServerApp.port = int(os.environ["MLOPS_UI_TESTS_PORT"])  # noqa: F821
# as behind JupyterHub
c.ServerApp.base_url = "/user/ada/"  # noqa: F821
c.ServerApp.root_dir = str(home / "root")  # noqa: F821
c.ServerApp.allow_root = True  # noqa: F821
c.LabApp.workspaces_dir = str(home / "workspaces")  # noqa: F821
c.FileContentsManager.delete_to_trash = False  # noqa: F821
c.MlopsSettings.data_dir = str(home / "data")  # noqa: F821
# more than a core or two would make the order of runs a matter of chance
c.MlopsSettings.local_slots = 2  # noqa: F821
