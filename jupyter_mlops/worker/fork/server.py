"""Forks IPython kernels that have done their imports. Runs as a script in the kernel's own environment.

That environment need not have this package, so this file uses only the standard library and ipykernel. It does the
slow part of a kernel's start once, and forks a kernel on each request over an inherited socket (see :class:`Line`).
Each kernel is a process in its own session. A kernel forked as a *template* becomes such a server itself after its
first cells.

The server has no running thread or event loop when it forks.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import gc
import importlib
import importlib.util
import io
import itertools
import json
import os
import random
import select
import shutil
import signal
import site
import socket
import struct
import sys
import sysconfig
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NoReturn

MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.datapub",
    "ipykernel.debugger",
    "psutil",
    "jupyter_client.localinterfaces",
    "tornado.platform.asyncio",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.lib.pretty",
    "IPython.core.async_helpers",
    "pdb",
    "uuid",
)
# threads of libraries that handle forks themselves
FORK_SAFE_THREADS = ("jemalloc_bg_thd",)
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# a history would need a thread, and a file that all runs write to
NO_HISTORY = "--HistoryManager.enabled=False"
HEADER = struct.Struct("!I")
MOST_DESCRIPTORS = 3


class Line:
    """Length-prefixed JSON messages over a socket pair, with optional file descriptors."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send one message, and copies of file descriptors."""
        data = json.dumps(message).encode()
        head = HEADER.pack(len(data))
        if descriptors:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
            self.sock.sendmsg([head], [rights])
        else:
            self.sock.sendall(head)
        self.sock.sendall(data)

    def receive(self) -> tuple[dict[str, Any] | None, list[int]]:
        """The next message and its descriptors; None when the other side has closed."""
        head, descriptors = self._read(HEADER.size, True)
        if head is None:
            return None, []
        data, _ = self._read(HEADER.unpack(head)[0], False)
        return (None if data is None else json.loads(data)), descriptors

    def _read(self, size: int, ancillary: bool) -> tuple[bytes | None, list[int]]:
        parts: list[bytes] = []
        descriptors: list[int] = []
        while size:
            if ancillary:
                part, extra, _, _ = self.sock.recvmsg(
                    size, socket.CMSG_SPACE(MOST_DESCRIPTORS * 4), socket.MSG_CMSG_CLOEXEC
                )
                for level, kind, content in extra:
                    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                        numbers = array.array("i")
                        numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                        descriptors.extend(numbers)
            else:
                part = self.sock.recv(size)
            if not part:
                return None, descriptors
            parts.append(part)
            size -= len(part)
        return b"".join(parts), descriptors


class UnfitError(Exception):
    """No kernel may be forked from here.

    Args:
        reason: for the user.
        without: the import statement that is the cause; a server without it may work.
    """

    def __init__(self, reason: str, without: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.without = without


# -- imports before the fork ----------------------------------------------------------------------


class Imports:
    """Imports a notebook's modules, and refuses imports with side effects.

    Args:
        per_run: names of environment variables that differ between runs and must not be read here.
        streams: a kernel's streams by name; imports may keep references to them.
    """

    def __init__(self, per_run: list[str], streams: dict[str, Any]) -> None:
        self.per_run = frozenset(per_run)
        self.streams = streams
        self.roots = _installed_roots()

    def do(self, statement: str) -> None:
        """Execute one import statement.

        Raises:
            UnfitError: it must be left to the notebook.
        """
        before = set(sys.modules)
        asked: set[str] = set()
        shown: list[str] = []
        with _watched_environment(self.per_run, asked), _watched_displays(shown), _captured(self.streams) as printed:
            try:
                exec(compile(statement, "<imports>", "exec"), {"__name__": "__main__"})  # noqa: S102
            except BaseException as error:
                raise UnfitError(f"'{statement}' failed: {error}", statement) from error
        if printed():
            raise UnfitError(f"'{statement}' prints or warns", statement)
        if shown:
            raise UnfitError(f"'{statement}' shows something", statement)
        if asked:
            raise UnfitError(f"'{statement}' reads {', '.join(sorted(asked))}", statement)
        for name in set(sys.modules) - before:
            path = getattr(sys.modules[name], "__file__", None)
            if path and not os.path.realpath(path).startswith(self.roots):
                raise UnfitError(f"'{statement}' imports {name}, which may change", statement)


def _installed_roots() -> tuple[str, ...]:
    """Folders of installed packages; modules from elsewhere may change at any time."""
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return tuple({os.path.realpath(folder) + os.sep for folder in folders})


def installed_state(roots: tuple[str, ...]) -> list[tuple[str, int]]:
    """Changes whenever a package is installed, removed or updated."""
    state: list[tuple[str, int]] = []
    for root in sorted(roots):
        with contextlib.suppress(OSError):
            state.append((root, os.stat(root).st_mtime_ns))
    return state


@contextlib.contextmanager
def _watched_environment(names: frozenset[str], asked: set[str]) -> Iterator[None]:
    plain: Any = type(os.environ)

    class Watched(plain):  # type: ignore[misc]
        def __getitem__(self, key: str) -> Any:
            if key in names:
                asked.add(key)
            return plain.__getitem__(self, key)

    environ: Any = os.environ
    environ.__class__ = Watched
    try:
        yield
    finally:
        environ.__class__ = plain


@contextlib.contextmanager
def _watched_displays(shown: list[str]) -> Iterator[None]:
    """Record displays, such as the scripts that plotting libraries load."""
    publisher: Any = importlib.import_module("IPython").get_ipython().display_pub
    names = ("publish", "clear_output")
    for name in names:
        setattr(publisher, name, lambda *_, name=name, **__: shown.append(name))
    try:
        yield
    finally:
        for name in names:
            delattr(publisher, name)


@contextlib.contextmanager
def _captured(streams: dict[str, Any]) -> Iterator[Callable[[], int]]:
    """Capture all output, including that of file descriptors 1 and 2; yields a function that returns its size.

    Args:
        streams: closed streams by name, to install in ``sys`` meanwhile.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with tempfile.TemporaryFile() as file:
        saved = [os.dup(1), os.dup(2)]
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        size = [0]

        def write(text: str) -> int:
            size[0] += 1
            return len(text)

        before = {name: getattr(sys, name) for name in streams}
        for name, stream in streams.items():
            stream.write, stream.flush = write, _nothing
            setattr(sys, name, stream)
        try:
            yield lambda: size[0]
        finally:
            for name, stream in streams.items():
                size[0] += getattr(sys, name) is not stream  # an import may put another in its place
                setattr(sys, name, before[name])
                del stream.write, stream.flush
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number in (1, 2):
                os.dup2(saved[number - 1], number)
                os.close(saved[number - 1])
            size[0] += os.fstat(file.fileno()).st_size


# -- random numbers ---------------------------------------------------------------------------------


class Seeds:
    """Makes forked kernels draw different random numbers, unless a seed was set on purpose.

    A context manager around all code that is executed before the fork.
    """

    def __init__(self) -> None:
        self._chosen = False  # whether ``random`` itself was seeded on purpose
        self._unseeded: dict[int, random.Random] = {}
        self._originals: list[tuple[Any, str, Any]] = []
        self._torch_seed: int | None = None
        self._state: Any = None
        self._generators: list[Any] = []

    def __enter__(self) -> Seeds:
        original: Any = random.Random.seed
        unseeded = self._unseeded

        def seed(generator: random.Random, a: Any = None, version: int = 2) -> Any:
            if a is None:
                unseeded[id(generator)] = generator
            else:
                unseeded.pop(id(generator), None)
            return original(generator, a, version)

        self._replace(random.Random, "seed", seed)
        for name in ("seed", "setstate"):
            self._replace(random, name, self._noting(getattr(random, name)))
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, original in reversed(self._originals):
            setattr(owner, name, original)
        self._originals = []
        torch = sys.modules.get("torch")
        if torch is not None and self._torch_seed is None and hasattr(torch, "default_generator"):
            self._torch_seed = torch.default_generator.initial_seed()

    def _noting(self, function: Any) -> Any:
        def noting(*arguments: Any, **named: Any) -> Any:
            self._chosen = bool(named or (arguments and arguments[0] is not None))
            return function(*arguments, **named)

        return noting

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._originals.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def keep(self) -> None:
        """Store the state from which forked processes go on; Python itself reseeds ``random`` after a fork."""
        self._state = random.getstate() if self._chosen else None
        # earlier ones are frozen by gc, and not found again
        self._generators += _unseeded_generators()

    def renew(self) -> None:
        """In a forked process: reseed all generators that were not seeded on purpose."""
        if self._state is not None:
            random.setstate(self._state)
        for generator in self._unseeded.values():
            generator.seed()
        numpy = sys.modules.get("numpy.random")
        if numpy is not None and getattr(numpy.mtrand._rand._bit_generator, "_seed_seq", None) is not None:
            # numpy's generator keeps its seed sequence until it is seeded on purpose; this call preserves it
            numpy.set_state(numpy.RandomState().get_state())
        for bits in self._generators:
            bits.state = type(bits)().state
        if self._torch_seed is not None:
            torch = sys.modules["torch"]
            if torch.default_generator.initial_seed() == self._torch_seed:
                self._torch_seed = torch.default_generator.seed()


def _unseeded_generators() -> list[Any]:
    """numpy's bit generators that were seeded randomly, except for the one behind ``numpy.random``."""
    loaded = sys.modules.get("numpy.random")
    if loaded is None:
        return []
    own = getattr(loaded.mtrand, "_rand", None)
    kinds = (loaded.RandomState, loaded.Generator)
    # type() rather than isinstance(), which would load lazy modules
    found = [item for item in gc.get_objects() if issubclass(type(item), kinds) and item is not own]
    generators = [getattr(item, "bit_generator", None) or item._bit_generator for item in found]
    return [generator for generator in generators if _began_by_chance(generator)]


def _began_by_chance(generator: Any) -> bool:
    entropy = getattr(getattr(generator, "_seed_seq", None), "entropy", None)
    # numpy draws 128 bits; seeds chosen by people are shorter, or lists
    return isinstance(entropy, int) and entropy.bit_length() > 64


# -- may it fork? -----------------------------------------------------------------------------------


def check_fork_is_safe(device_files: Sequence[str]) -> None:
    """Check that this process can be forked safely.

    Raises:
        UnfitError: the fork would lack a thread, or share a device.
    """
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        raise UnfitError(f"threads run before the fork: {', '.join(sorted(others))}")
    if set(_threads()) - set(FORK_SAFE_THREADS):
        # some libraries, such as OpenBLAS, end their threads before a fork and restart them on demand
        pid = _fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    left = sorted(set(_threads()) - set(FORK_SAFE_THREADS))
    if left:
        raise UnfitError(f"threads of a library run before the fork: {', '.join(left)}")
    for target in _open_files():
        if target.startswith(tuple(device_files)):
            raise UnfitError(f"{target} is open before the fork, and forked processes cannot share it")


def _open_files() -> list[str]:
    """Open files and sockets of this process, without pipes."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink("/proc/self/fd/" + name)
            if target.startswith(("/", "socket:")):
                found.append(target)
    return found


def _threads() -> list[str]:
    """The operating system's names of this process's threads, without the main one."""
    names = []
    for thread in os.listdir("/proc/self/task"):
        if int(thread) != os.getpid():
            with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/comm") as file:
                names.append(file.read().strip())
    return names


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 and later warn about any thread; check_fork_is_safe has checked them
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


# -- the kernel's application ---------------------------------------------------------------------------


class Application:
    """ipykernel's application: built once before the fork, opened with new sockets after it.

    Args:
        arguments: of the kernel's command line, without the connection file.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        from ipykernel.kernelapp import IPKernelApp

        self.arguments = [*arguments]
        if NO_HISTORY not in arguments:
            self.arguments.append(NO_HISTORY)
        self.app: Any = IPKernelApp.instance()
        self.fresh = True  # startup files and extensions have not been executed yet
        self.first = True  # no kernel has been opened yet
        import faulthandler
        import logging

        self._patched = {
            name: getattr(faulthandler, name) for name in ("enable", "register") if hasattr(faulthandler, name)
        }
        self._kept: list[Any] = []
        self.streams: dict[str, Any] = {}  # of every kernel that is made here
        self._banner = ""
        self.startup_folders: list[str] = []
        self._modules: list[str] = []  # files of the kernel's own, which a debugger steps over
        self._numbered = _threads_numbered()  # by the modules that every kernel imports
        self._tornado = logging.getLogger("tornado")
        self._handlers = list(self._tornado.handlers)

    def build(self) -> None:
        """Do the part of a kernel's start that does not depend on the run, on temporary sockets."""
        folder = tempfile.mkdtemp(prefix="mlops-")
        try:
            path = os.path.join(folder, "k.json")
            ports = {name + "_port": n + 1 for n, name in enumerate(("shell", "iopub", "stdin", "hb", "control"))}
            with open(path, "w") as file:
                json.dump({"transport": "ipc", "ip": os.path.join(folder, "k"), "key": "k", **ports}, file)
            app = self.app
            app.parent_handle = os.getppid()
            app.init_poller = app.init_extensions = app.init_code = _nothing
            app.initialize(["-f", path, *self.arguments])
            for name in ("init_poller", "init_extensions", "init_code"):
                delattr(app, name)
            if self._starts_plain():
                self._execute_startup()
            # the first cell and the first result initialise caches
            app.shell.run_cell("_ = None", silent=True, store_history=False)
            app.shell.display_formatter.format(0)
            app.shell.user_ns["_"] = app.shell.displayhook._
            self._banner = app.shell.banner
            self.streams = {name: getattr(sys, name) for name in ("stdout", "stderr")}
            self.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _execute_startup(self) -> None:
        self.fresh = False
        self.app.init_extensions()
        self.app.init_code()

    def _starts_plain(self) -> bool:
        """Whether the user has configured no startup files, extensions or lines to execute."""
        try:
            from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS
        except ImportError:
            return False
        app = self.app
        self.startup_folders = [
            app.profile_dir.startup_dir,
            *(os.path.join(folder, "startup") for folder in [*ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS]),
        ]
        files = [name for folder in self.startup_folders if os.path.isdir(folder) for name in os.listdir(folder)]
        code = (app.exec_lines, app.exec_files, app.code_to_run, app.file_to_run, app.module_to_run)
        startup = app.exec_PYTHONSTARTUP and os.environ.get("PYTHONSTARTUP")
        return not (
            app.extensions
            or app.extra_extensions
            or any(code)
            or startup
            or any(name.endswith((".py", ".ipy")) for name in files)
        )

    def close(self) -> None:
        """Close sockets and threads, and keep the shell."""
        import faulthandler

        from tornado.ioloop import IOLoop

        app = self.app
        loop = IOLoop.current()
        for handler in app.log.handlers:
            if isinstance(getattr(handler, "stream", None), io.TextIOWrapper):
                # keep a reference: its destructor would close a descriptor that was reused by then
                self._kept.append(handler.stream)
                handler.stream = sys.__stderr__
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            stream.close()
        self.unregister()
        heartbeat, kernel = app.heartbeat, app.kernel
        self._modules = getattr(kernel, "_kernel_modules", [])
        if getattr(kernel, "debugger", None) is not None and getattr(kernel, "debugpy_stream", None) is not None:
            kernel.debugpy_stream.close(linger=0)
        app.close()
        heartbeat.join()
        loop.close()
        for name, function in self._patched.items():
            setattr(faulthandler, name, function)
        self._tornado.handlers[:] = self._handlers
        type(kernel).clear_instance()
        app.context = app.heartbeat = app.iopub_thread = app.poller = None

    @contextlib.contextmanager
    def _boundless_sockets(self) -> Iterator[None]:
        """Bind sockets without a limit on queued output; the limit at binding time applies to connections."""
        bind, limit = self.app._bind_socket, importlib.import_module("zmq").SNDHWM

        def bind_boundless(sock: Any, port: int) -> Any:
            sock.setsockopt(limit, 0)
            return bind(sock, port)

        self.app._bind_socket = bind_boundless
        try:
            yield
        finally:
            del self.app._bind_socket

    def _init_streams(self) -> None:
        """Reinitialise the streams as the same objects, because imports and cells may hold references to them."""
        kind: Any = importlib.import_module("ipykernel.iostream").OutStream
        plain, kept = kind.__new__, self.streams

        def again(cls: Any, session: Any, thread: Any, name: str, *_: Any, **__: Any) -> Any:
            return kept.get(name) or plain(cls)

        kind.__new__ = again
        try:
            self.app.init_io()
        finally:
            kind.__new__ = plain

    def unregister(self) -> None:
        """Unregister exit handlers of what is closed already."""
        atexit.unregister(self.app.close)
        atexit.unregister(self.app.iopub_thread.stop)

    def open(self, connection_file: str, parent: int) -> None:
        """In a forked process: create the kernel and its sockets around the existing shell.

        Args:
            connection_file: path; written by the kernel's manager.
            parent: pid of the process with which the kernel ends; 0 for none.
        """
        import asyncio

        app = self.app
        if self.first:
            _number_threads_from(1)
        asyncio.set_event_loop(asyncio.new_event_loop())
        from jupyter_client.session import Session

        app.session = Session(parent=app)
        app.connection_file = connection_file
        app.parent_handle = parent
        for name in ("shell", "iopub", "stdin", "hb", "control"):
            setattr(app, name + "_port", 0)
        with self._boundless_sockets():
            for step in ("connection_file", "poller", "sockets", "heartbeat"):
                getattr(app, "init_" + step)()
        app.write_connection_file()
        app._ports = {name: getattr(app, name + "_port") for name in ("shell", "iopub", "stdin", "hb", "control")}
        self._init_streams()
        app.init_signal()
        with _few_modules("ipykernel.ipkernel"):
            app.init_kernel()
        if self.first:
            self.first = False
            # as if those modules were imported now, as in a new kernel
            _number_threads_from(_threads_numbered() + self._numbered + 1)
        kernel, shell = app.kernel, app.kernel.shell
        kernel._kernel_modules = self._modules
        if getattr(kernel, "debugger", None) is not None:
            kernel.debugger.kernel_modules = self._modules
        type(kernel).banner = self._banner  # creating a banner would draw a number from the notebook's seeded generator
        shell.kernel = shell.parent = kernel
        for comm in list(getattr(kernel.comm_manager, "comms", {}).values()):
            comm.kernel = kernel
        find_children = getattr(kernel, "_process_children", None)
        if find_children is not None:
            kernel._process_children = lambda: find_children() if _has_children() else []
        app.shell = shell
        if self.fresh:
            self._execute_startup()
        sys.stdout.flush()
        sys.stderr.flush()


@contextlib.contextmanager
def _few_modules(name: str) -> Iterator[None]:
    """Hide ``sys.modules`` from a module: referencing thousands of modules would copy their memory."""
    module: Any = sys.modules[name]
    plain = module.sys

    class Sys:
        modules: ClassVar[dict[str, Any]] = {}

        def __getattr__(self, attribute: str) -> Any:
            return getattr(plain, attribute)

    module.sys = Sys()
    try:
        yield
    finally:
        module.sys = plain


def _children() -> list[int]:
    """Pids of this process's children."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                if int(file.read().rpartition(b")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
    return found


def _threads_numbered() -> int:
    """Number of threads that Python has named so far; each call uses one number up."""
    return threading._counter() - 1 if hasattr(threading, "_counter") else 0


def _number_threads_from(number: int) -> None:
    if hasattr(threading, "_counter"):
        threading._counter = itertools.count(number).__next__


def _is_kernels_own(task: Any) -> bool:
    """Whether a task is one of ipykernel's own, in which it reads messages."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and f"{os.sep}ipykernel{os.sep}" in code.co_filename


def _place() -> str:
    try:
        return os.path.realpath(os.getcwd())
    except OSError:
        return ""


def _nothing(*_: object) -> None:
    return None


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


# -- the server -----------------------------------------------------------------------------------------


class ForkServer:
    """Waits for requests and forks.

    Args:
        line: to the worker.
        order: its first message: ``imports`` (statements), ``per_run`` (names of environment variables),
            ``module`` (that starts a kernel) and its ``arguments``, ``device_files`` (path beginnings),
            ``idle`` (seconds).
    """

    def __init__(self, line: Line, order: dict[str, Any]) -> None:
        self.line = line
        self.order = order
        self.seeds = Seeds()
        self.application: Application
        self.wake: socket.socket
        self.wakened: socket.socket
        self.launcher = ""
        self.children: set[int] = set()
        self.names: list[str] = []
        self.given: dict[str, str | None] = {}  # variables of a template's own run
        self.moved = False  # whether the shared cells changed the working directory
        self.roots: tuple[str, ...] = ()
        self.last = ""  # the module that was imported last

    def prepare(self) -> None:
        """Do the work that all kernels share.

        Raises:
            UnfitError: no kernel may be forked from here.
        """
        spec = importlib.util.find_spec(self.order["module"])
        self.launcher = (spec.origin if spec is not None else None) or self.order["module"]
        with self.seeds:
            for name in MODULES:
                # which of them there are depends on ipykernel's version
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)
            try:
                self.application = Application(self.order["arguments"])
                self.application.build()
            except Exception as error:
                version = getattr(sys.modules.get("ipykernel"), "__version__", "?")
                raise UnfitError(f"ipykernel {version} cannot be made ready before the fork: {error!r}") from error
            known = set(sys.modules)
            imports = Imports(self.order["per_run"], self.application.streams)
            for statement in self.order["imports"]:
                imports.do(statement)
        self.seeds.keep()
        names = {name.partition(".")[0] for name in set(sys.modules) - known}
        # the notebook's folder cannot shadow the standard library
        self.names = sorted(names - getattr(sys, "stdlib_module_names", frozenset()))
        self.roots = (*imports.roots, *self.application.startup_folders)
        self.last = next(reversed(sys.modules))
        self.settle()

    def settle(self) -> None:
        """Check that this process can be forked, and report that it is ready.

        Raises:
            UnfitError: it cannot.
        """
        check_fork_is_safe(self.order["device_files"])
        gc.collect()
        gc.freeze()  # the collector would write to pages that forked processes share
        installed = installed_state(self.roots)
        self.line.send({"ready": os.getpid(), "names": self.names, "last": self.last, "installed": installed})

    def serve(self) -> ForkedKernel:
        """Answer requests; returns only in forked processes, with the kernel to run."""
        # orphaned descendants of kernels become children of this process, which ends them
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.wakened, self.wake = socket.socketpair()
        self.wakened.setblocking(False)
        self.wake.setblocking(False)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.set_wakeup_fd(self.wake.fileno(), warn_on_full_buffer=False)
        heard = time.monotonic()
        while True:
            timeout = None if self.children else max(0.0, self.order["idle"] - (time.monotonic() - heard))
            ready, _, _ = select.select([self.line.sock, self.wakened], [], [], timeout)
            if self.wakened in ready:
                with contextlib.suppress(BlockingIOError):
                    self.wakened.recv(4096)
                self._reap()
            if self.line.sock in ready:
                request, descriptors = self.line.receive()
                if request is None:
                    self._end()
                heard = time.monotonic()
                if self._fork(request, descriptors):
                    return ForkedKernel(self, request, descriptors)
            elif not ready:
                self._end()

    def _fork(self, request: dict[str, Any], descriptors: list[int]) -> bool:
        pid = _fork()
        if pid == 0:
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        self.children.add(pid)
        self.line.send({"forked": request["id"], "pid": pid})
        return False

    def _reap(self) -> None:
        """Report ended kernels, and kill their orphaned children."""
        ended = []
        while _has_children():
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                break
            if pid in self.children:
                self.children.discard(pid)
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                ended.append({"ended": pid, "code": code, "cpu": usage.ru_utime + usage.ru_stime})
        if not self.children and _has_children():
            self._end_children()
        for message in ended:
            self.line.send(message)

    def _end_children(self) -> None:
        """Kill all descendants, for at most two seconds; they become children as their parents end."""
        deadline = time.monotonic() + 2
        while _has_children() and time.monotonic() < deadline:
            for pid in _children():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(0.005)

    def _end(self) -> NoReturn:
        # no exit handlers: they belong to the kernels
        self._end_children()
        os._exit(0)

    def let_go(self) -> None:
        """In a forked process: close the server's sockets and signal handlers."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for sock in (self.line.sock, self.wake, self.wakened):
            sock.close()
        self.children = set()


class ForkedKernel:
    """A forked process that becomes a kernel.

    Args:
        server: that forked it.
        request: ``connection_file``, ``folder``, ``environ`` (to set; None removes), ``argv``, ``template``
            (whether it becomes a server after its first cells).
        descriptors: stdout, stderr and, for a template, its socket to the worker.
    """

    def __init__(self, server: ForkServer, request: dict[str, Any], descriptors: list[int]) -> None:
        self.server = server
        self.request = request
        self.streams = descriptors[:2]
        self.line = Line(socket.socket(fileno=descriptors[2])) if request["template"] else None
        self.settled = False
        self.tasks = 0
        self.open_before: set[str] = set()

    def run(self) -> None:
        """Run the kernel; only a template returns, after its cells."""
        self._separate()
        application = self.server.application
        if self.line is None:
            application.open(self.request["connection_file"], os.getppid())
            application.app.start()
        else:
            self.open_before = set(_open_files())
            with self.server.seeds:
                application.open(self.request["connection_file"], 0)
                self._listen(self.line)
                application.app.start()
        if not self.settled:
            self._finish()

    def become_server(self) -> ForkServer:
        """Close the kernel's sockets and become a fork server.

        Raises:
            UnfitError: the cells left something behind that a fork does not inherit.
        """
        assert self.line is not None
        server, self.server.line = self.server, self.line
        if self.tasks:
            raise UnfitError("the shared cells left asynchronous tasks behind")
        if "subprocess" in sys.modules:
            sys.modules["subprocess"]._cleanup()  # reaps finished children without references
        if _has_children():
            raise UnfitError("the shared cells left processes behind, whose parent no forked process would be")
        server.application.close()
        opened = sorted(set(_open_files()) - self.open_before)
        if opened:
            raise UnfitError(
                f"the shared cells left {opened[0]} open, which forked processes would read from one place"
            )
        server.settle()
        server.given = self.request["environ"]
        server.moved = _place() != os.path.realpath(self.request["folder"])
        return server

    def _separate(self) -> None:
        request, parent = self.request, os.getppid()
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        self.server.let_go()
        with contextlib.suppress(AttributeError):
            threading.main_thread()._set_native_id()  # type: ignore[attr-defined]
        _take_streams(*self.streams)
        for name, value in request["environ"].items():
            if os.environ.get(name) != self.server.given.get(name):
                continue  # the shared cells have set it, as they would have here
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if not self.server.moved:
            os.chdir(request["folder"])
        sys.argv[:] = [self.server.launcher, *request["argv"]]
        # cached folder listings may be outdated
        for path in ("", request["folder"], os.getcwd()):
            sys.path_importer_cache.pop(path, None)
        self.server.seeds.renew()

    def _listen(self, line: Line) -> None:
        """Stop the event loop once the worker reports that the shared cells are done."""
        import asyncio

        from tornado.ioloop import IOLoop

        loop: Any = IOLoop.current()

        def listen() -> None:
            request, _ = line.receive()
            if request is None:
                os._exit(0)
            self.settled = True
            self.server.order = {**self.server.order, **request}
            self.tasks = sum(not _is_kernels_own(task) for task in asyncio.all_tasks(loop.asyncio_loop))
            self.server.seeds.keep()
            loop.stop()

        loop.asyncio_loop.add_reader(line.sock.fileno(), listen)

    def _finish(self) -> NoReturn:
        """Exit as the interpreter does, without freeing memory piece by piece."""
        self.server.application.unregister()
        code = 0
        try:
            threading._shutdown()
            atexit._run_exitfuncs()
            _clear(self.server.application.app.shell.user_ns)
            gc.collect()
            for item in gc.get_objects():
                if issubclass(type(item), io.IOBase) and not item.closed:
                    with contextlib.suppress(OSError, ValueError):
                        item.flush()
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            code = 1
        finally:
            os._exit(code)


def _clear(namespace: dict[str, Any]) -> None:
    """Delete a module's names in the interpreter's order at exit."""
    private = [name for name in namespace if name[:1] == "_" and name[1:2] != "_"]
    for name in (*private, *namespace):
        if name != "__builtins__":
            namespace[name] = None


def _take_streams(output: int, errors: int) -> None:
    read, write = os.pipe()
    os.close(write)
    for source, number in ((read, 0), (output, 1), (errors, 2)):
        os.dup2(source, number)
    for descriptor in {read, output, errors}:
        os.close(descriptor)


def main(descriptor: int) -> None:
    """Serve the worker at the other end of an inherited socket."""
    os.set_inheritable(descriptor, False)
    line = Line(socket.socket(fileno=descriptor))
    order, _ = line.receive()
    if order is None:
        return
    server = ForkServer(line, order)
    try:
        server.prepare()
        while True:
            kernel = server.serve()
            line = kernel.line or line
            kernel.run()
            server = kernel.become_server()
    except UnfitError as error:
        line.send({"unfit": error.reason, "without": error.without})
        # no exit handlers of a kernel
        os._exit(0)


if __name__ == "__main__":
    if not getattr(sys.flags, "safe_path", False):
        # remove this file's folder; the shell adds the kernel's own
        del sys.path[0]
    # adds a stack frame, so that recursion in a cell reaches as deep as in a new kernel
    exec(compile("main(int(sys.argv[1]))", __file__, "exec"))  # noqa: S102
