/** How loud a microphone is, for a meter. */

const SAMPLES = 1024;
/** Quieter than this is silence, in dBFS. */
const FLOOR_DB = -60;

export class LevelMeter {
  /** @type {AudioContext | undefined} */
  #audio;
  /** @type {AnalyserNode | undefined} */
  #analyser;
  #samples = new Float32Array(SAMPLES);

  /** @param {MediaStreamTrack | undefined} track nothing stops measuring */
  watch(track) {
    void this.#audio?.close().catch(() => undefined);
    this.#audio = undefined;
    this.#analyser = undefined;
    if (!track) return;
    try {
      this.#audio = new AudioContext();
      this.#analyser = this.#audio.createAnalyser();
      this.#analyser.fftSize = SAMPLES;
      this.#audio.createMediaStreamSource(new MediaStream([track])).connect(this.#analyser);
    } catch {
      this.#analyser = undefined;
    }
  }

  /** @returns {number} 0 for silence to 1 for as loud as it gets */
  get level() {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    return loudness(this.#samples);
  }
}

/**
 * @param {Float32Array} samples between -1 and 1
 * @returns {number} 0 to 1, even steps for even steps of hearing
 */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) || 1e-12);
  return Math.min(1, Math.max(0, 1 - decibels / FLOOR_DB));
}
