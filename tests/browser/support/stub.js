/**
 * The pages without their servers, for trying the pages alone: files with the real content policy, an API in memory, and
 * a relay in place of the signaling server. What holds with the real ones is tested in suite/ against `local`.
 */
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ASSETS = fileURLToPath(new URL("../../../assets/", import.meta.url));
const HEADERS = fileURLToPath(new URL("../../../deployer/src/site/headers.rs", import.meta.url));
/** @type {Record<string, string>} */
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".json": "application/json" };

/** The policy as the product sends it, out of the one place where it is written. */
async function contentPolicy() {
  const source = await readFile(HEADERS, "utf8");
  const found = /format!\(\s*"(default-src[^"]*)"/.exec(source)?.[1] ?? "";
  return found.replace(/\\\s+/g, "").replace("{connect_sources}", "'self'");
}

/** @typedef {{ peer: string, name: string, email?: string, send: (message: object) => void, room?: string }} Client */

export class Stub {
  /** @type {Array<{ email: string, name: string }>} */
  users = [];
  /** @type {Map<string, { id: string, name: string, locked: boolean }>} */
  rooms = new Map();
  /** @type {Set<Client>} */
  clients = new Set();
  /** @type {Map<string, { name: string, email?: string }>} */
  #tickets = new Map();
  /** Whether sockets are refused. */
  down = false;
  #server = createServer((request, response) => void this.#answer(request, response));
  /** @type {Set<() => void>} */
  #closers = new Set();
  url = "";
  #policy = "";

  async start() {
    this.#policy = await contentPolicy();
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve(undefined)));
    const address = this.#server.address();
    this.url = `http://localhost:${typeof address === "object" ? address?.port : 0}`;
    return this;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Like a SIGKILL of the signaling server: sockets gone, nothing remembered. */
  kill() {
    for (const close of [...this.#closers]) close();
    this.clients.clear();
  }

  /** @param {string} name @param {boolean} [locked] */
  room(name, locked = false) {
    const id = randomUUID().replaceAll("-", "");
    this.rooms.set(id, { id, name, locked });
    return id;
  }

  /**
   * @param {import("playwright-core").BrowserContext} context
   * @param {{ email: string, name: string }} [user]
   */
  async attach(context, user) {
    if (user) {
      if (!this.users.some((known) => known.email === user.email)) this.users.push(user);
      await context.addCookies([{ name: "stub", value: user.email, url: this.url }]);
    }
    await context.routeWebSocket(/\/ws$/, (socket) => {
      if (this.down) {
        void socket.close();
        return;
      }
      /** @type {Client} */
      const client = { peer: randomUUID(), name: "", send: (message) => socket.send(JSON.stringify(message)) };
      const close = () => { this.#closers.delete(close); void socket.close({ code: 4999 }); };
      this.#closers.add(close);
      socket.onMessage((text) => this.#message(client, JSON.parse(String(text))));
      socket.onClose(() => { this.#closers.delete(close); this.clients.delete(client); this.#leave(client); });
    });
  }

  /**
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:http").ServerResponse} response
   */
  async #answer(request, response) {
    const { pathname } = new URL(request.url ?? "/", this.url);
    const json = (/** @type {number} */ status, /** @type {unknown} */ body) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (pathname === "/config.json") {
      json(200, { api: "/api", signal: "/ws" });
      return;
    }
    if (pathname.startsWith("/api/")) {
      let text = "";
      for await (const part of request) text += part;
      const [status, body] = this.#api(`${request.method} ${pathname.slice(4)}`, text === "" ? {} : JSON.parse(text), /stub=([^;]+)/.exec(request.headers.cookie ?? "")?.[1]);
      json(status, body);
      return;
    }
    const file = normalize(pathname === "/" ? "/index.html" : pathname);
    const headers = { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-security-policy": this.#policy };
    try {
      const content = await readFile(join(ASSETS, file));
      response.writeHead(200, headers);
      response.end(content);
    } catch {
      response.writeHead(404, { ...headers, "content-type": "text/html; charset=utf-8" });
      response.end(await readFile(join(ASSETS, "404.html")));
    }
  }

  /**
   * @param {string} route
   * @param {Record<string, any>} body
   * @param {string | undefined} email
   * @returns {[number, unknown]}
   */
  #api(route, body, email) {
    const user = this.users.find((known) => known.email === decodeURIComponent(email ?? ""));
    const error = (/** @type {number} */ status, /** @type {string} */ code) => /** @type {[number, unknown]} */ ([status, { error: { code, message: code } }]);
    const room = /^GET \/room\/(\w+)$/.exec(route)?.[1];
    if (room) {
      const found = this.rooms.get(room);
      return found ? [200, { ...found, capacity: 4 }] : error(404, "not_found");
    }
    switch (route) {
      case "GET /me":
        return user ? [200, { ...user, hidden: false }] : error(401, "unauthorized");
      case "GET /friends":
        return [200, { friends: this.users.filter((one) => one !== user).map((one) => ({ ...one, since: 0 })) }];
      case "GET /friend-requests":
        return [200, { requests: [{ email: "grace@example.org", name: "Grace Hopper", since: 0 }] }];
      case "POST /create-room": {
        const id = this.room(body.name);
        return [200, this.rooms.get(id)];
      }
      case "POST /ticket": {
        const ticket = randomUUID();
        this.#tickets.set(ticket, user ?? { name: body.name });
        return [200, { url: `${this.url.replace("http", "ws")}/ws`, ticket, iceServers: [], ttl: 3600 }];
      }
      default:
        return route.startsWith("GET /users") ? [200, { users: [] }] : [202, { match: 42, mailSent: true }];
    }
  }

  /** @param {Client} client */
  #others(client) {
    return [...this.clients].filter((other) => other !== client && other.room && other.room === client.room);
  }

  /** @param {Client} client */
  #leave(client) {
    for (const other of this.#others(client)) other.send({ type: "peer-left", peer: client.peer });
    delete client.room;
  }

  /** @param {Client} client */
  #enter(client, room = "") {
    client.room = room;
    const others = this.#others(client);
    client.send({ type: "joined", room, peers: others.map(({ peer, name, email }) => ({ peer, name, email })), locked: this.rooms.get(room)?.locked ?? false });
    for (const other of others) other.send({ type: "peer-joined", peer: client.peer, name: client.name, email: client.email });
  }

  /**
   * @param {Client} client
   * @param {Record<string, any>} message
   */
  #message(client, message) {
    const mine = [...this.clients].filter((other) => other.email && other.email === client.email);
    const of = (/** @type {string} */ email) => [...this.clients].filter((other) => other.email === email);
    switch (message.type) {
      case "hello":
        Object.assign(client, this.#tickets.get(message.ticket));
        this.clients.add(client);
        client.send({ type: "welcome", peer: client.peer, resume: randomUUID(), heartbeat_s: 10, resumed: false });
        for (const user of this.users) client.send({ type: "presence", email: user.email, online: of(user.email).length > 0 });
        return;
      case "join": {
        const room = this.rooms.get(message.room);
        if (!room) client.send({ type: "error", code: "room_not_found", message: "", about: "join" });
        else if (room.locked) {
          const inside = [...this.clients].filter((other) => other.room === message.room);
          for (const other of [...inside, client]) other.send({ type: "knock", room: room.id, peer: client.peer, name: client.name });
          Object.assign(client, { knocks: room.id });
        } else this.#enter(client, message.room);
        return;
      }
      case "room-admit": {
        const guest = [...this.clients].find((other) => other.peer === message.peer);
        if (guest && message.admit) this.#enter(guest, client.room);
        else guest?.send({ type: "error", code: "not_admitted", message: "", about: "join" });
        return;
      }
      case "room-lock": {
        const room = this.rooms.get(client.room ?? "");
        if (room) room.locked = message.locked;
        for (const other of [client, ...this.#others(client)]) other.send({ type: "room-lock", room: client.room, locked: message.locked, by: client.peer });
        return;
      }
      case "signal": {
        const { to, ...rest } = message;
        this.#others(client).find((other) => other.peer === to)?.send({ ...rest, from: client.peer });
        return;
      }
      case "ring":
        for (const other of of(message.to)) other.send({ type: "rung", from: client.email, name: client.name, room: message.room });
        client.send({ type: "ringing", to: message.to, room: message.room, online: of(message.to).length > 0 });
        return;
      case "ring-cancel":
        for (const other of this.clients) if (other !== client) other.send({ type: "missed", room: message.room, from: client.email });
        return;
      case "accept":
      case "reject": {
        const type = message.type === "accept" ? "accepted" : "rejected";
        for (const other of this.clients) {
          if (other.room === message.room) other.send({ type, room: message.room, from: client.email });
        }
        for (const other of mine) other.send({ type, room: message.room, peer: client.peer });
        return;
      }
      case "ping":
        client.send({ type: "pong" });
        return;
      case "leave":
        this.#leave(client);
        return;
      default:
    }
  }
}
