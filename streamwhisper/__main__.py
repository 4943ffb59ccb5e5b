"""``python -m streamwhisper`` is the ``streamwhisper`` command."""

from __future__ import annotations

from streamwhisper.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
