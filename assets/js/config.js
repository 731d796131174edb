/** config.json: what the deployer wrote about this stack. */

/** @typedef {{ api: string, signal: string, stage?: string, version?: string }} Config */

/** @type {Promise<Config> | undefined} */
let loading;

/** @returns {Promise<Config>} where the API and the signaling server are; asked for once a page */
export function loadConfig() {
  loading ??= read().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** @returns {Promise<Config>} */
async function read() {
  const response = await fetch("config.json", { credentials: "same-origin" });
  if (!response.ok) throw new Error(`config.json: status ${response.status}`);
  const found = await response.json();
  return { ...found, api: found.api ?? "/api", signal: found.signal ?? "/ws" };
}
