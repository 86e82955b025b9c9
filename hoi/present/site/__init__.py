"""The report: static pages that a browser opens from disk, without a server or a network.

`shown` says what a clip's page shows, as data; `pages` writes it into pages and scripts, every text escaped. Beside them lie
what the pages need: templates, style, the viewer, and three.js as one script (THIRD_PARTY.md).
"""
