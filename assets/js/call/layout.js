/**
 * The media sections of every connection, always the same four in the same order: microphone, camera, screen, sound of
 * the screen. So both sides know what a track is without being told, and two who begin to share at once cannot end up
 * with different sections.
 */

/** @typedef {"microphone" | "camera" | "screen" | "screenSound"} Role */

/** @type {ReadonlyArray<{ role: Role, kind: "audio" | "video" }>} */
export const SECTIONS = [
  { role: "microphone", kind: "audio" },
  { role: "camera", kind: "video" },
  { role: "screen", kind: "video" },
  { role: "screenSound", kind: "audio" },
];

/** Microphone and camera can be switched without negotiating; the screen is negotiated when it is shared. */
const ALWAYS = new Set(["microphone", "camera"]);

/**
 * What we send in a section.
 * @param {Role} role
 * @param {boolean} sending
 * @returns {RTCRtpTransceiverDirection}
 */
export function direction(role, sending) {
  return sending || ALWAYS.has(role) ? "sendrecv" : "recvonly";
}

/**
 * The newcomer lays out the sections.
 * @param {RTCPeerConnection} pc
 */
export function layOut(pc) {
  for (const { role, kind } of SECTIONS) pc.addTransceiver(kind, { direction: direction(role, false) });
}

/**
 * @param {RTCPeerConnection} pc
 * @returns {Map<Role, RTCRtpTransceiver>} as far as they are there yet
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
