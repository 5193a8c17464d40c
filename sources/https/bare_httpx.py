"""httpx without what it imports and we never call, which is a quarter of its 100 ms.

- its command line, for which it tries click, rich and pygments, and does without where it fails;
- anyio, which httpcore tries for asynchronous use, and does without where it fails;
- certifi, the CA bundle of httpcore's default TLS context: ours is always passed (net/tls.py).
"""

import sys
from types import ModuleType

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
sys.modules.setdefault("anyio", None)  # type: ignore[arg-type]
sys.modules.setdefault("certifi", ModuleType("certifi"))

import httpcore  # noqa: E402 - after the lines above, which are the point
import httpx  # noqa: E402

__all__ = ["httpcore", "httpx"]
