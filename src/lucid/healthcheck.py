"""Is the service in this container ready? `python3 -m lucid.healthcheck` ends with 0 if it is, else with 1 and why.

It asks the service's own `/ready`, which checks what the service cannot do without. The standard library alone: it runs
every few seconds in every container.
"""

import http.client
import os
import sys

LIMIT_S = 8.0
"""Less than the 10 s after which the container engine gives the check up."""


def main() -> int:
    """Print the service's answer and return the exit status."""
    port = os.environ.get("LUCID_HTTP_PORT", "")
    if not port.isdecimal():
        print("LUCID_HTTP_PORT: expected the port of the service")  # noqa: T201 - shown by `docker inspect`
        return 1
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=LIMIT_S)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        print(answer.read().decode(errors="replace"))  # noqa: T201
    except (OSError, http.client.HTTPException) as error:
        print(f"port {port}: {type(error).__name__}: {error}")  # noqa: T201
        return 1
    finally:
        connection.close()
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
