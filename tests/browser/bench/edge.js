/** A proxy in front of `local`, which compresses nothing; it compresses as CloudFront does. */
import { once } from "node:events";
import { createServer } from "node:http";
import { asSent } from "../support/weight.js";

/**
 * @param {string} origin
 * @returns {Promise<{ url: string, stop: () => void }>}
 */
export async function startEdge(origin) {
  const server = createServer((request, response) => void forward(origin, request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}

/**
 * @param {string} origin
 * @param {import("node:http").IncomingMessage} request only GET: pages that are looked at post nothing
 * @param {import("node:http").ServerResponse} response
 */
async function forward(origin, request, response) {
  const path = request.url ?? "/";
  const answer = await fetch(origin + path, { redirect: "manual" });
  const { body, compressed } = asSent(Buffer.from(await answer.arrayBuffer()), path, answer.headers.get("content-type") ?? "");
  const hop = new Set(["connection", "content-length", "transfer-encoding", "keep-alive"]);
  response.writeHead(answer.status, {
    ...Object.fromEntries([...answer.headers].filter(([name]) => !hop.has(name))),
    "content-length": body.length, ...(compressed ? { "content-encoding": "gzip" } : {}),
  });
  response.end(body);
}
