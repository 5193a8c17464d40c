"""Debian's copyright file: our licence, and those that came with each library."""

import re
from email.parser import HeaderParser
from pathlib import Path

_LICENCES = re.compile(r"(LICEN[CS]E|COPYING|NOTICE)", re.IGNORECASE)
_APACHE = re.compile(r"^\s*Apache License\s+Version 2\.0", re.MULTILINE)
"""Its text is on each system of Debian's, which wants it named instead of copied."""


def text(template: Path, license_file: Path, packages: Path) -> str:
    """Return the file, with what each library's own metadata holds."""
    parts = [
        template.read_text(encoding="utf-8").replace(
            "@LICENSE@", license_file.read_text(encoding="utf-8").strip()
        )
    ]
    for metadata in sorted(packages.glob("*.dist-info")):
        fields = HeaderParser().parsestr((metadata / "METADATA").read_text(encoding="utf-8"))
        title = f"{fields['Name']} {fields['Version']}"
        parts.append(f"{'=' * 72}\n{title}\n")
        for path in sorted(metadata.rglob("*")):
            if path.is_file() and _LICENCES.match(path.name):
                words = path.read_text(encoding="utf-8")
                if not _APACHE.search(words):
                    parts.append(words.strip() + "\n")
                else:
                    parts.append("Apache License 2.0\n")
    return "\n".join(parts)
