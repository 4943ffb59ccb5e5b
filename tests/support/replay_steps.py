"""Random histories of a connection."""

from __future__ import annotations

from hypothesis import strategies as st

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["write", "flush", "send", "lose", "cut", "die", "ack", "settle", "answer"]
        ),
        st.integers(0, 40),
    ),
    max_size=60,
)
