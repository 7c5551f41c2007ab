"""Two nodes of a Ray cluster on this machine: prints the address, takes a node away on request, ends with its input."""

from __future__ import annotations

import sys

from ray.cluster_utils import Cluster

MEMORY = 80_000_000
"""Bytes of a node's object store, the least that Ray takes."""


def started() -> tuple[Cluster, object]:
    """Ray gives a node thirty seconds to start, which on a busy machine may be too few."""
    for _ in range(6):
        cluster = Cluster()
        try:
            cluster.add_node(num_cpus=1, include_dashboard=False, object_store_memory=MEMORY)
            other = cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
            cluster.wait_for_nodes()
        except Exception as error:
            sys.stderr.write(f"{error}\n")
            cluster.shutdown()
        else:
            return cluster, other
    raise SystemExit("the cluster does not start")


cluster, other = started()
print(cluster.address, flush=True)
for line in sys.stdin:
    if line.strip() == "lose":
        cluster.remove_node(other, allow_graceful=False)
        print("lost", flush=True)
cluster.shutdown()
