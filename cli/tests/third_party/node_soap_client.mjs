// node-soap as an information system:
// node node_soap_client.mjs SECURITY_SERVER CLIENT SERVICE WSDL ARGUMENTS
// It prints the answer, the SOAP header and the attachments that came as JSON. ARGUMENTS is a file of JSON; with `file` in
// it (name and base64), that is attached.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

// node_modules is in a folder of its own, which is the working directory.
const soap = createRequire(`${process.cwd()}/`)("soap");
const [securityServer, clientId, serviceId, wsdl, file] = process.argv.slice(2);
const given = JSON.parse(readFileSync(file, "utf8"));

const schemas = {
  "http://x-road.eu/xsd/xroad.xsd": "xroad.xsd",
  "http://x-road.eu/xsd/identifiers.xsd": "identifiers.xsd",
  "http://ws-i.org/profiles/basic/1.1/swaref.xsd": "swaref.xsd",
};
const cached = {};
for (const [url, schema] of Object.entries(schemas)) {
  cached[url] = readFileSync(new URL(`xsd/${schema}`, import.meta.url), "utf8");
}

const names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode", "serviceVersion"];
function identifier(element, type, id) {
  const parts = id.split("/").map((part, index) => `<id:${names[index]}>${part}</id:${names[index]}>`);
  return `<xro:${element} id:objectType="${type}">${parts.join("")}</xro:${element}>`;
}
const namespaces = 'xmlns:xro="http://x-road.eu/xsd/xroad.xsd" xmlns:id="http://x-road.eu/xsd/identifiers"';
const header = [
  identifier("client", "SUBSYSTEM", clientId),
  identifier("service", "SERVICE", serviceId),
  `<xro:userId>EE1</xro:userId><xro:id>node-soap-${Date.now()}</xro:id>`,
  "<xro:protocolVersion>4.0</xro:protocolVersion>",
]
  .join("")
  .replaceAll(/<xro:(\w+)/g, `<xro:$1 ${namespaces}`);

// What the description imports is on other machines.
const httpClient = new soap.HttpClient({ parseReponseAttachments: true });
const request = httpClient.request.bind(httpClient);
httpClient.request = (url, data, callback, ...rest) => {
  if (url in cached) {
    callback(null, { status: 200, statusCode: 200, headers: {} }, cached[url]);
    return undefined;
  }
  return request(url, data, callback, ...rest);
};

const client = await soap.createClientAsync(wsdl, {
  endpoint: `${securityServer}/`,
  httpClient,
  parseReponseAttachments: true,
});
client.addSoapHeader(header);
const operation = serviceId.split("/")[4];
// fastapi-xroad-soap takes no XML declaration.
const options = { postProcess: (xml) => xml.replace(/^<\?xml[^>]*\?>/, "") };
if (given.file) {
  const body = Buffer.from(given.file.base64, "base64");
  options.attachments = [{ name: given.file.name, mimetype: "application/octet-stream", contentId: "the-file", body }];
  given.file = "cid:the-file";
}
try {
  const [result, , soapHeader] = await client[`${operation}Async`](given, options);
  const attachments = (client.lastResponseAttachments?.parts ?? []).map((part) => ({
    headers: part.headers,
    base64: Buffer.from(part.body).toString("base64"),
  }));
  console.log(JSON.stringify({ result, header: soapHeader, attachments }));
} catch (error) {
  console.log(JSON.stringify({ fault: error.root?.Envelope?.Body?.Fault ?? String(error) }));
}
