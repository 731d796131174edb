/**
 * A DynamoDB that can be unreachable for a while: the way to the one of an emulator, and to nothing else of it but STS, which
 * says whose account it is. So API and signaling run in the product's own process, and lose only their database.
 */
import { once } from "node:events";
import { createServer, request } from "node:http";

/**
 * @param {string} emulator its URL
 * @returns {Promise<{ url: string, leave: () => void, comeBack: () => void, stop: () => Promise<void> }>}
 */
export async function databaseOf(emulator) {
  let away = false;
  const server = createServer((asked, answer) => {
    if (away) {
      asked.socket.destroy();
      return;
    }
    // The service is in the scope of the signature. The emulator says without one how it is.
    const passes = /\/(dynamodb|sts)\/aws4_request/.test(asked.headers.authorization ?? "") || asked.url?.endsWith("/health");
    if (!passes) {
      answer.writeHead(501).end();
      return;
    }
    const passed = request(emulator, { method: asked.method, path: asked.url, headers: asked.headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 500, answered.headers);
      answered.pipe(answer);
    });
    passed.on("error", () => asked.socket.destroy());
    asked.pipe(passed);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    leave() { away = true; server.closeAllConnections(); },
    comeBack() { away = false; },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
