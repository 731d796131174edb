/** A connection before it is known to whom. */
import { layOut } from "./layout.js";

/**
 * @typedef {{
 *   pc: RTCPeerConnection, talk: RTCDataChannel, files: RTCDataChannel, errors: Set<string>, offer: () => void, offered?: Promise<void>,
 * }} Connection
 *   errors: what the browser reported about STUN and TURN servers; offer: makes an offer; offered: settles once it is made
 */

/**
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
      connection.offered = pc.setLocalDescription();
      connection.offered.catch(() => undefined);
    },
  };
  pc.addEventListener("icecandidateerror", ({ errorCode, errorText }) => connection.errors.add(`${errorCode} ${errorText}`));
  return connection;
}
