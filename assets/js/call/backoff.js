/** How long to wait before trying again: grows, has a ceiling, and is spread so that not all come back at once. */

const FIRST_MS = 500;
const CEILING_MS = 10_000;

/**
 * Full jitter: any time between nothing and the growing limit.
 * @param {number} attempt 0 for the first try after a loss
 * @param {() => number} [random]
 * @returns {number} milliseconds
 */
export function backoff(attempt, random = Math.random) {
  return Math.round(random() * Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(attempt, 10)));
}
