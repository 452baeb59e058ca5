// The frames that are mapped: what each holds, how many entries point at it, whose
// they are.

import type { App } from "./app.ts";
import { VirtualList, h, setText } from "./dom.ts";
import type { Tab } from "./inspector.ts";
import { mappers } from "./look.ts";
import { hex } from "./records.ts";
import { Holds, type State } from "./state.ts";
import { hue } from "./theme.ts";
import { count } from "./words.ts";

/** How often the list is made anew while playing, in milliseconds. */
const pause = 250;

const holdsNames: Record<Holds, string> = {
  [Holds.Unknown]: "?", [Holds.Anonymous]: "memory", [Holds.File]: "file", [Holds.Zero]: "zero page",
};

export class FrameTab implements Tab {
  readonly name = "Frames";
  readonly el = h("div", { class: "panel frames" });
  private readonly summary = h("p", { class: "hint", id: "frame-summary" });
  private readonly shared = h("input", { type: "checkbox" });
  private readonly list: VirtualList;
  private frames: [frame: number, mapped: number][] = [];
  private made = { state: null as State | null, when: 0, shared: false };

  constructor(private readonly app: App) {
    this.list = new VirtualList("frames", "Frames", 26, (n) => this.row(n), (n) => this.pick(n));
    this.shared.addEventListener("change", () => app.changed());
    this.el.append(this.summary, h("label", { class: "chip" }, this.shared, "only those with several references"), this.list.el);
  }

  update(app: App): void {
    const s = app.state;
    const stale = s !== this.made.state || this.shared.checked !== this.made.shared;
    if (stale && (!app.playing || performance.now() - this.made.when > pause)) this.gather(s);
    const frame = app.page?.page.frame ?? 0;
    this.list.update(this.frames, this.frames.length, frame ? this.frames.findIndex(([f]) => f === frame) : -1, true);
  }

  private gather(s: State): void {
    this.made = { state: s, when: performance.now(), shared: this.shared.checked };
    this.frames = [];
    let all = 0;
    let several = 0;
    s.mappedFrames((frame, mapped) => {
      all++;
      if (mapped > 1) several++;
      if (mapped > 1 || !this.shared.checked) this.frames.push([frame, mapped]);
    });
    this.frames.sort((a, b) => a[0] - b[0]);
    const free = s.freeFrames >= 0 ? ` ${count(s.freeFrames)} of ${count(s.totalFrames)} frames were free when last told.` : "";
    setText(this.summary, `${count(all)} frames are mapped, ${count(several)} of them by several entries.${free}`);
  }

  private row(n: number): HTMLElement {
    const [frame, mapped] = this.frames[n];
    const s = this.made.state!;
    const holds = s.holds(frame);
    const who = holds === Holds.Zero ? [] : [...new Set(mappers(s, frame).flatMap((m) => m.space.pids))];
    return h("div", { class: "frame-row", "data-frame": hex(frame) },
      h("code", { class: "frame" }, hex(frame)), h("span", { class: "holds" }, holdsNames[holds]), h("b", {}, `×${mapped}`),
      h("span", { class: "who" }, ...who.slice(0, 6).flatMap((p) => [h("i", { class: "dot", style: `--hue:${hue(p)}` }), `${p} `]), who.length > 6 && `+${who.length - 6}`));
  }

  /** pick looks at the first page that maps the frame. */
  private pick(n: number): void {
    const [m] = mappers(this.app.state, this.frames[n]?.[0] ?? 0);
    if (m) this.app.choose({ space: m.space.id, va: m.va });
  }
}
