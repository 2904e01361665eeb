"""What all that people ask has in common."""

from __future__ import annotations

from ..settings import MlopsSettings
from ..store import Store
from .process.layout import Layout


class Asking:
    """Answers on one store.

    All methods block for as long as the store takes; call them from a thread where that matters.
    """

    def __init__(self, store: Store, settings: MlopsSettings) -> None:
        self.store = store
        self.settings = settings
        self.layout = Layout(settings.data_path)
