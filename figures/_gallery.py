"""Draw every figure small, and write the gallery of `README.md` anew.

python figures/_gallery.py [NAME ...]
"""

from __future__ import annotations

import json
import sys
from io import BytesIO
from pathlib import Path

from matplotlib import rc_context
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lightcollapse import gallery
from lightcollapse.plot import STYLE

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
COLOURS, DOTS_PER_INCH = 64, 110
BEGIN, END = "<!-- gallery -->", "<!-- end of gallery -->"


def picture(name: str) -> None:
    """A figure at full size of data, drawn small and in few colours, with its recipe inside."""
    figure, recipe = gallery.draw(name)
    whole = BytesIO()
    with rc_context(STYLE):
        figure.savefig(whole, format="png", dpi=DOTS_PER_INCH)
    information = PngInfo()
    information.add_text("Description", json.dumps(recipe, sort_keys=True))
    PICTURES.mkdir(exist_ok=True)
    small = Image.open(whole).convert("RGB").quantize(COLOURS)
    small.save(PICTURES / f"{name}.png", optimize=True, pnginfo=information)


def page() -> str:
    """The gallery: what each figure shows, its script, its picture."""
    return "\n\n".join(
        f"### [{name}]({name}.py)\n\n{gallery.title(name)}\n\n![{name}](pictures/{name}.png)"
        for name in gallery.names()
    )


def main(names: list[str]) -> None:
    for name in names or gallery.names():
        picture(name)
        print(name, file=sys.stderr)
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n\n{page()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
