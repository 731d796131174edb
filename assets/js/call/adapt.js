/**
 * How much video the network to one peer carries. The browser's own congestion control follows the network from
 * second to second; this decides what to give up so that the sound stays clear: first rate, then size, then the
 * video itself.
 */

/** @typedef {{ bitsPerSecond: number, scale: number, framesPerSecond: number }} Step */

/** From best to worst. 720p needs about 1.5 Mbit/s (VP8, 30/s); the last step keeps a face recognisable. @type {Step[]} */
export const STEPS = [
  { bitsPerSecond: 1_700_000, scale: 1, framesPerSecond: 30 },
  { bitsPerSecond: 900_000, scale: 1.5, framesPerSecond: 30 },
  { bitsPerSecond: 400_000, scale: 2, framesPerSecond: 24 },
  { bitsPerSecond: 150_000, scale: 4, framesPerSecond: 15 },
];

/** Of 720p: 320×180. */
const FIRST_SCALE = 4;
const BAD_SAMPLES = 2;
const GOOD_SAMPLES = 5;
const MOST_PATIENCE = 60;

/**
 * @typedef {{ step: number, good: number, bad: number, patience: number }} Adaptation
 *   step: index in STEPS; good, bad: samples in a row; patience: good samples needed before trying more, doubled by
 *   every failed attempt
 */

/**
 * Returns the step to begin with for this many others in the call: each gets a video of its own.
 * @param {number} others
 * @returns {number}
 */
export function bestStep(others) {
  return others <= 1 ? 0 : 1;
}

/**
 * @param {number} step
 * @returns {Adaptation}
 */
export function begin(step) {
  return { step, good: 0, bad: 0, patience: GOOD_SAMPLES };
}

/**
 * @param {Adaptation} now
 * @param {import("./quality.js").Sample} sample
 * @param {number} best the highest step allowed
 * @returns {Adaptation}
 */
export function adapt(now, sample, best) {
  if (now.step < best) return begin(best);
  const wanted = STEPS[now.step]?.bitsPerSecond ?? 0;
  const starved = sample.availableBps > 0 && sample.availableBps < wanted * 0.45;
  if (sample.sentLoss > 0.1 || starved) return worse(now);
  const well = sample.sentLoss < 0.02 && (sample.availableBps === 0 || sample.availableBps > wanted * 0.9);
  if (!well) return { ...now, good: 0, bad: 0 };
  const good = now.good + 1;
  if (good < now.patience || now.step <= best) return { ...now, good, bad: 0 };
  return { ...now, step: now.step - 1, good: 0, bad: 0 };
}

/** @param {Adaptation} now @returns {Adaptation} */
function worse(now) {
  const bad = now.bad + 1;
  if (bad < BAD_SAMPLES || now.step >= STEPS.length - 1) return { ...now, good: 0, bad };
  return { step: now.step + 1, good: 0, bad: 0, patience: Math.min(MOST_PATIENCE, now.patience * 2) };
}

/**
 * Makes the first pictures small, until a step is applied. Chromium begins with 300 kbit/s and drops the first frames of
 * anything above 320×240, which takes a quarter of a second and more (InitialFrameDropper in
 * https://webrtc.googlesource.com/src/+/main/video/video_stream_encoder.cc).
 * @param {RTCRtpSender} sender of the camera
 */
export async function beginSmall(sender) {
  const parameters = sender.getParameters();
  const encoding = parameters.encodings?.[0];
  if (!encoding) return;
  encoding.scaleResolutionDownBy = FIRST_SCALE;
  await sender.setParameters(parameters).catch((error) => console.debug("size:", error));
}

/**
 * @param {RTCRtpSender} sender of the camera
 * @param {number} step
 */
export async function applyStep(sender, step) {
  const wanted = STEPS[step];
  const parameters = sender.getParameters();
  const encoding = parameters.encodings?.[0];
  if (!wanted || !encoding) return;
  encoding.maxBitrate = wanted.bitsPerSecond;
  encoding.maxFramerate = wanted.framesPerSecond;
  encoding.scaleResolutionDownBy = wanted.scale;
  parameters.degradationPreference = "balanced";
  await sender.setParameters(parameters);
}
