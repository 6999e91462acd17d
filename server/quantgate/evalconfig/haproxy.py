"""Several instances behind HAProxy: what NEL 0.2.6 reads for it on Slurm (executors/slurm/executor.py, proxy.cfg.template).

HAProxy runs on the first node of the job, beside the first instance, and asks each instance's health page.
"""

from __future__ import annotations

from ..errors import BadInput
from . import packaged, paths, surgery
from .document import ConfigDocument

_PROXY = "execution.proxy"


def use_proxy(document: ConfigDocument, notes: list[str]) -> ConfigDocument:
    """The config with a proxy that finds the instances healthy.

    Args:
        document: Not changed; for Slurm, with a deployment.
        notes: Gets what was set, and why.

    Raises:
        BadInput: The proxy and the model want one port, or the proxy is not HAProxy.
    """
    kind = packaged.value(document, "execution", "proxy", "type")
    if kind != "haproxy":
        raise BadInput(
            f"NEL knows only the proxy type haproxy, not {str(kind)[:40]!r}",
            where=f"{document.path}: {_PROXY}.type",
            fix=f"unset {_PROXY}.type",
        )
    port = packaged.value(document, "execution", "proxy", "config", "haproxy_port")
    if port == packaged.value(document, "deployment", "port"):
        raise BadInput(
            f"HAProxy and the model's server would both listen on port {port} of the first node",
            where=f"{document.path}: {_PROXY}.config.haproxy_port",
            fix=f"set {_PROXY}.config.haproxy_port to another port, such as 5009",
        )
    return _with_health_page(document, notes)


def _with_health_page(document: ConfigDocument, notes: list[str]) -> ConfigDocument:
    """The packaged path is /health and wins over the deployment's own, which is another one for NIM."""
    written = paths.dig(document.plain, "execution", "proxy", "config", "health_check_path")
    page = packaged.value(document, "deployment", "endpoints", "health")
    packaged_page = packaged.value(document, "execution", "proxy", "config", "health_check_path")
    if written is not None or not isinstance(page, str) or page == packaged_page:
        return document
    notes.append(f"{_PROXY}.config.health_check_path is {page}: this deployment has no {packaged_page}")
    return surgery.set_value(document, f"{_PROXY}.config.health_check_path", page)
