# Files read by a library that keeps threads of its own.
# %%
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

frame = pd.DataFrame({"n": range(10_000), "s": [f"row {i % 7}" for i in range(10_000)]})
frame.to_parquet("rows.parquet")
back = pd.read_parquet("rows.parquet", filters=[("n", ">", 9_990)])
print(len(back), pa.cpu_count() > 0, pq.read_table("rows.parquet").num_rows)
back.s.value_counts()
# %%
pd.read_csv(__import__("io").StringIO("a,b\n1,x\n"), engine="pyarrow")
# %%
frame.to_sql
