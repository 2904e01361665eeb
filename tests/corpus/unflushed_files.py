# Files that are open when the notebook ends.
# %%
left_open = open("left_open.txt", "w")
left_open.write("never flushed by the notebook\n")
# %%
import gzip
import logging
import sqlite3

zipped = gzip.open("left_open.txt.gz", "wt")
handler = logging.FileHandler("log.txt")
logging.getLogger("own").addHandler(handler)
logging.getLogger("own").warning("into the file")
database = sqlite3.connect("data.sqlite")
database.execute("create table t (x)")
database.execute("insert into t values (1)")
database.commit()
database.execute("select * from t").fetchall()
