"""Prometheus metrics (docs/monitoring.md lists them). Series of what is no more are removed."""

from collections.abc import Sequence

from prometheus_client import Gauge

from lucid.ports.desktops import XrdpStatus
from lucid.ports.monitor import HostFigures, SessionFigures

_SESSIONS = Gauge("lucid_rdp_sessions", "Sessions that run")
_BYTES = Gauge("lucid_rdp_bytes_per_second", "Bytes that all sessions relay a second", ("source",))
_SESSION_BYTES = Gauge("lucid_rdp_session_bytes_per_second", "Bytes relayed a second", ("session", "source"))
_SESSION_RTT = Gauge("lucid_rdp_session_rtt_seconds", "Round trip as TCP measures it", ("session", "peer"))
_SESSION_IDLE = Gauge("lucid_rdp_session_idle_seconds", "Time since the last input", ("session",))
_SESSION_CPU = Gauge("lucid_rdp_session_cpu_cores", "CPU seconds a second of the desktop", ("session",))
_SESSION_MEMORY = Gauge("lucid_rdp_session_memory_bytes", "Resident bytes of the desktop", ("session",))
_HOST_UP = Gauge("lucid_host_up", "Whether the last synthetic connection saw a first frame", ("host",))
_HOST_STEP = Gauge("lucid_host_probe_seconds", "Time to a step of the last synthetic connection", ("host", "step"))
_BUILT_IN_UP = Gauge("lucid_builtin_host_up", "Whether a program of the built-in host runs", ("program",))
_BUILT_IN_RESTARTS = Gauge("lucid_builtin_host_restarts", "Restarts of its programs since it began")
_BUILT_IN_SESSIONS = Gauge("lucid_builtin_host_desktops", "Desktops that run on the built-in host")
_BUILT_IN_CPU = Gauge("lucid_builtin_host_cpu_seconds", "CPU seconds of the desktops' processes that live")
_BUILT_IN_MEMORY = Gauge("lucid_builtin_host_memory_bytes", "Resident bytes of the desktops")

_PER_SESSION = (_SESSION_BYTES, _SESSION_RTT, _SESSION_IDLE, _SESSION_CPU, _SESSION_MEMORY)


def show_sessions(sessions: Sequence[SessionFigures], max_series: int) -> None:
    """The totals, and the `max_series` sessions that have run the longest one by one."""
    _SESSIONS.set(len(sessions))
    _BYTES.labels("client").set(sum(one.client_bytes_per_s for one in sessions))
    _BYTES.labels("host").set(sum(one.host_bytes_per_s for one in sessions))
    for gauge in _PER_SESSION:
        gauge.clear()
    # The ids begin with the time, so the longest-running come first, and a session's series does not come and go.
    for one in sorted(sessions, key=lambda one: one.session)[:max_series]:
        _SESSION_BYTES.labels(one.session, "client").set(one.client_bytes_per_s)
        _SESSION_BYTES.labels(one.session, "host").set(one.host_bytes_per_s)
        _SESSION_IDLE.labels(one.session).set(one.idle_s)
        for peer, rtt_ms in (("client", one.client_rtt_ms), ("host", one.host_rtt_ms)):
            if rtt_ms is not None:
                _SESSION_RTT.labels(one.session, peer).set(rtt_ms / 1000)
        if one.cpu_cores is not None and one.memory_bytes is not None:
            _SESSION_CPU.labels(one.session).set(one.cpu_cores)
            _SESSION_MEMORY.labels(one.session).set(one.memory_bytes)


def show_built_in(status: XrdpStatus) -> None:
    """The built-in host, where there is one."""
    if not status.available:
        return
    _BUILT_IN_UP.labels("xrdp").set(status.xrdp)
    _BUILT_IN_UP.labels("xrdp-sesman").set(status.sesman)
    _BUILT_IN_RESTARTS.set(status.restarts)
    _BUILT_IN_SESSIONS.set(status.sessions)
    _BUILT_IN_CPU.set(status.cpu_s)
    _BUILT_IN_MEMORY.set(status.memory_bytes)


def show_hosts(hosts: Sequence[HostFigures], max_series: int) -> None:
    """The hosts that are probed, by name the first `max_series`."""
    _HOST_UP.clear()
    _HOST_STEP.clear()
    for one in hosts[:max_series]:
        if one.last is None:
            continue
        _HOST_UP.labels(one.host).set(one.last.first_frame_ms is not None)
        steps = {
            "tcp": one.last.tcp_ms,
            "tls": one.last.tls_ms,
            "login": one.last.login_ms,
            "first_frame": one.last.first_frame_ms,
        }
        for step, reached_ms in steps.items():
            if reached_ms is not None:
                _HOST_STEP.labels(one.host, step).set(reached_ms / 1000)
