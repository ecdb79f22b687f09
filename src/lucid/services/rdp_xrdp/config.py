"""The settings files of xrdp, written by us as a whole: what the package's files allow beyond this is not wanted.

Sources: the manual pages xrdp.ini(5) and sesman.ini(5) of xrdp 0.9.21 and 0.10.
"""

from collections.abc import Mapping

from lucid.services.rdp_xrdp.settings import RdpXrdpSettings

STARTUP = """#!/bin/sh
# The desktop of a session. A script startwm.sh in the home takes its place.
[ -r /etc/profile ] && . /etc/profile
[ -r "$HOME/.profile" ] && . "$HOME/.profile"
cd "$HOME" && exec >.xsession-errors 2>&1
[ -x "$HOME/.xsession" ] && exec "$HOME/.xsession"
for session in startxfce4 startlxqt mate-session startplasma-x11; do
    command -v "$session" >/dev/null && exec "$session"
done
command -v xsetroot >/dev/null && xsetroot -solid '#204060'
if command -v openbox >/dev/null; then
    exec openbox --startup "xterm -geometry 100x30+40+40"
fi
exec xterm
"""

# Not to the console: that output waits in a buffer, of which each connection's process prints a copy.
_LOGGING = """[Logging]
LogFile=/dev/stderr
LogLevel=INFO
EnableSyslog=false
EnableConsole=false
"""

# Files that programs read as root, the key among them, and the script that people run.
PRIVATE, READABLE, RUNNABLE = 0o600, 0o644, 0o755


def files(
    settings: RdpXrdpSettings, *, folder: str, port: int, sesman_port: int, certificate: str
) -> Mapping[str, tuple[str, int]]:
    """Names, texts and modes of all files in the run folder; `certificate` is PEM with the key first."""
    return {
        "tls.pem": (certificate, PRIVATE),
        "startwm.sh": (STARTUP, RUNNABLE),
        "xrdp.ini": (xrdp_ini(settings, folder=folder, port=port), READABLE),
        "sesman.ini": (sesman_ini(settings, folder=folder, port=sesman_port), READABLE),
    }


def xrdp_ini(settings: RdpXrdpSettings, *, folder: str, port: int) -> str:
    """TLS only, and one kind of session: the kinds that connect elsewhere are left out."""
    address = settings.listen_address
    where = f"tcp6://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"
    return f"""[Globals]
ini_version=1
fork=true
port={where}
tcp_nodelay=true
tcp_keepalive=true
security_layer=tls
certificate={folder}/tls.pem
key_file={folder}/tls.pem
ssl_protocols=TLSv1.2, TLSv1.3
autorun=Xorg
allow_channels=true
allow_multimon=true
bitmap_cache=true
bitmap_compression=true
bulk_compression=true
max_bpp=32
new_cursors=true
use_fastpath=both

{_LOGGING}
[Channels]
rdpdr=true
rdpsnd=true
drdynvc=true
cliprdr=true
rail=true
xrdpvr=true

[Xorg]
name=Xorg
lib=libxup.so
username=ask
password=ask
ip=127.0.0.1
port=-1
code=20
"""


def sesman_ini(settings: RdpXrdpSettings, *, folder: str, port: int) -> str:
    """Members of our group alone may log in, root never; a session stays when its client leaves."""
    return f"""[Globals]
ListenAddress=127.0.0.1
ListenPort={port}
EnableUserWindowManager=true
UserWindowManager=startwm.sh
DefaultWindowManager={folder}/startwm.sh
ReconnectScript=/etc/xrdp/reconnectwm.sh

[Security]
AllowRootLogin=false
MaxLoginRetry=2
TerminalServerUsers={settings.group}
AlwaysGroupCheck=true

[Sessions]
X11DisplayOffset=10
MaxSessions={settings.max_sessions}
KillDisconnected=false
DisconnectedTimeLimit=0
IdleTimeLimit=0
Policy=Default

{_LOGGING}
[Xorg]
param={settings.xorg}
param=-config
param=xrdp/xorg.conf
param=-noreset
param=-nolisten
param=tcp
param=-logfile
param=.xorgxrdp.%s.log

[Chansrv]
FileUmask=077
EnableFuseMount=false

[ChansrvLogging]
LogLevel=WARNING
EnableSyslog=false
"""
