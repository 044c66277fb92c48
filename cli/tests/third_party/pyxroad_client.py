"""pyxroad as an information system: python pyxroad_client.py SECURITY_SERVER CLIENT SERVICE WSDL TEXT COUNT

It prints what the service answered as JSON, or the fault. WSDL is where the description lies when the security server does not give it,
`-` when it does. The schemas that the description imports are on other machines; here they come from xsd/.
"""

import json
import logging
import pathlib
import sys

from lxml import etree
from XRoad import XClient
from zeep.exceptions import Fault
from zeep.transports import Transport

NAMESPACE = "http://echo.kiirtee.example"
SCHEMAS = {
    "http://x-road.eu/xsd/xroad.xsd": "xroad.xsd",
    "http://x-road.eu/xsd/identifiers.xsd": "identifiers.xsd",
    "http://ws-i.org/profiles/basic/1.1/swaref.xsd": "swaref.xsd",
}


class Offline(Transport):
    """Loads what is not at hand from where it is."""

    def load(self, url):
        if url in SCHEMAS:
            return (pathlib.Path(__file__).parent / "xsd" / SCHEMAS[url]).read_bytes()
        if "/wsdl?" in url and wsdl != "-":
            url = wsdl
        return super().load(url)

    def post_xml(self, address, envelope, headers):
        # fastapi-xroad-soap takes no XML declaration.
        return self.post(address, etree.tostring(envelope, encoding="unicode").encode(), headers)


logging.disable(logging.CRITICAL)
security_server, client, service, wsdl, text, count = sys.argv[1:]
road = XClient(security_server, client, service, transport=Offline())
# And it finds only namespaces that the envelope itself declares.
road.set_ns_prefix("tns", NAMESPACE)
try:
    answer = road.request(text=text, count=int(count))
    body = answer.get("body", answer)
    print(json.dumps(body, ensure_ascii=False, default=str))
except Fault as fault:
    # pyxroad wraps the fault that zeep raised.
    cause = fault.message
    print(json.dumps({"fault": {"code": cause.code, "text": cause.message}}, ensure_ascii=False))
