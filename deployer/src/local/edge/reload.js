// Part of `peersync-deploy local --assets`, never of a deployed page: reloads the page when a file is saved, and after
// a restart of the server. During a call it does not reload after a restart, because calls outlive the server.
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
