"""What 10^6 and 10^8 pictures cost: processors, clusters, storage, money, from measured costs.

    python benchmarks/plan.py
    python benchmarks/plan.py --pictures 1e8 --picture-mb 3 --network-mb 1000 --core-hour 0.04
    python benchmarks/plan.py --decode 34 --embed 80 --boxes 1.3

Nothing is run: seconds of the processor a picture or a row, as the other benchmarks measured them,
are multiplied out. Costs of a stage are taken to grow with the number of pictures; what was
measured on how many is in docs/scaling.md. Give your own measurements as options.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from ecotone.evaluation.summary import align

DAY, HOUR = 86_400.0, 3_600.0
# Bytes a detection beside its numbers, measured on a project of 50,000 (docs/scaling.md).
ID_BYTES, CATALOGUE_BYTES = 18, 310
UTILISED = 0.8  # of the cores' time: starts, stragglers, the last shards


@dataclass(frozen=True)
class Costs:
    """Measured costs. decode, detect, embed: ms of one core a picture or box. fuse, export, report:
    ms of one core a detection, on one machine. boxes: detections a picture."""

    decode: float
    detect: float
    embed: float
    fuse: float
    export: float
    report: float
    boxes: float

    def stages(self) -> dict[str, tuple[float, bool]]:
        """Core seconds a picture of each stage, and whether it is spread over a cluster."""
        return {
            "decode and prepare": (self.decode / 1e3, True),
            "detect": (self.detect / 1e3, True),
            "embed and classify": (self.embed * self.boxes / 1e3, True),
            "fuse": (self.fuse * self.boxes / 1e3, False),
            "export": (self.export * self.boxes / 1e3, False),
            "report": (self.report * self.boxes / 1e3, False),
        }


def storage(dimension: int, top: int, classes: int, boxes: float) -> dict[str, float]:
    """Bytes a picture of everything that is kept."""
    return {
        f"embeddings, float16 x {dimension}": boxes * (2 * dimension + ID_BYTES),
        f"scores, the top {top}": boxes * (8 * top + 8 + ID_BYTES),
        f"posteriors, {classes} classes": boxes * (4 * classes + ID_BYTES),
        "catalogue": boxes * CATALOGUE_BYTES,
    }


def cluster(core_seconds: float, deadline: float, cores: int) -> tuple[int, int]:
    """Cores that end in time, and nodes of that many cores."""
    needed = core_seconds / (deadline * UTILISED)
    nodes = max(1, -(-int(needed + 0.999999) // cores))
    return nodes * cores, nodes


def reading(pictures: float, megabytes: float, network: float) -> float:
    """Seconds that the storage takes to send all pictures once. network: MB a second."""
    return pictures * megabytes / network


def main() -> None:
    """Print the plan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    number = {"type": float}
    parser.add_argument("--pictures", default=1e8, **number)
    parser.add_argument("--picture-mb", default=3.0, help="size of a picture", **number)
    parser.add_argument("--network-mb", default=1000.0, help="MB a second in all", **number)
    parser.add_argument("--core-hour", default=0.04, help="price of a core for an hour", **number)
    parser.add_argument("--gpu-hour", default=1.0, help="price of a card for an hour", **number)
    parser.add_argument("--gpu-rate", default=0.0, help="pictures a second that one card was "
                        "measured to embed; 0: no card", **number)
    parser.add_argument("--month-gb", default=0.02, help="price of a GB for a month", **number)
    parser.add_argument("--node", type=int, default=32, help="cores of a node")
    parser.add_argument("--decode", default=35.0, help="ms of a core a picture", **number)
    parser.add_argument("--detect", default=0.0, help="ms a picture; 0: boxes come from elsewhere",
                        **number)
    parser.add_argument("--embed", default=8.0, help="ms of a core a detection", **number)
    parser.add_argument("--fuse", default=0.136, help="ms a detection", **number)
    parser.add_argument("--export", default=0.031, help="ms a detection", **number)
    parser.add_argument("--report", default=0.052, help="ms a detection", **number)
    parser.add_argument("--rows", default=1e6, help="detections of one project", **number)
    parser.add_argument("--fuse-kb", default=2.4, help="kB of memory a detection to fuse", **number)
    parser.add_argument("--boxes", default=1.0, help="detections a picture", **number)
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--top", type=int, default=5)
    parser.add_argument("--classes", type=int, default=30)
    given = parser.parse_args()
    costs = Costs(given.decode, given.detect, given.embed, given.fuse, given.export, given.report,
                  given.boxes)
    stages = costs.stages()
    spread = {name: s for name, (s, far) in stages.items() if far and s}
    if given.gpu_rate:
        spread.pop("embed and classify")
    print_stages(stages, given)
    print_storage(given)
    print_clusters(sum(spread.values()), given)


def print_stages(stages: dict[str, tuple[float, bool]], given: argparse.Namespace) -> None:
    """Core seconds for 10^6 pictures, core hours and their price for all."""
    table = [["stage", "core s, 10^6 pictures", "core hours, all", "price", "where"]]
    for name, (seconds, far) in stages.items():
        if not seconds:
            continue
        hours, where = given.pictures * seconds / HOUR, "cluster" if far else "one machine"
        price = hours * given.core_hour
        if given.gpu_rate and name.startswith("embed"):
            hours = given.pictures * given.boxes / given.gpu_rate / HOUR
            price, where = hours * given.gpu_hour, "cards, hours of them"
        table.append([name, f"{1e6 * seconds:,.0f}", f"{hours:,.0f}", f"{price:,.0f}", where])
    print("\n".join(align(table)))


def print_storage(given: argparse.Namespace) -> None:
    """Bytes of everything that is kept, and the pictures themselves."""
    table = [["kept", "bytes a picture", "GB, 10^6", "TB, all", "price a month"]]
    kept = storage(given.dimension, given.top, given.classes, given.boxes)
    for name, each in {**kept, "pictures": given.picture_mb * 1e6}.items():
        table.append([name, f"{each:,.0f}", f"{each / 1e3:,.2f}",
                      f"{each * given.pictures / 1e12:,.3f}",
                      f"{each * given.pictures / 1e9 * given.month_gb:,.0f}"])
    print("\n" + "\n".join(align(table)))


def print_clusters(seconds: float, given: argparse.Namespace) -> None:
    """Ray clusters for a day and for a week, and whether the network keeps up."""
    table = [["Ray cluster", "cores", f"nodes of {given.node}", "cards", "network, MB/s"]]
    for name, deadline in (("in one day", DAY), ("in one week", 7 * DAY)):
        cores, nodes = cluster(given.pictures * seconds, deadline, given.node)
        cards = "-"
        if given.gpu_rate:
            work = given.pictures * given.boxes / given.gpu_rate
            cards = f"{cluster(work, deadline, 1)[0]:,}"
        need = given.pictures * given.picture_mb / deadline
        table.append([name, f"{cores:,}", f"{nodes:,}", cards, f"{need:,.0f}"])
    print("\n" + "\n".join(align(table)))
    wire = reading(given.pictures, given.picture_mb, given.network_mb)
    projects = max(1, -(-int(given.pictures * given.boxes) // int(given.rows)))
    print(f"\n{projects:,} projects of at most {given.rows:,.0f} detections, fused apart, each "
          f"in {given.rows * given.fuse_kb / 1e6:,.1f} GB of memory")
    print(f"at {given.network_mb:,.0f} MB/s the pictures alone take {wire / HOUR:,.1f} hours "
          f"({wire / DAY:,.1f} days), however many cores there are")


if __name__ == "__main__":
    main()
