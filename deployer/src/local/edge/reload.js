// Part of `peersync-deploy local --assets`, never of a deployed page: reloads when a file is saved, and after the
// server was restarted. A call outlives the server, and it outlives this.
let lost = false;
const events = new EventSource("/_live/events");
events.addEventListener("message", () => location.reload());
events.addEventListener("error", () => {
  lost = true;
});
events.addEventListener("open", () => {
  if (lost && !document.querySelector(".in-call")) location.reload();
  lost = false;
});
