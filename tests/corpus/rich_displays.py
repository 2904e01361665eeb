# Every kind of rich display that IPython knows.
# %%
import base64
from IPython.display import (
    HTML,
    JSON,
    SVG,
    Code,
    FileLink,
    IFrame,
    Image,
    Javascript,
    Latex,
    Markdown,
    Math,
    Pretty,
    display,
)

display(HTML("<b>bold</b>"), Markdown("*hello*"), Latex("$x^2$"), Math("x^2"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg'><circle r='4'/></svg>"))
display(
    JSON({"a": [1, None, True]}, expanded=True), Javascript("1 + 1"), Pretty("pretty"), Code("x = 1", language="python")
)
display(IFrame("about:blank", 100, 50), FileLink("nowhere.txt"))
# %%
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
Image(data=DOT, width=10)


# %%
class Bundle:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": "bundle", "text/html": "<i>bundle</i>", "application/x-own+json": {"deep": [1, {"er": 2}]}}, {
            "text/html": {"isolated": True}
        }


class Both:
    def _repr_html_(self):
        return "<u>html</u>"

    def _repr_markdown_(self):
        return "_markdown_"

    def __repr__(self):
        return "Both()"


display(Bundle(), Both(), metadata={"text/plain": {"own": 1}})
display({"text/plain": "raw", "text/html": "<s>raw</s>"}, raw=True)
Both()


# %%
class Broken:
    def _repr_html_(self):
        raise ValueError("no html today")


Broken()
