"""How tests read one lab node, and hold what it showed against its clock."""

import os

from lab.nodes.base import LabNode
from nodes.base import Node, Question, Stamp, make
from sources.clock import NS, Clock

CLOCK = Clock()
SLACK_NS = 50_000
"""By how much two readings of one clock may differ."""
AGENT = "time-drift/0.2 (+https://example.org/why)"


def a_question(node: LabNode, deadline_s: float = 2.0, path: str = "/") -> Question:
    """Return the question that reads a lab node, true time being this machine's."""
    return Question(
        host=node.address,
        port=node.port,
        addresses=(node.address,),
        deadline_raw_ns=CLOCK.raw_ns() + round(deadline_s * NS),
        clock=CLOCK,
        true_unix_ns=CLOCK.wall_ns,
        random_bytes=os.urandom,
        agent=AGENT,
        path=path,
    )


def reader(node: LabNode, **settings: object) -> Node:
    """Return what reads it: configured as the lab says, and these keys besides."""
    return make(node.kind, {**node.settings(), **settings})


def assert_holds(stamp: Stamp, off_ns: int, rtt_s: float = 0.5) -> None:
    """The node's clock was in [S, S + grain + lag] at some instant between t1 and t4."""
    wall_minus_raw_ns = CLOCK.wall_minus_raw_ns()
    low_ns = stamp.stamp_unix_ns - stamp.received_raw_ns - wall_minus_raw_ns
    high_ns = (
        stamp.stamp_unix_ns + stamp.grain_ns + stamp.lag_ns - stamp.sent_raw_ns - wall_minus_raw_ns
    )

    assert low_ns - SLACK_NS <= off_ns <= high_ns + SLACK_NS
    assert high_ns - low_ns < stamp.grain_ns + stamp.lag_ns + rtt_s * NS
