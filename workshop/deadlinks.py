"""The link checker of the site: every page, anchor, picture and address of this repository that a
page names must be there.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from . import repo


class Page(HTMLParser):
    "The anchors, links and addresses of one page."

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sources = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        "Note what a tag names; called by the parser."
        given = dict(attributes)
        if given.get("id"):
            self.ids.append(given["id"])
        if tag == "a" and given.get("href") is not None:
            self.links.append(given["href"])
        elif tag == "link":
            self.sources.append(given.get("href") or "")
        elif given.get("src") is not None:
            self.sources.append(given["src"])


def dead_links(folder, root=None) -> list:
    """Every link of a built site that leads nowhere, as 'page: link: reason'; addresses on GitHub
    and Colab are looked up in `root`.
    """
    folder = Path(folder)
    pages = {p.name: Page(p.read_text(encoding="utf8")) for p in sorted(folder.glob("*.html"))}
    own = own_addresses(root) if root else None
    bad = []
    for name, page in pages.items():
        doubled = {i for i in page.ids if page.ids.count(i) > 1}
        bad += [f"{name}: #{i}: the anchor stands twice" for i in sorted(doubled)]
        bad += [
            f"{name}: {s[:80]}: is fetched from elsewhere"
            for s in page.sources
            if re.match(r"https?:|//", s)
        ]
        for href in page.links + [s for s in page.sources if not urlsplit(s).scheme]:
            if reason := dead(href, name, pages, folder, own):
                bad.append(f"{name}: {href}: {reason}")
    return bad


def dead(href, name, pages, folder, own) -> str:
    "Why a link leads nowhere; '' where it does not."
    parts = urlsplit(href)
    if parts.scheme or href.startswith("//"):
        hit = own and own[0].match(href)
        return (
            "the repository has no such file"
            if hit and not (own[1] / unquote(hit[1])).exists()
            else ""
        )
    target = unquote(parts.path) or name
    if not (folder / target).is_file():
        return "there is no such page"
    anchor = unquote(parts.fragment)
    return (
        f"{target} has no such heading"
        if anchor and target in pages and anchor not in pages[target].ids
        else ""
    )


def own_addresses(root):
    """Pattern of the addresses that name a file of this repository, and the folder where the files
    lie.
    """
    repository = repo.repository(root)
    if not repository.web:
        return re.compile(r"(?!)"), Path(root)  # not published: no address is ours
    owner, name, branch = map(re.escape, repository)
    hosts = r"https://(?:github\.com|colab\.research\.google\.com/github)"
    return re.compile(rf"{hosts}/{owner}/{name}/(?:blob|tree)/{branch}/([^#?]+)"), Path(root)
