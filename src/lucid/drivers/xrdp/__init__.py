"""Linux with Debian's xrdp: Unix accounts of desktops, and xrdp's programs as children. It works as root."""
