"""Settings of `ltnas.data` that are refused."""

from ltnas import config as c

REFUSED = {
    "no view": (lambda: c.PreviewConfig(views=0), "views=0", "1 or more"),
    "no row": (lambda: c.PreviewConfig(rows=0), "rows=0", "1 or more"),
    "preview seed": (lambda: c.PreviewConfig(seed=-1), "seed=-1", "[0, 4294967295]"),
}
