"""httpx without its command line, which it imports as well: click, rich and pygments, 90 ms.

It does so only where click is installed, and does without where the import fails.
"""

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402 - after the line above, which is the point

__all__ = ["httpx"]
