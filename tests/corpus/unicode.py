# Text of many scripts, in names, outputs, errors, files and processes.
# %%
größe = "naïve café – 数据 🎉 \u202e שלום"
print(größe, len(größe))
größe
# %%
from pathlib import Path

Path("dätä 🎉.txt").write_text(größe, encoding="utf-8")
!cat dätä*
# %%
print("a\tb\r\nc\x00d\x1b[31mred\x1b[0m\u2028end", ascii(größe))
# %%
display({"text/html": f"<b>{größe}</b>", "text/plain": größe}, raw=True)
# %%
raise ValueError(größe)
