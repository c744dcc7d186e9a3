"""Leave with 0 where this machine's regportal on a port is ready for visitors, else with 1."""

import http.client
import os
import sys
from urllib.parse import urlsplit

base = urlsplit(os.environ["REGPORTAL_BASE_URL"])
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=4)
try:
    connection.request("GET", f"{base.path}/readyz", headers={"Host": base.netloc})
    status = connection.getresponse().status
except OSError:
    sys.exit(1)
sys.exit(status != http.HTTPStatus.OK)
