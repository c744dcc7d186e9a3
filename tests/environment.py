"""What a process of ours finds in its environment."""

import os


def environment_of(**settings):
    """Return our own environment with these settings, and without proxies: all are on loopback."""
    rest = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
    return rest | {f"REGPORTAL_{name.upper()}": str(value) for name, value in settings.items()}
