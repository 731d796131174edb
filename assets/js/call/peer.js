/**
 * One other person: the connection to them, and the media and messages in both directions.
 *
 * It survives the loss of the signaling server. Negotiation uses the data channel if it is open, the server
 * if it is not, and waits if neither is available.
 */
import { Emitter } from "../emitter.js";
import { adapt, applyStep, begin, beginSmall, STEPS } from "./adapt.js";
import { PeerChannel } from "./wire.js";
import { Files } from "./files.js";
import { direction, layOut, sections } from "./connection.js";
import { Negotiation } from "./negotiation.js";
import { FIRST_SAMPLE, judge, LOOK_MS, newestStamp, Pulse, readSample, receivedBytes } from "./quality.js";
import { fingerprintOf, Verification } from "./verification.js";

/**
 * @typedef {import("./connection.js").Role} Role
 * @typedef {import("./negotiation.js").Signal} Signal
 * @typedef {import("./wire.js").WireMessage} WireMessage
 * @typedef {import("./quality.js").Quality} Quality
 * @typedef {"connecting" | "connected" | "interrupted" | "closed"} Status
 * @typedef {{ id: string, was?: string, name: string, email?: string, kind: "friend" | "guest" | "stranger" | "unknown", number: number }} Person
 *   was: the id at the server before; all of it told by the server, for which only friends have an address; stranger: a user who is no friend; unknown: a user,
 *   seen by a guest; number: tells apart two of the same name and kind
 * @typedef {{
 *   status: Status, remote: import("./wire.js").MediaState, code: import("./verification.js").Code, quality: Quality,
 *   chat: string, transfer: import("./files.js").Transfer, weak: boolean, open: null, moved: string, bye: null,
 *   way: import("../protocol.js").Outcome["way"],
 * }} PeerEvents
 *   way: how we reach them, once that is known, or that no way has been found for a while; moved: the person now has another id on the server; bye: they left
 * @typedef {{
 *   person: Person, approved: boolean, polite: boolean, initiator: boolean, configuration: RTCConfiguration, connection: import("./connection.js").Connection,
 *   viaServer: (signal: Signal) => boolean, track: (role: Role) => MediaStreamTrack | undefined,
 *   state: () => import("./wire.js").MediaState, best: () => number,
 * }} PeerOptions
 *   viaServer: sends a signal to the server, false if it is unreachable; track: what we send; best: see adapt.js
 */

const SAMPLE_MS = 2000;
/** How long the first pictures are small, see beginSmall(). */
const SMALL_MS = 300;
/** How long a connection that has failed before it ever came about waits for more candidates. */
const FIRST_ROUND_MS = 2500;
/** How long a restart of ICE may take before the next one, during an interruption; the last interval repeats. */
const ROUNDS_MS = [2000, 4000, 8000];
/** How long the polite side leaves the first restart to the other one: two at once cost time. */
const POLITE_MS = 1000;
/** How long signals take the way over the server after one has come from there. */
const BY_SERVER_MS = 3000;
const STUCK_MS = 15_000;

/** @extends {Emitter<PeerEvents>} */
export class Peer extends Emitter {
  person;
  /** @type {Status} */
  status = "connecting";
  /** @type {import("./wire.js").MediaState} */
  remote = { microphone: true, camera: false, screen: false };
  /** Microphone and camera of the other side. */
  camera = new MediaStream();
  /** Screen of the other side, with its sound. */
  screen = new MediaStream();
  /** @type {Quality} */
  quality = { ...judge(FIRST_SAMPLE, FIRST_SAMPLE), level: "connecting" };
  /** Whether the server lists them in the room. */
  listed = true;
  /** Whether they get what we send. */
  approved;
  files;
  verification;
  #options;
  #pc;
  #negotiation;
  #channel;
  #sample = FIRST_SAMPLE;
  #adaptation;
  /** The step last applied to the sender. */
  #applied = -1;
  /** Whether a signal could be sent neither way. */
  #unsent = false;
  /** Whether the way is lost, or was not found so far. */
  #lost = false;
  /** The number of restarts of ICE during this interruption, and when the next one is due. */
  #rounds = 0;
  #due = 0;
  /** Until when the data channel is not relied on. */
  #byServer = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #stuck;
  #pulse = new Pulse();
  /** The bytes that had arrived when nothing seemed to arrive any more. */
  #bytes = -1;
  #looking;
  #sampling;

  /** @param {PeerOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.person = options.person;
    this.approved = options.approved;
    this.#adaptation = begin(options.best());
    const { pc, talk, files, offered } = options.connection;
    this.#pc = pc;
    this.#negotiation = new Negotiation(pc, {
      polite: options.polite, initiator: options.initiator, ...(offered ? { offered } : {}),
      send: (signal) => this.#deliver(signal), beforeAnswer: () => this.#attachAll(),
    });
    this.#channel = new PeerChannel(talk);
    this.files = new Files(files, (message) => this.send(message));
    this.verification = new Verification({
      begins: !options.polite, send: (message) => this.send(message),
      fingerprints: () => ({ ours: fingerprintOf(this.#pc.localDescription?.sdp), theirs: this.fingerprint }),
    });
    this.#listen();
    if (options.initiator) {
      if (!offered) layOut(pc);
      this.#attachAll();
    }
    this.#sampling = setInterval(() => void this.#measure(), SAMPLE_MS);
    this.#looking = setInterval(() => void this.#look(), LOOK_MS);
    this.#beStuck();
  }

  get name() {
    return this.person.name;
  }

  /** How loud they are right now, from 0 to 1. */
  get loudness() {
    return sections(this.#pc).get("microphone")?.receiver.getSynchronizationSources()[0]?.audioLevel ?? 0;
  }

  /** @param {WireMessage} message @returns {boolean} */
  send(message) {
    return this.#channel.send(message);
  }

  /** @param {Signal} signal that came over the server: the other side has a reason not to take the data channel */
  receive(signal) {
    if ("description" in signal) this.#byServer = performance.now() + BY_SERVER_MS;
    void this.#negotiate(signal);
  }

  /** Asks for the offer that has not come, by a candidate that is none. */
  askForOffer() { this.#options.viaServer({ candidate: { candidate: "" } }); }

  /** Call this when what we send in that role changed. @param {Role} role */
  update(role) {
    const transceiver = sections(this.#pc).get(role);
    if (transceiver) this.#attach(role, transceiver);
    this.#tellState();
  }

  /** Sends them what we send to the others. */
  approve() {
    this.approved = true;
    this.#attachAll();
    this.#tellState();
    this.emit("remote", this.remote);
  }

  /** The fingerprint of their certificate, as far as it is known. */
  get fingerprint() {
    return fingerprintOf(this.#pc.remoteDescription?.sdp);
  }

  /** Sends what was waiting, when the server is back or has given us a new id. */
  flush() {
    if (!this.#unsent && !this.#negotiation.waiting) return;
    this.#unsent = false;
    this.#negotiation.resend();
  }

  /** Restarts ICE after a change of network; media continues over the old path for as long as it works. */
  restart() {
    if (this.status === "closed") return;
    this.#byServer = performance.now() + BY_SERVER_MS;
    this.#begin();
  }

  /** For a diagnosis of the ways to them. */
  get connection() { return this.#options.connection; }

  /** @param {RTCIceServer[]} iceServers with new credentials */
  setIceServers(iceServers) {
    if (this.status === "closed") return;
    this.#pc.setConfiguration({ ...this.#options.configuration, iceServers });
    if (this.quality.relayed) this.restart();
  }

  /** @param {boolean} [goodbye] whether to tell them */
  close(goodbye = true) {
    if (this.status === "closed") return;
    if (goodbye) this.send({ type: "bye" });
    clearInterval(this.#sampling);
    clearInterval(this.#looking);
    clearTimeout(this.#stuck);
    this.#negotiation.stop();
    this.#pc.close();
    this.#setStatus("closed");
  }

  #listen() {
    const pc = this.#pc;
    pc.addEventListener("connectionstatechange", () => this.#connectionChanged());
    pc.addEventListener("iceconnectionstatechange", () => this.#connectionChanged());
    this.#channel.on("open", () => {
      this.#tellState();
      void this.verification.start();
      this.emit("open", null);
    });
    this.#channel.on("message", (message) => this.#onMessage(message));
    this.#channel.on("close", () => { if (this.status !== "closed") this.emit("bye", null); });
    this.files.on("change", (transfer) => this.emit("transfer", transfer));
    this.verification.on("code", (code) => this.emit("code", code));
  }

  /** @param {WireMessage} message */
  #onMessage(message) {
    switch (message.type) {
      case "description":
      case "candidate":
        void this.#negotiate(message);
        return;
      case "state":
        this.remote = { microphone: message.microphone, camera: message.camera, screen: message.screen };
        this.emit("remote", this.remote);
        return;
      case "chat":
        this.emit("chat", message.text);
        return;
      case "peer":
        this.emit("moved", message.peer);
        return;
      case "bye":
        this.emit("bye", null);
        return;
      case "commit":
      case "nonce":
      case "reveal":
        void this.verification.receive(message);
        return;
      default:
        this.files.receive(message);
    }
  }

  /** @param {Signal} signal */
  #deliver(signal) {
    const message = /** @type {WireMessage} */ ({ type: "description" in signal ? "description" : "candidate", ...signal });
    const doubtful = performance.now() < this.#byServer;
    if (doubtful && this.#options.viaServer(signal)) return;
    if (this.status === "connected" && this.send(message)) return;
    if (!doubtful && this.#options.viaServer(signal)) return;
    // Neither way works right now. flush() sends the whole description, candidates included.
    this.#unsent = true;
  }

  #attachAll() {
    for (const [role, transceiver] of sections(this.#pc)) {
      this.#attach(role, transceiver);
      const stream = role === "screen" || role === "screenSound" ? this.screen : this.camera;
      stream.addTrack(transceiver.receiver.track);
    }
  }

  /**
   * @param {Role} role
   * @param {RTCRtpTransceiver} transceiver
   */
  #attach(role, transceiver) {
    const track = (this.approved && this.#options.track(role)) || null;
    const wanted = direction(role, track !== null);
    if (transceiver.direction !== wanted) transceiver.direction = wanted;
    if (transceiver.sender.track === track) return;
    if (role === "camera" && this.#applied < 0) void beginSmall(transceiver.sender);
    transceiver.sender.replaceTrack(track).catch((error) => console.debug("track:", error));
  }

  #tellState() {
    this.send({ type: "state", ...(this.approved ? this.#options.state() : { microphone: false, camera: false, screen: false }) });
  }

  #connectionChanged() {
    const { connectionState, iceConnectionState } = this.#pc;
    if (connectionState === "closed") return;
    if (connectionState === "connected" && iceConnectionState !== "disconnected") {
      this.#lost = false;
      this.#setStatus("connected");
    } else if (["failed", "disconnected"].includes(connectionState) || iceConnectionState === "disconnected") {
      this.#interrupted();
    }
  }

  #interrupted() {
    if (this.#lost) return;
    this.#lost = true;
    this.#rounds = 0;
    // A relay refuses other addresses than its own at once. Until its own arrive, all pairs have failed.
    const first = this.status === "connecting" ? FIRST_ROUND_MS : this.#options.polite ? POLITE_MS : 0;
    this.#due = Math.max(this.#due, performance.now() + first);
    if (this.status !== "connecting") this.#setStatus("interrupted");
  }

  /** Begins a restart of ICE, or repeats the offer that is not answered yet. */
  #begin() {
    this.#wait();
    if (this.#negotiation.waiting) this.#negotiation.resend();
    else this.#pc.restartIce();
  }

  /** Gives the restart that has begun its time. */
  #wait() {
    this.#due = performance.now() + (ROUNDS_MS[Math.min(this.#rounds, ROUNDS_MS.length - 1)] ?? 0);
    this.#rounds += 1;
  }

  /** @param {Signal} signal */
  async #negotiate(signal) {
    if ("description" in signal && signal.description.type === "offer") this.#wait();
    await this.#negotiation.receive(signal);
  }

  /** Notices an interruption as soon as nothing arrives any more, and looks for another way until something does. */
  async #look() {
    const flow = this.#pulse.read(newestStamp(this.#pc), performance.now());
    if (this.#lost) {
      const checking = this.status === "connecting" && this.#pc.iceConnectionState === "checking";
      if (flow === "flowing") this.#connectionChanged();
      else if (performance.now() >= this.#due && !checking) this.#begin();
    }
    if (this.status !== "connected" || flow !== "silent") {
      this.#bytes = -1;
      return;
    }
    const bytes = await receivedBytes(this.#pc);
    if (this.status === "connected" && bytes === this.#bytes && this.remote.microphone) this.#interrupted();
    this.#bytes = bytes;
  }

  #beStuck() {
    this.#stuck = setTimeout(() => this.emit("way", "failed"), STUCK_MS);
  }

  /** @param {Status} status */
  #setStatus(status) {
    if (this.status === status) return;
    this.status = status;
    clearTimeout(this.#stuck);
    if (status === "interrupted") {
      this.#beStuck();
      this.#setQuality({ ...this.quality, level: "lost" });
    }
    if (status === "connected") {
      this.flush();
      setTimeout(() => void this.#applyStep(), SMALL_MS);
    }
    this.emit("status", status);
  }

  async #measure() {
    if (this.status !== "connected") return;
    const sample = readSample(await this.#pc.getStats());
    if (this.status !== "connected") return;
    if (this.#sample === FIRST_SAMPLE) this.emit("way", sample.relayed ? "relayed" : "direct");
    this.#setQuality(judge(this.#sample, sample));
    this.#sample = sample;
    this.#adaptation = adapt(this.#adaptation, sample, this.#options.best());
    await this.#applyStep();
  }

  /** @param {Quality} quality */
  #setQuality(quality) {
    this.quality = quality;
    this.emit("quality", quality);
  }

  async #applyStep() {
    const { step } = this.#adaptation;
    const sender = sections(this.#pc).get("camera")?.sender;
    if (step === this.#applied || !sender?.track) return;
    try {
      await applyStep(sender, step);
    } catch (error) {
      // A negotiation ran at the same moment: the next sample tries again.
      console.debug("bitrate:", error);
      return;
    }
    const last = STEPS.length - 1;
    if ((step === last) !== (this.#applied === last)) this.emit("weak", step === last);
    this.#applied = step;
  }
}
