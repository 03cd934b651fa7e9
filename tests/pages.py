"""Reads a report's page: tags balanced, nothing requested, its text in one line."""

import re
from html.parser import HTMLParser

VOID = ("meta", "img", "br", "path", "use")


class Tags(HTMLParser):
    """Checks that tags are balanced, and collects what would be requested."""

    def __init__(self):
        super().__init__()
        self.open, self.requests, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.requests += [
            v for k, v in attrs if k in ("src", "href", "xlink:href") and not v.startswith(("data:", "#"))
        ]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(path):
    page = Tags()
    page.feed(path.read_text())
    page.close()
    assert page.open == []
    assert page.requests == []
    page.text = re.sub(r"\s+", " ", page.text)
    return page
