"""Tiny courses on disk, for the tests of the runner, the gates and the links."""

import base64
import io
import json

SETTINGS = """[repository]
owner = someone
name = course
branch = main

[smoke]
{smoke}
[cpu]

[gpu]
"""

REFERENCES = """
- {key: kingma2014, title: Auto-Encoding Variational Bayes, authors: [Kingma, Welling],
   year: 2014, venue: ICLR 2014, arxiv: "1312.6114"}
"""


def code(source, count=None, outputs=(), tags=(), id=None):
    "A code cell."
    return dict(
        cell_type="code",
        id=id,
        execution_count=count,
        metadata={"tags": list(tags)} if tags else {},
        outputs=list(outputs),
        source=source.splitlines(keepends=True),
    )


def prose(text, id=None):
    "A markdown cell."
    return dict(cell_type="markdown", id=id, metadata={}, source=text.splitlines(keepends=True))


def stream(text, name="stdout"):
    "Printed output."
    return dict(output_type="stream", name=name, text=text.splitlines(keepends=True))


def picture(colours=2, size=(64, 48)):
    "Output with a PNG of so many colours."
    from PIL import Image

    image = Image.new("L", size)
    image.putdata([255 * (k % colours) // max(1, colours - 1) for k in range(size[0] * size[1])])
    file = io.BytesIO()
    image.save(file, "PNG")
    png = base64.b64encode(file.getvalue()).decode()
    return dict(
        output_type="display_data", metadata={}, data={"image/png": png, "text/plain": ["<Figure>"]}
    )


def notebook(*cells):
    "A notebook of these cells; cells without an id get one."
    for i, c in enumerate(cells):
        c["id"] = c["id"] or f"cell{i:04d}"
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return dict(
        cells=list(cells),
        metadata=dict(kernelspec=kernel, language_info={"name": "python"}),
        nbformat=4,
        nbformat_minor=5,
    )


def make_course(folder, smoke="", **notebooks):
    "A checkout in `folder` with these notebooks, named like n01_name."
    (folder / "nbs").mkdir(parents=True)
    (folder / "mmgen").mkdir()
    (folder / "data").mkdir()
    (folder / "data" / "references.yaml").write_text(REFERENCES, encoding="utf8")
    (folder / "settings.ini").write_text(SETTINGS.format(smoke=smoke), encoding="utf8")
    (folder / "README.md").write_text(
        "# Course\n\n<!-- badges -->\n<!-- /badges -->\n<!-- get -->\n<!-- /get -->\n"
        "<!-- install -->\n"
        "<!-- /install -->\n<!-- notebooks -->\n<!-- /notebooks -->\n",
        encoding="utf8",
    )
    for name, nb in notebooks.items():
        (folder / "nbs" / f"{name[1:]}.ipynb").write_text(json.dumps(nb), encoding="utf8")
    return folder


def simple(*lines, parameters="seed = 0\ndevice = 'cpu'\nsteps = 3", title="One question?"):
    "A notebook with a title, a parameters cell and one code cell per line."
    return notebook(
        prose(f"# {title}\n> A promise."),
        code(parameters, tags=["parameters"]),
        *[code(line) for line in lines],
    )
