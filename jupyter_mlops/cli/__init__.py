"""Floor 5: the command line. The same services as behind the panel, without a browser.

Each noun has a file, which holds what a person can type and what it does; ``main`` reads only that of the noun
that was named. Nothing heavy is imported before an action needs it.
"""
