/** Ports for programs that the tests start. */
import { once } from "node:events";
import { createServer } from "node:net";

/** @returns {Promise<number>} a port on loopback that is free for TCP, and hardly ever taken for UDP */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}
