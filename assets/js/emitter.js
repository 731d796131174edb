/** A small typed event source, for modules that must not depend on a page. */

/**
 * @template {Record<string, unknown>} Events names of events and what each carries
 */
export class Emitter {
  /** @type {Map<keyof Events, Set<(value: never) => void>>} */
  #listeners = new Map();

  /**
   * @template {keyof Events} K
   * @param {K} name
   * @param {(value: Events[K]) => void} listener
   * @returns {() => void} removes the listener
   */
  on(name, listener) {
    const set = this.#listeners.get(name) ?? new Set();
    set.add(listener);
    this.#listeners.set(name, set);
    return () => set.delete(listener);
  }

  /**
   * @template {keyof Events} K
   * @param {K} name
   * @param {Events[K]} value
   */
  emit(name, value) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      /** @type {(value: Events[K]) => void} */ (listener)(value);
    }
  }
}
