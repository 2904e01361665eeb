# Tables as pandas shows them, with its options.
# %%
import numpy as np
import pandas as pd

frame = pd.DataFrame(
    {
        "when": pd.date_range("2026-01-01", periods=80, freq="h"),
        "x": np.arange(80) / 7,
        "name": [f"n{i % 3}" for i in range(80)],
    }
)
frame
# %%
frame.dtypes
# %%
frame.groupby("name").x.agg(["mean", "std", "count"])
# %%
pd.set_option("display.max_rows", 6, "display.precision", 2)
display(frame, frame.x.head(3))
# %%
frame.head(2).style.set_uuid("fixed").highlight_max(subset=["x"]).format(precision=1)
# %%
print(frame.describe())
frame.info()
# %%
frame["nothing"]
