/** The self-view: in a corner, moved by dragging, by keyboard or by a button. */
import { button, element } from "../dom.js";
import { t } from "../i18n.js";
import { isMirror } from "../call/media.js";
import { face } from "../ui/people.js";

/** The corners in the order in which the button cycles through them. */
const CORNERS = ["bottom-right", "bottom-left", "top-left", "top-right"];
/** @type {Record<string, [number, string]>} */
const MOVES = { ArrowLeft: [1, "left"], ArrowRight: [1, "right"], ArrowUp: [0, "top"], ArrowDown: [0, "bottom"] };

export class SelfView {
  node;
  video = element("video", { attributes: { playsinline: "", autoplay: "" } });
  #stream = new MediaStream();
  #media;

  /**
   * @param {import("../call/media.js").LocalMedia} media
   * @param {string} name
   */
  constructor(media, name) {
    this.#media = media;
    this.video.muted = true;
    this.video.setAttribute("aria-label", t("call.you"));
    this.video.srcObject = this.#stream;
    const move = button(t("call.move"), () => this.#next(), { class: "round move", icon: "move", iconOnly: true });
    this.node = element("div", { class: "self", data: { corner: "bottom-right", off: "true" } }, [
      this.video, face(name), element("div", { class: "caption" }, [element("span", { class: "tile-name", text: t("call.you") })]), move,
    ]);
    move.addEventListener("keydown", (event) => this.#key(event));
    this.node.addEventListener("pointerdown", (event) => this.#drag(event));
    this.refresh();
  }

  /** Call this when our tracks changed. */
  refresh() {
    const camera = this.#media.track("camera");
    for (const track of this.#stream.getTracks()) if (track !== camera) this.#stream.removeTrack(track);
    if (camera) this.#stream.addTrack(camera);
    this.node.dataset.off = String(!camera);
    this.node.dataset.mirror = String(isMirror(camera));
    if (camera) void this.video.play().catch(() => undefined);
  }

  #next() {
    const at = CORNERS.indexOf(this.node.dataset.corner ?? "");
    this.node.dataset.corner = CORNERS[(at + 1) % CORNERS.length] ?? "bottom-right";
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const parts = (this.node.dataset.corner ?? "bottom-right").split("-");
    parts[move[0]] = move[1];
    this.node.dataset.corner = parts.join("-");
  }

  /** @param {PointerEvent} down */
  #drag(down) {
    const { node } = this;
    const stage = node.parentElement;
    if (!stage || down.button !== 0 || (down.target instanceof Element && down.target.closest("button"))) return;
    node.setPointerCapture(down.pointerId);
    const follow = (/** @type {PointerEvent} */ event) => {
      node.dataset.dragging = "true";
      node.style.translate = `${event.clientX - down.clientX}px ${event.clientY - down.clientY}px`;
    };
    const drop = () => {
      node.removeEventListener("pointermove", follow);
      if (node.dataset.dragging) {
        const box = node.getBoundingClientRect();
        const around = stage.getBoundingClientRect();
        const below = box.top + box.height / 2 > around.top + around.height / 2;
        const right = box.left + box.width / 2 > around.left + around.width / 2;
        node.dataset.corner = `${below ? "bottom" : "top"}-${right ? "right" : "left"}`;
      }
      delete node.dataset.dragging;
      node.style.translate = "";
    };
    node.addEventListener("pointermove", follow);
    node.addEventListener("pointerup", drop, { once: true });
    node.addEventListener("pointercancel", drop, { once: true });
  }
}
