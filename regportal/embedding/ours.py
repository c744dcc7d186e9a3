"""What the portal knows of itself, to hold a page of somebody else against."""

from pathlib import Path

from regportal.embedding.builds import Build, builds
from regportal.embedding.judging import NAMES
from regportal.embedding.seen import Ours
from regportal.forms.schema import Gate
from regportal.library.schema import Asset
from regportal.store.documents import Published, Site


def ours_of(base_url: str, published: Published, scripts: Path) -> Ours:
    """Return what a portal knows of itself; ``scripts`` is the folder of its builds."""
    hashes = {f"static/js/{name}": Build("", scripts).integrity(name) for name in NAMES}
    for version, place in builds(scripts).items():
        build = Build(version, place)
        hashes |= {build.address(name): build.integrity(name) for name in NAMES}
    site, gates = Site.of(published), published.all(Gate)
    return Ours(
        url=base_url.rstrip("/"),
        origins=site.origins,
        gates=[gate.key for gate in gates],
        hashes=hashes,
        by_mail=[gate.key for gate in gates if not gate.hands_over(site, proven=False)],
        films=[gate.key for gate in gates if published.one(Asset, gate.asset).plays],
    )
