# Logging, before and after it is set up.
# %%
import logging

root = logging.getLogger()
print(root.level, root.handlers, logging.lastResort, logging.root.manager.disable, logging.raiseExceptions)
logging.getLogger("own").info("not shown")
logging.getLogger("own").warning("shown by the last resort")
# %%
logging.warning("sets the root up")
root.handlers
# %%
logging.basicConfig(
    level="DEBUG", format="%(levelname)s %(name)s %(processName)s %(threadName)s %(message)s", force=True
)
logging.getLogger("own").debug("detail")
# %%
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("with a traceback")
# %%
logging.captureWarnings(True)
import warnings

warnings.warn("through logging")
# %%
(
    logging.getLogger("matplotlib").level,
    logging.getLogger("asyncio").level,
    get_ipython().log.level,
    get_ipython().log.name,
)
