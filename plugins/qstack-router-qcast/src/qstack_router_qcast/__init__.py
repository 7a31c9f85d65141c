"""Q-CAST path selection: the path with the largest expected throughput."""

from qstack_router_qcast.metric import expected_throughput
from qstack_router_qcast.search import best_path

__all__ = ["best_path", "expected_throughput"]
