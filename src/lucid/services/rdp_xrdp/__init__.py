"""rdp-xrdp: the built-in desktop host, real xrdp.

Owns: xrdp and its session manager as supervised children, their settings and certificate, and the Unix accounts of
desktops with their homes.
Needs: DesktopMachine (the operating system), Folder (the certificate).
Never: touches an account that it did not make, lets any other log in, or starts anything before the first desktop
exists. Where xrdp cannot run it is ready and says why.
"""
