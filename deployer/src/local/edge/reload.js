// Part of `peersync-deploy local --assets`, never of a deployed page: reloads when a file is saved, and after the
// server was restarted.
let lost = false;
const events = new EventSource("/_live/events");
events.addEventListener("message", () => location.reload());
events.addEventListener("error", () => {
  lost = true;
});
events.addEventListener("open", () => {
  if (lost) location.reload();
});
