/**
 * Who wants something from the user: one entry for each person, however often they ask, and a pause after a refusal. It knows
 * neither what they want nor how that is shown.
 */

/** How long nothing more is shown of somebody who was refused. */
const PAUSE_MS = 60_000;

export class Callers {
  /** What each person asks with, the oldest first. @type {Map<string, Set<string>>} */
  #asking = new Map();
  /** Who was refused just now. @type {Map<string, ReturnType<typeof setTimeout>>} */
  #refused = new Map();
  #show;

  /** @param {(who: string, asking: string[]) => void} show called with nothing when that person no longer asks */
  constructor(show) {
    this.#show = show;
  }

  /**
   * @param {string} who
   * @param {string} id of what they ask with: it ends by itself
   */
  add(who, id) {
    this.#asking.set(who, (this.#asking.get(who) ?? new Set()).add(id));
    this.#tell(who);
  }

  /** @param {string} id that has ended @returns {string | undefined} whose it was */
  end(id) {
    for (const [who, ids] of this.#asking) {
      if (!ids.delete(id)) continue;
      this.#tell(who);
      return who;
    }
    return undefined;
  }

  /** @param {string} who @returns {string[]} what they asked with */
  refuse(who) {
    const ids = [...(this.#asking.get(who) ?? [])];
    this.#asking.delete(who);
    this.#show(who, []);
    clearTimeout(this.#refused.get(who));
    this.#refused.set(who, setTimeout(() => { this.#refused.delete(who); this.#tell(who); }, PAUSE_MS));
    return ids;
  }

  /** Nobody asks any more, or whoever does says so again. */
  clear() {
    for (const who of [...this.#asking.keys()]) {
      this.#asking.delete(who);
      this.#show(who, []);
    }
  }

  /** @param {string} who */
  #tell(who) {
    const ids = [...(this.#asking.get(who) ?? [])];
    if (ids.length === 0) this.#asking.delete(who);
    if (ids.length === 0 || !this.#refused.has(who)) this.#show(who, ids);
  }
}
