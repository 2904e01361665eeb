# Output that the notebook takes for itself.
# %%
%%capture captured
print("out")
display("rich")
import sys

print("err", file=sys.stderr)
1 + 1
# %%
captured.stdout, captured.stderr, captured.outputs
# %%
import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()) as text:
    print("elsewhere")
text.getvalue()
# %%
from IPython.utils.capture import capture_output

with capture_output() as taken:
    print("taken")
taken.show()
# %%
class Twice:
    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        return self.stream.write(text.replace("x", "xx"))

    def flush(self):
        self.stream.flush()


sys.stdout = Twice(sys.stdout)
print("x marks")
