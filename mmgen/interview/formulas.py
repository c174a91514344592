"""TeX as MathML: latex2mathml does the work, and a few turns make it what browsers draw well
(MathML Core).
"""

import unicodedata
import xml.etree.ElementTree as ET

from .checkout import CourseError

UNKNOWN = {r"\arg": r"\operatorname{arg}", r"\&": "＆"}  # what latex2mathml 3 does not know
ALPHABETS = {
    "script": "SCRIPT",
    "double-struck": "DOUBLE-STRUCK",
    "bold": "BOLD",
    "fraktur": "FRAKTUR",
    "sans-serif": "SANS-SERIF",
}
CHARACTERS = str.maketrans(
    {"⧵": "∖", "＆": "&"}
)  # the font lacks the first; the second stood in for \\&
LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}


def mathml(tex, display=False) -> str:
    """A formula as MathML, which browsers draw without a script; one that is not understood raises
    CourseError.
    """
    from latex2mathml.converter import convert

    text = tex
    for ours, theirs in UNKNOWN.items():
        text = text.replace(ours + " ", theirs + " ").replace(ours + "\\", theirs + "\\")
    try:
        root = ET.fromstring(
            convert(text, display="block" if display else "inline").replace("&</", "&amp;</")
        )
    except Exception as e:
        raise CourseError(f"the formula {tex!r} is not understood: {type(e).__name__} {e}") from e
    for node in root.iter():
        node.tag, node.text = (
            node.tag.rpartition("}")[2],
            node.text and node.text.translate(CHARACTERS),
        )
    left = [
        node.text
        for node in root.iter()
        if (node.text or "").startswith("\\") and len(node.text) > 1
    ]
    if left:
        raise CourseError(f"the formula {tex!r} is not understood: {left[0]}")
    for node in root.iter():
        letters(node)
        bars(node)
        limits(node)
    for node in list(root.iter()):
        spaces(node)
    root.set("alttext", tex)
    return ET.tostring(root, encoding="unicode")


def letters(node):
    """Browsers know the letters of Unicode's mathematical alphabets and no `mathvariant` but
    `normal`.
    """
    kind = ALPHABETS.get(node.get("mathvariant"))
    if kind and node.text:
        node.text = "".join(letter(kind, c) for c in node.text)
        del node.attrib["mathvariant"]


def letter(kind, c) -> str:
    "A letter in one of the mathematical alphabets, or as it was where the alphabet lacks it."
    name = (
        unicodedata.name(c, "").replace("LATIN ", "").replace("GREEK ", "").replace(" LETTER", "")
    )
    for full in (f"MATHEMATICAL {kind} {name}", f"{kind} {name}"):
        try:
            return unicodedata.lookup(full)
        except KeyError:
            pass
    return c


def bars(node):
    """Bars of a norm are as high as a letter unless `\\left` says otherwise; an upright bar
    encloses, `\\mid` stands between.
    """
    if node.tag == "mo" and node.text in ("‖", "|", "∣") and "stretchy" not in node.attrib:
        node.set("stretchy", "false")
    if node.tag == "mo" and node.text == "|":
        node.set("lspace", "0")
        node.set("rspace", "0")


def limits(node):
    "Sums, products, minima and the like have what stands under them there, where there is room."
    if (
        node.tag not in LIMITS
        or node[0].tag != "mo"
        or node[0].text not in ("∑", "∏", "min", "max", "lim", "arg")
    ):
        return
    node.tag = LIMITS[node.tag]
    node[0].set("movablelimits", "true")


def named(node) -> bool:
    "Whether this is a function's name, with or without an index."
    if node.tag in (*LIMITS, *LIMITS.values()):
        return named(node[0])
    return (
        node.tag in ("mi", "mo")
        and len(node.text or "") > 1
        and node.text.isascii()
        and node.text.isalpha()
    )


def spaces(row):
    "A small space between a function's name and its argument, unless a bracket follows."
    if row.tag not in ("mrow", "math", "mstyle", "msqrt", "mtd"):
        return
    for k in range(len(row) - 1, 0, -1):
        if (
            named(row[k - 1])
            and row[k].tag not in ("mo", "mspace")
            or named(row[k - 1])
            and named(row[k])
        ):
            row.insert(k, ET.Element("mspace", width="0.167em"))
