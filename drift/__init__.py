"""Asking MANY sources: configuration, gathering, consensus, reports and the command line."""

__version__ = "0.2.0"
