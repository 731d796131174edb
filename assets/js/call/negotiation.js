/**
 * Perfect negotiation over one connection: either side may change what it sends at any time, and when both do at once
 * the polite one gives way (https://w3c.github.io/webrtc-pc/#perfect-negotiation-example).
 * Transport and loss of messages are the caller's concern: an offer without an answer is sent again.
 */

import { describe } from "./connection.js";

const FIRST_PATIENCE_MS = 4000;
const LONGEST_PATIENCE_MS = 15_000;

/** @typedef {{ description: RTCSessionDescriptionInit } | { candidate: RTCIceCandidateInit }} Signal */

/**
 * Returns the side of the connection's DTLS that we have had since the first answer, which alone decides it.
 * @param {Pick<RTCPeerConnection, "currentLocalDescription" | "currentRemoteDescription">} pc
 * @returns {"active" | "passive" | undefined} undefined before the first answer
 */
export function roleOf({ currentLocalDescription: ours, currentRemoteDescription: theirs }) {
  const role = (/** @type {RTCSessionDescription | null} */ description) => /^a=setup:(active|passive)\r?$/m.exec(description?.sdp ?? "")?.[1];
  const [local, remote] = [role(ours), role(theirs)];
  if (!local && !remote) return undefined;
  return local === "active" || remote === "passive" ? "active" : "passive";
}

/**
 * Returns an offer that leaves no choice of the side. Firefox chooses again if ICE is restarted, which Chromium refuses
 * ("Failed to set SSL role"): the connection would be lost.
 * @param {string} sdp
 * @param {"active" | "passive" | undefined} role
 */
export function withRole(sdp, role) {
  return role ? sdp.replaceAll(/^a=setup:actpass(?=\r?$)/gm, `a=setup:${role}`) : sdp;
}

export class Negotiation {
  #pc;
  #polite;
  #send;
  #beforeAnswer;
  /** Whoever was first in the room waits for the newcomer's offer, so that both begin with the same media sections. */
  #mayOffer;
  #makingOffer = false;
  #ignoreOffer = false;
  #settingAnswer = false;
  #patience = FIRST_PATIENCE_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;

  /**
   * @param {RTCPeerConnection} pc
   * @param {{ polite: boolean, initiator: boolean, offered?: Promise<void>, send: (signal: Signal) => void, beforeAnswer: () => void }} how
   *   offered: an offer that is being made already;
   *   beforeAnswer runs between a remote offer and our answer: the place to attach our tracks
   */
  constructor(pc, { polite, initiator, offered, send, beforeAnswer }) {
    this.#pc = pc;
    this.#polite = polite;
    this.#mayOffer = initiator;
    this.#send = send;
    this.#beforeAnswer = beforeAnswer;
    pc.addEventListener("negotiationneeded", () => void this.#offer());
    pc.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate) this.#send({ candidate: candidate.toJSON() });
    });
    pc.addEventListener("signalingstatechange", () => this.#watchAnswer());
    if (offered) void this.#offer(offered);
  }

  /** Sends the last local description again, with all candidates known by now; harmless if it did arrive. */
  resend() {
    const { localDescription: local, signalingState } = this.#pc;
    if (!local || signalingState === "closed") return;
    const sdp = local.type === "offer" ? withRole(local.sdp, roleOf(this.#pc)) : local.sdp;
    this.#send({ description: { type: local.type, sdp } });
  }

  /** Whether an answer from the other side is outstanding. */
  get waiting() {
    return this.#pc.signalingState === "have-local-offer";
  }

  /** @param {Signal} signal */
  async receive(signal) {
    try {
      if ("description" in signal) await this.#describe(signal.description);
      else await this.#candidate(signal.candidate);
    } catch (error) {
      // A closed connection, or a description that belongs to an earlier round: the next round fixes it.
      if (this.#pc.signalingState !== "closed") console.debug("negotiation:", error);
    }
  }

  /** @param {Promise<void>} [made] */
  async #offer(made) {
    if (!this.#mayOffer || this.#pc.signalingState === "closed") return;
    try {
      this.#makingOffer = true;
      await (made ?? describe(this.#pc));
      this.resend();
      this.#watchAnswer();
    } catch (error) {
      if (this.#pc.signalingState === "stable") console.debug("offer:", error);
    } finally {
      this.#makingOffer = false;
    }
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #describe(description) {
    const pc = this.#pc;
    const ready = !this.#makingOffer && (pc.signalingState === "stable" || this.#settingAnswer);
    const collision = description.type === "offer" && !ready;
    this.#ignoreOffer = !this.#polite && collision;
    if (this.#ignoreOffer) return;
    if (description.type === "answer" && pc.signalingState !== "have-local-offer") return;
    this.#settingAnswer = description.type === "answer";
    try {
      await pc.setRemoteDescription(description);
    } finally {
      this.#settingAnswer = false;
    }
    if (description.type !== "offer") return;
    this.#mayOffer = true;
    this.#beforeAnswer();
    await describe(pc);
    this.resend();
  }

  /** @param {RTCIceCandidateInit} candidate */
  async #candidate(candidate) {
    try {
      await this.#pc.addIceCandidate(candidate);
    } catch (error) {
      if (!this.#ignoreOffer) throw error;
    }
  }

  #watchAnswer() {
    clearTimeout(this.#again);
    if (!this.waiting) {
      this.#patience = FIRST_PATIENCE_MS;
      return;
    }
    this.#again = setTimeout(() => {
      this.#patience = Math.min(LONGEST_PATIENCE_MS, this.#patience * 2);
      this.resend();
      this.#watchAnswer();
    }, this.#patience);
  }

  stop() {
    clearTimeout(this.#again);
  }
}
