"""A service provider on fastapi-xroad-soap, with a REST service on plain FastAPI beside it: they send back what they
get, text and attachments.

python provider.py ADDRESS PORT
"""

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi_xroad_soap import MessageBody, SoapService
from fastapi_xroad_soap.elements import Integer, String, SwaRef

NAMESPACE = "http://echo.kiirtee.example"
service = SoapService(name="EchoService", path="/service", this_namespace=NAMESPACE)


# The names of the classes are those of the elements: an answer's ends with Response.
class echoText(MessageBody):
    text = String(tag="text")
    count = Integer(tag="count")


class echoTextResponse(MessageBody, ns="tns", nsmap={"tns": NAMESPACE}):
    text = String(tag="text")
    count = Integer(tag="count")


class echoFile(MessageBody):
    file = SwaRef.Element(tag="file", hash_func="sha512")


class echoFileResponse(MessageBody, ns="tns", nsmap={"tns": NAMESPACE}):
    size = Integer(tag="size")
    digest = String(tag="digest")
    file = SwaRef.Element(tag="file", hash_func="sha512")


@service.action("echoText")
def echo_text(body: echoText) -> echoTextResponse:
    return echoTextResponse(text=body.text, count=body.count)


@service.action("echoFile")
def echo_file(body: echoFile) -> echoFileResponse:
    same = SwaRef.File(name=body.file.name, content=body.file.content)
    return echoFileResponse(size=body.file.size, digest=body.file.digest, file=same)


rest = FastAPI(openapi_url=None)


@rest.api_route("/rest/{path:path}", methods=["GET", "POST"])
async def echo(path: str, request: Request):
    body = (await request.body()).decode()
    return {"path": path, "query": request.url.query, "client": request.headers.get("x-road-client"), "body": body}


async def both(scope, receive, send):
    to_rest = scope["type"] == "http" and scope["path"].startswith("/rest/")
    await (rest if to_rest else service)(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(both, host=sys.argv[1], port=int(sys.argv[2]), log_level="warning")
