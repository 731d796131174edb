/**
 * What every connection consists of: two data channels and four media sections, always the same in the same order:
 * microphone, camera, screen, sound of the screen. So both sides know what each track is without a message, and two who
 * start sharing at once cannot end up with different sections.
 */

/**
 * @typedef {{
 *   pc: RTCPeerConnection, talk: RTCDataChannel, files: RTCDataChannel, errors: Set<string>, offer: () => void, offered?: Promise<void>,
 * }} Connection
 *   errors: what the browser reported about STUN and TURN servers; offer: makes an offer; offered: settles once it is made
 */

/** @typedef {"microphone" | "camera" | "screen" | "screenSound"} Role */

/** @type {ReadonlyArray<{ role: Role, kind: "audio" | "video" }>} */
export const SECTIONS = [
  { role: "microphone", kind: "audio" },
  { role: "camera", kind: "video" },
  { role: "screen", kind: "video" },
  { role: "screenSound", kind: "audio" },
];

/** Microphone and camera can be switched without renegotiation; the screen is negotiated when it is shared. */
const ALWAYS = new Set(["microphone", "camera"]);

/**
 * Returns the direction of a section, by whether we send something in it.
 * @param {Role} role
 * @param {boolean} sending
 * @returns {RTCRtpTransceiverDirection}
 */
export function direction(role, sending) {
  return sending || ALWAYS.has(role) ? "sendrecv" : "recvonly";
}

/**
 * Creates the sections, which the newcomer does.
 * @param {RTCPeerConnection} pc
 */
export function layOut(pc) {
  for (const { role, kind } of SECTIONS) pc.addTransceiver(kind, { direction: direction(role, false) });
}

/**
 * @param {RTCPeerConnection} pc
 * @returns {Map<Role, RTCRtpTransceiver>} those that exist so far
 */
export function sections(pc) {
  const found = new Map();
  const transceivers = pc.getTransceivers();
  SECTIONS.forEach(({ role, kind }, index) => {
    const transceiver = transceivers[index];
    if (transceiver?.receiver.track.kind === kind) found.set(role, transceiver);
  });
  return found;
}

/**
 * Makes a connection, maybe before it is known to whom.
 * @param {RTCConfiguration} configuration
 * @returns {Connection}
 */
export function connect(configuration) {
  const pc = new RTCPeerConnection(configuration);
  /** @type {Connection} */
  const connection = {
    pc,
    talk: pc.createDataChannel("talk", { negotiated: true, id: 0 }),
    files: pc.createDataChannel("files", { negotiated: true, id: 1 }),
    errors: new Set(),
    offer() {
      layOut(pc);
      connection.offered = describe(pc);
      connection.offered.catch(() => undefined);
    },
  };
  pc.addEventListener("icecandidateerror", ({ errorCode, errorText }) => connection.errors.add(`${errorCode} ${errorText}`));
  return connection;
}

/** The place before the parameters of Opus in the second section of sound, which is the screen's; none if they name stereo. */
const SCREEN_SOUND = /(m=audio[^]*m=audio[^]*?\na=fmtp:\d+ )(?!.*stereo=)(?=.*useinbandfec)/;

/**
 * Returns a description that asks for the screen's sound in stereo. Opus carries two channels, but browsers send and play one
 * unless the receiver's description asks for both (RFC 7587, section 6.1), and no API lets a page ask.
 * @param {string} sdp
 */
export const withStereo = (sdp) => sdp.replace(SCREEN_SOUND, "$1stereo=1;");

/**
 * Makes our next description, an offer or an answer, and sets it.
 * @param {RTCPeerConnection} pc
 */
export async function describe(pc) {
  const { type, sdp = "" } = await (pc.signalingState === "have-remote-offer" ? pc.createAnswer() : pc.createOffer());
  await pc.setLocalDescription({ type, sdp: withStereo(sdp) });
}
