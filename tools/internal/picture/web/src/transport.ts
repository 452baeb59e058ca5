// The head of the page: what it shows, the keys of a player, and the sentence of
// the moment.

import type { App, Part } from "./app.ts";
import { changeNames, total } from "./diff.ts";
import { h, setText } from "./dom.ts";
import { sentence } from "./sentence.ts";
import { speech } from "./speech.ts";
import { count, timeWords } from "./words.ts";

/** The steps a second that can be chosen. */
const speeds = [1, 2, 5, 10, 30, 100, 500];

export class Transport implements Part {
  readonly el: HTMLElement;
  private readonly where = h("output", { class: "where", id: "where" });
  private readonly play = h("button", { type: "button", class: "play", id: "play" });
  private readonly mark = h("button", { type: "button", id: "mark" });
  private readonly follow = h("button", { type: "button", id: "follow", hidden: true }, "Follow");
  private readonly speed = h("select", { "aria-label": "Steps a second" }, ...speeds.map((s) => h("option", { value: s }, `${s} / s`)));
  private lastFrame = 0;
  private owed = 0; // steps, and parts of one, that are due

  constructor(private readonly app: App, title: string, help: () => void) {
    const button = (id: string, sign: Node | string, say: string, act: () => void) => h("button", { type: "button", id, title: say, "aria-label": say, click: act }, sign);
    this.speed.value = "5";
    this.play.addEventListener("click", () => this.toggle());
    this.mark.addEventListener("click", () => this.setMark());
    this.follow.addEventListener("click", () => this.setFollow());
    this.el = h("header", { class: "top" },
      egg(), h("h1", { title }, title.split(/[\\/]/).at(-1)),
      h("div", { class: "player", role: "group", "aria-label": "Player" },
        button("first", icon("M4 3v10M13 3 6 8l7 5z"), "First event (Home)", () => app.step(-Infinity)),
        button("back", icon("M12 3 4 8l8 5z"), "Step back (left arrow)", () => app.step(-1)),
        this.play,
        button("on", icon("M4 3l8 5-8 5z"), "Step on (right arrow)", () => app.step(1)),
        button("last", icon("M12 3v10M3 3l7 5-7 5z"), "Last event (End)", () => app.step(Infinity)),
        this.speed),
      this.where, this.follow, this.mark,
      button("help-button", "?", "Keys and meaning (?)", help));
  }

  update(app: App): void {
    const i = app.at;
    setText(this.where, i < 0 ? "no event" : `event ${count(i + 1)} of ${count(app.records.length)} · ${timeWords(app.records.time(i))}`);
    setText(this.play, app.playing ? "Pause" : "Play");
    setText(this.mark, app.mark === null ? "Compare from here" : `Comparing with #${app.mark} ✕`);
    this.mark.title = app.mark === null ? "Remember this moment, and show what differs from it at others (m)" : "Compare with the step before again (m)";
    this.follow.setAttribute("aria-pressed", String(app.following));
  }

  /** live shows that the trace grows. */
  live(is: boolean): void {
    this.follow.hidden = !is;
  }

  setMark(): void {
    this.app.mark = this.app.mark === null ? this.app.at : null;
    this.app.changed();
  }

  setFollow(): void {
    this.app.following = !this.app.following;
    this.app.playing = 0;
    this.app.grew();
  }

  /** toggle plays, or stops. */
  toggle(): void {
    this.app.playing = this.app.playing ? 0 : Number(this.speed.value);
    this.app.changed();
    if (!this.app.playing) return;
    this.lastFrame = performance.now();
    this.owed = 0;
    requestAnimationFrame((now) => this.tick(now));
  }

  /** tick takes the steps that are due since the last frame. */
  private tick(now: number): void {
    if (!this.app.playing) return;
    this.app.playing = Number(this.speed.value);
    this.owed += Math.min(now - this.lastFrame, 1000) * this.app.playing / 1000;
    this.lastFrame = now;
    const steps = Math.floor(this.owed);
    this.owed -= steps;
    if (steps > 0) {
      const before = this.app.at;
      this.app.step(steps, true);
      if (this.app.at === before) this.toggle();
    }
    requestAnimationFrame((next) => this.tick(next));
  }
}

/** Banner is the sentence of the moment, and what it changed. */
export class Banner implements Part {
  readonly el: HTMLElement;
  private readonly words = h("p", { class: "sentence", id: "sentence", role: "status" });
  private readonly effect = h("p", { class: "effect", id: "effect" });
  private readonly notice = h("p", { class: "notice", id: "notice", role: "alert", hidden: true });
  private shown = "";

  constructor() {
    this.el = h("section", { class: "banner", "aria-label": "The moment" }, this.words, this.effect, this.notice);
  }

  update(app: App): void {
    const key = `${app.at} ${app.since} ${app.history.length === app.at + 1}`;
    if (key === this.shown || app.at < 0) return;
    this.shown = key;
    this.words.replaceChildren(...speech(sentence(app.history, app.at)));
    const n = total(app.changes);
    const parts = n.flatMap((k, c) => (k > 0 ? [h("span", { class: `change c${c}`, "data-change": changeNames[c] }, `${count(k)} ${changeNames[c]}`)] : []));
    const since = app.mark !== null ? `Between #${Math.min(app.mark, app.at)} and #${Math.max(app.mark, app.at)}: ` : "Pages in this step: ";
    this.effect.replaceChildren(h("span", {}, since), ...(parts.length ? parts : ["none changed"]));
  }

  /** tell shows a sentence about the trace as a whole; "" takes it away. */
  tell(sentence: string, live: boolean): void {
    this.notice.hidden = sentence === "";
    this.notice.classList.toggle("live", live);
    setText(this.notice, sentence);
  }
}

/** egg is the sign of Yolk. */
const egg = (): Node => svg("egg", 24, '<path d="M12 2c4 0 8 6.500 8 12a8 8 0 0 1-16 0C4 8.500 8 2 12 2z"/><circle cx="12" cy="14" r="4"/>');

/** icon is a sign of 16 pixels. */
const icon = (path: string): Node => svg("icon", 16, `<path d="${path}"/>`);

function svg(name: string, size: number, content: string): Node {
  const t = document.createElement("template");
  t.innerHTML = `<svg class="${name}" viewBox="0 0 ${size} ${size}" aria-hidden="true">${content}</svg>`;
  return t.content.firstChild!;
}
