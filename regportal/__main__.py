"""``python -m regportal``."""

from regportal.cli import main

main()
