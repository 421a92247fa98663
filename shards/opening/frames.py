"""Whether segments may leave as frames, which pass by the host's own rules for what leaves.

    frames   always
    auto     while no rule but ours, no policy that drops, and no IPsec policy stands anywhere
    raw      never

Any rule counts, also one for what comes in: conntrack, which most of them stand on, would not see what
leaves, and take what the peer says of it for INVALID. Owns the decision and its words; what there is the
kernel says (`ffi.rulesets`).
"""

from typing import Final

from gossamer.ffi.rulesets import first_legacy_table, first_nf_tables_rule, has_ipsec_policies
from gossamer.shards.configuration.config import Config
from gossamer.shards.firewall.rules import CHAIN_PREFIX

OURS: Final = CHAIN_PREFIX.encode()
"""Stands in the name of each of our chains, the tree's too, and in each rule that leads there."""


def rule_in_the_way() -> str | None:
    """What a worker can see that speaks against frames, in words; None when nothing does."""
    try:
        rule = first_nf_tables_rule(OURS)
        if rule is None and has_ipsec_policies():
            return "IPsec policies stand"
    except OSError as error:
        return f"the host's rules cannot be read: {error.strerror or error}"
    return None if rule is None else f"rules of others stand in {rule}"


def may_send_frames() -> bool:
    """Whether nothing speaks against it."""
    return rule_in_the_way() is None


def legacy_in_the_way() -> str | None:
    """The same of iptables-legacy, of whose changes the kernel says nothing: it is looked at once, at the
    start. Needs root."""
    try:
        table = first_legacy_table()
    except OSError as error:
        return f"the tables of iptables-legacy cannot be read: {error.strerror or error}"
    return None if table is None else f"rules of others stand in {table}"


def output_of(config: Config, stack: str, why_not: str | None) -> str:
    """How segments leave, for people: see `ServerStatus.output`. `why_not` is what spoke against frames when
    the server started."""
    if stack != "nfqueue":
        return ""
    reason = why_not or (rule_in_the_way() if config.nfqueue.output == "auto" else None)
    return "frames" if reason is None else f"packets: {reason}"
