# Language, encodings and time zone.
# %%
import locale
import sys
import time

print(locale.getlocale(), locale.getpreferredencoding(False), locale.localeconv()["decimal_point"])
print(
    [
        locale.setlocale(getattr(locale, name))
        for name in ("LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES")
    ]
)
print(sys.getfilesystemencoding(), sys.getdefaultencoding(), sys.getfilesystemencodeerrors())
# %%
import os

os.environ["TZ"] = "Asia/Kathmandu"
time.tzset()
print(time.tzname, time.strftime("%z"), time.localtime(0)[:5], f"{1234567.891:n}")
# %%
import decimal
import zoneinfo
from datetime import datetime

print(datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Zurich")), decimal.getcontext())
# %%
locale.setlocale(locale.LC_ALL, "xx_XX")
