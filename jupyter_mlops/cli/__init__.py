"""Floor 5: the command line. The same services as behind the panel, without a browser.

``parser`` holds the words and their help, ``commands`` what they do, ``watch`` the waiting, ``tables``
what a person reads. Nothing heavy is imported before a command needs it.
"""
