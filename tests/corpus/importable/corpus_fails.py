"""Cannot be imported."""

raise RuntimeError("corpus_fails cannot be imported")
