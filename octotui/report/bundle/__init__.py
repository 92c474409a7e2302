"""The support bundle: one file with all that is known of a run, for whoever has to help."""

from octotui.report.bundle.make import Bundle, make_bundle

__all__ = ["Bundle", "make_bundle"]
