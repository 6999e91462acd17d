"""What becomes of each scenario of the conformance suite: those that need nothing of the server but its protocol must pass.

One run of the suite asks about a generation of the protocol. The other scenarios call tools, prompts and resources that only a test
server has (`test_simple_text`, `test://static-text`), or ask for a capability that this server does not announce.
"""

from __future__ import annotations

from types import MappingProxyType

SUITE = "0.2.0-alpha.12"
"""The newest of npm's `@modelcontextprotocol/conformance`; the releases before (0.1.16) do not know 2026-07-28."""
HANDSHAKE, SESSIONLESS = "2025-11-25", "2026-07-28"

PASSED = MappingProxyType(
    {
        HANDSHAKE: (
            "server-initialize",
            "server-session-lifecycle",
            "ping",
            "completion-complete",
            "tools-list",
            "tools-call-error",
            "server-sse-multiple-streams",
            "resources-list",
            "prompts-list",
            "dns-rebinding-protection",
        ),
        SESSIONLESS: (
            "completion-complete",
            "tools-list",
            "tools-call-error",
            "server-sse-multiple-streams",
            "resources-list",
            "sep-2164-resource-not-found",
            "prompts-list",
            "dns-rebinding-protection",
            "caching",
            "http-header-validation",
            "input-required-result-unsupported-methods",
        ),
    }
)
"""By generation: every check of these succeeds."""

PARTLY = MappingProxyType(
    {
        "server-stateless": {
            "sep-2575-server-rejects-undeclared-capability": "calls the suite's own tool test_missing_capability",
            "sep-2575-missing-capability-http-400": "calls the suite's own tool test_missing_capability",
            "sep-2575-server-sends-prompts-list-changed-on-subscription": "the lists of this server never change",
            "sep-2575-server-sends-tools-list-changed-on-subscription": "the lists of this server never change",
        }
    }
)
"""Of 2026-07-28: every check succeeds but these, with the reason."""

NOT_OFFERED = MappingProxyType(
    {
        "logging-set-level": "logging",
        "resources-subscribe": "resources.subscribe",
        "resources-unsubscribe": "resources.subscribe",
    }
)
"""Scenarios of a capability that the server does not announce: that they fail is right."""

FIXTURES = MappingProxyType(
    {
        "tools-call-": "tools of a test server",
        "json-schema-2020-12": "a tool of a test server",
        "elicitation-": "tools of a test server",
        "server-sse-polling": "a tool of a test server that closes its stream",
        "resources-read-": "resources of a test server",
        "resources-templates-read": "a template of a test server",
        "prompts-get-": "prompts of a test server",
        "http-custom-header-server-validation": "a tool whose arguments are also headers",
        "input-required-result-": "tools of a test server that ask back",
        "sep-2640-": "the extension for skills over MCP, which is not offered",
        "tasks-": "the extension for tasks, which mcp 2.2 does not have",
    }
)
"""How the names of the others begin, and what they need; nothing is said of them."""
