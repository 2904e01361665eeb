# How Python was started and is set.
# %%
import sys

print(sys.argv, sys.executable == sys.orig_argv[0] or sys.executable, sys.prefix == sys.base_prefix)
print(sys.flags)
for entry in sys.path:
    print(repr(entry))
# %%
import faulthandler
import gc

print(gc.isenabled(), gc.get_threshold(), gc.get_debug(), len(gc.callbacks), gc.garbage)
print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.getdlopenflags(), sys.dont_write_bytecode)
print(faulthandler.is_enabled(), sys.gettrace(), sys.getprofile(), sys.unraisablehook, sys.excepthook.__qualname__)
print(sys.implementation.name, sys.int_info.default_max_str_digits, sys.get_asyncgen_hooks())
print([type(finder).__name__ if not isinstance(finder, type) else finder.__name__ for finder in sys.meta_path])
print(sys.pycache_prefix, sys.warnoptions, sys._xoptions, sys.platform, sys.float_repr_style)
# %%
import threading

print(sys.displayhook.__class__.__name__, sys.stdout.__class__.__name__, sys.stderr.__class__.__name__)
print(
    sys.__stdout__ is None,
    sys.stdout.encoding,
    sys.stdout.errors,
    sys.stdout.isatty(),
    sys.stdout.fileno() > 2,
    sys.stderr.fileno() > 2,
)
print(threading.excepthook.__qualname__, sys.ps1)
