// The lives of the processes on one axis: who was born of whom, who slept for
// whom, what each ran, when it ended.

import type { App, Part } from "./app.ts";
import { fit, hue, type Theme } from "./theme.ts";
import { h, setAttribute, size } from "./dom.ts";
import type { Life } from "./history.ts";
import { Scale, type Unit } from "./scale.ts";
import { timeWords } from "./words.ts";

const axisHeight = 20;
const gutter = 168; // for the names of the processes
const margin = 12; // right of the axis
const thumb = 16; // width of the slider's thumb, as style.css has it

export class Timeline implements Part {
  readonly el: HTMLElement;
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly labels = h("div", { class: "labels" });
  private readonly inner = h("div", { class: "lanes" });
  private readonly scroll = h("div", { class: "lanes-scroll" }, this.inner);
  private readonly slider = h("input", { type: "range", id: "time", min: 0, max: 1, step: "any", "aria-label": "Moment" });
  private readonly background = document.createElement("canvas");
  private readonly view: { width: number; height: number };
  private readonly strokes = new Strokes();
  private drawn = ""; // what the background shows
  private unit: Unit = "events";
  private scale: Scale;
  private whole = true; // the axis shows the whole trace, also when it grows
  private fitted = 0; // to how many events it was fitted last
  private lanes: Life[] = [];
  private laneOf = new Map<Life, number>();
  private shownAt = -1;
  private written = ""; // what the labels say

  constructor(private readonly app: App, private readonly theme: Theme) {
    this.inner.append(this.canvas, this.labels);
    this.el = h("section", { class: "timeline", "aria-label": "Processes over time" }, this.tools(), this.slider, this.scroll);
    this.scale = Scale.whole(app.records, this.unit, 100);
    this.slider.addEventListener("input", () => app.seek(this.fromSlider()));
    this.scroll.addEventListener("scroll", () => app.changed());
    this.canvas.addEventListener("pointerdown", (e) => this.scrub(e));
    this.canvas.addEventListener("pointermove", (e) => e.buttons & 1 && this.scrub(e));
    this.canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.view = size(this.scroll, () => app.changed());
  }

  /** zoom magnifies the axis around the moment. */
  zoom(factor: number): void {
    this.whole = factor === 0;
    if (!this.whole) this.scale = this.scale.zoom(factor, this.app.at);
    this.app.changed();
  }

  update(app: App): void {
    const { width, height } = this.view;
    if (width === 0 || height === 0) return; // not laid out yet
    this.rescale();
    this.order();
    this.inner.style.height = `${axisHeight + this.lanes.length * this.laneHeight + 6}px`;
    if (app.at !== this.shownAt && !app.playing) this.revealLane();
    this.shownAt = app.at;
    const ctx = fit(this.canvas, width, height);
    this.paintBackground(height);
    ctx.clearRect(0, 0, width, height);
    ctx.drawImage(this.background, 0, 0, width, height);
    this.paintMoments(ctx, height);
    this.writeLabels(height);
    this.setSlider();
  }

  private get laneHeight(): number {
    return this.lanes.length > 24 ? 15 : 22;
  }

  private tools(): HTMLElement {
    const button = (label: string, title: string, act: () => void) => h("button", { type: "button", title, "aria-label": title, click: act }, label);
    const unit = h("button", { type: "button", class: "unit", title: "What the axis counts", "aria-live": "polite" }, "by events");
    unit.addEventListener("click", () => {
      this.unit = this.unit === "events" ? "time" : "events";
      unit.textContent = `by ${this.unit}`;
      this.zoom(0);
    });
    return h("div", { class: "axis-tools", role: "group", "aria-label": "Axis" },
      unit, button("−", "Show more of the time (-)", () => this.zoom(1 / 2)), button("+", "Magnify the time (+)", () => this.zoom(2)),
      button("⤢", "Show the whole time (0)", () => this.zoom(0)));
  }

  /** rescale fits the axis to the window and to a trace that has grown. */
  private rescale(): void {
    const width = Math.max(this.view.width - gutter - margin, 50);
    const { records, at } = this.app;
    const grown = records.length > this.fitted * 1.01 || !this.app.following; // not for each event that arrives
    if (this.whole && (grown || width !== this.scale.width)) {
      this.scale = Scale.whole(records, this.unit, width);
      this.fitted = records.length;
    } else if (!this.whole) this.scale = new Scale(records, this.unit, this.scale.from, this.scale.to, width).showing(at);
  }

  /** order puts each process below its parent, in the order of birth. */
  private order(): void {
    if (this.lanes.length === this.app.history.lives.length) return;
    this.lanes = [];
    const visit = (l: Life): void => {
      this.lanes.push(l);
      l.children.forEach(visit);
    };
    this.app.history.lives.filter((l) => !l.parent).forEach(visit);
    this.laneOf = new Map(this.lanes.map((l, i) => [l, i]));
  }

  private revealLane(): void {
    const life = this.app.history.life(this.app.records.pid(this.app.at), this.app.at);
    if (!life) return;
    const top = axisHeight + this.laneOf.get(life)! * this.laneHeight;
    const view = this.view.height;
    if (top < this.scroll.scrollTop + axisHeight) this.scroll.scrollTop = top - axisHeight;
    else if (top + this.laneHeight > this.scroll.scrollTop + view) this.scroll.scrollTop = top + 2 * this.laneHeight - view;
  }

  /** y is the middle of a lane on the canvas. */
  private y(life: Life): number {
    return axisHeight + (this.laneOf.get(life)! + 0.5) * this.laneHeight - this.scroll.scrollTop;
  }

  private x(event: number): number {
    return gutter + Math.min(this.scale.x(Math.min(event, this.app.history.length - 1)), this.scale.width + margin);
  }

  /** paintBackground draws what does not depend on the moment, when it has changed. */
  private paintBackground(height: number): void {
    const width = this.view.width;
    const now = [width, height, devicePixelRatio, this.scale.from, this.scale.to, this.unit, this.scroll.scrollTop, this.app.history.length, this.theme.color("ink")].join();
    if (now === this.drawn) return;
    this.drawn = now;
    const ctx = fit(this.background, width, height);
    ctx.clearRect(0, 0, width, height);
    ctx.save();
    ctx.beginPath();
    ctx.rect(gutter - 4, axisHeight, width - gutter, height - axisHeight);
    ctx.clip();
    const seen = this.lanes.filter((l) => this.y(l) > -this.laneHeight && this.y(l) < height + this.laneHeight);
    this.paintFaults(ctx, seen);
    for (const l of this.lanes) if (l.parent) this.paintBirth(ctx, l);
    for (const l of seen) this.paintLife(ctx, l);
    ctx.restore();
    this.paintAxis(ctx);
  }

  private paintAxis(ctx: CanvasRenderingContext2D): void {
    ctx.fillStyle = this.theme.color("muted");
    ctx.font = `11px ${this.theme.color("sans")}`;
    ctx.textAlign = "center";
    for (const { x, label } of this.scale.ticks()) {
      ctx.fillText(label, gutter + x, 12);
      ctx.fillRect(Math.round(gutter + x), 16, 1, 4);
    }
  }

  /** paintBirth draws the way from a parent to its child. */
  private paintBirth(ctx: CanvasRenderingContext2D, l: Life): void {
    const [x, from, to] = [this.x(l.born), this.y(l.parent!), this.y(l)];
    ctx.strokeStyle = this.theme.color(l.vforked ? "borrowed" : "muted");
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.moveTo(x, from);
    ctx.lineTo(x, to - 5);
    ctx.quadraticCurveTo(x, to, x + 5, to);
    ctx.stroke();
  }

  private paintLife(ctx: CanvasRenderingContext2D, l: Life): void {
    const y = this.y(l);
    const line = (from: number, to: number, color: string, width: number, dash: number[] = []) => {
      ctx.strokeStyle = this.theme.color(color);
      ctx.lineWidth = width;
      ctx.setLineDash(dash);
      ctx.beginPath();
      ctx.moveTo(this.x(from), y);
      ctx.lineTo(Math.max(this.x(to), this.x(from) + 1), y);
      ctx.stroke();
      ctx.setLineDash([]);
    };
    let from = l.born;
    for (const s of l.asleep) {
      line(from, s.from, "life", 3);
      line(s.from, s.to, "borrowed", 3, [3, 4]);
      from = Math.min(s.to, this.app.history.length - 1);
    }
    line(from, l.exited, "life", 3);
    if (l.exited !== Infinity) {
      line(l.exited, l.reaped, "zombie", 1.5, [1, 3]);
      this.paintCross(ctx, this.x(l.exited), y);
    }
    for (const i of l.execs) this.paintExec(ctx, this.x(i), y);
  }

  private paintCross(ctx: CanvasRenderingContext2D, x: number, y: number): void {
    ctx.strokeStyle = this.theme.color("ink");
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.moveTo(x - 3.5, y - 3.5);
    ctx.lineTo(x + 3.5, y + 3.5);
    ctx.moveTo(x - 3.5, y + 3.5);
    ctx.lineTo(x + 3.5, y - 3.5);
    ctx.stroke();
  }

  private paintExec(ctx: CanvasRenderingContext2D, x: number, y: number): void {
    ctx.fillStyle = this.theme.color("surface");
    ctx.strokeStyle = this.theme.color("ink");
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.moveTo(x, y - 5);
    ctx.lineTo(x + 5, y);
    ctx.lineTo(x, y + 5);
    ctx.lineTo(x - 5, y);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }

  /** paintFaults draws a stroke for each fault, those that copied in the colour of copies. */
  private paintFaults(ctx: CanvasRenderingContext2D, seen: Life[]): void {
    this.strokes.gather(this.app, this.scale);
    const half = this.laneHeight / 2;
    for (const [color, up] of [["fault", false], ["cow", true]] as const) {
      ctx.fillStyle = this.theme.color(color);
      for (const l of seen) {
        const y = this.y(l) + (up ? 1 - half : 2);
        for (const x of this.strokes.of(l, up)) ctx.fillRect(gutter + x, y, 1, half - 3);
      }
    }
  }

  /** paintMoments veils the future and draws the moment, and the mark. */
  private paintMoments(ctx: CanvasRenderingContext2D, height: number): void {
    if (this.app.at < 0) return;
    const x = this.x(this.app.at);
    ctx.fillStyle = this.theme.color("veil");
    ctx.fillRect(x, axisHeight, this.view.width - x, height - axisHeight);
    if (this.app.mark !== null) {
      const m = this.x(this.app.mark);
      ctx.fillStyle = this.theme.color("span");
      ctx.fillRect(Math.min(x, m), axisHeight, Math.abs(x - m), height - axisHeight);
      ctx.fillStyle = this.theme.color("mark");
      ctx.fillRect(m - 0.75, axisHeight - 4, 1.5, height);
      ctx.font = `bold 11px ${this.theme.color("sans")}`;
      ctx.textAlign = "center";
      ctx.fillText("A", m, axisHeight - 6);
    }
    ctx.fillStyle = this.theme.color("yolk");
    ctx.fillRect(x - 1, axisHeight - 6, 2, height);
  }

  /** writeLabels names the lanes in sight. */
  private writeLabels(height: number): void {
    const { history, at } = this.app;
    const first = Math.max(0, Math.floor((this.scroll.scrollTop - axisHeight) / this.laneHeight));
    const last = Math.min(this.lanes.length, Math.ceil((this.scroll.scrollTop + height) / this.laneHeight));
    const rows = [];
    let written = "";
    for (let n = first; n < last; n++) {
      const l = this.lanes[n];
      const alive = l.born <= at && at < l.reaped;
      const name = history.name(l.pid, Math.min(Math.max(at, l.born), l.exited)).split("/").at(-1);
      const pinned = this.app.pinned.has(l.pid);
      written += `${n} ${l.pid} ${name} ${alive} ${pinned}\n`;
      const label = h("button", {
        type: "button", class: `lane${alive ? "" : " gone"}`, "aria-pressed": String(pinned), "data-pid": l.pid, tabindex: n === first ? 0 : -1,
        title: `Keep PID ${l.pid}'s address space in sight`, style: `top:${axisHeight + n * this.laneHeight}px;height:${this.laneHeight}px;padding-left:${8 + 10 * Math.min(depth(l), 5)}px`,
        click: () => this.app.pin(l.pid),
      }, h("i", { class: "dot", style: `--hue:${hue(l.pid)}` }), h("b", {}, String(l.pid)), ` ${name || ""}`, pinned && " ⚲");
      rows.push(label);
    }
    if (written === this.written) return;
    this.written = written;
    const focused = document.activeElement?.closest<HTMLElement>(".lane")?.dataset.pid;
    this.labels.replaceChildren(...rows);
    if (focused) this.labels.querySelector<HTMLElement>(`[data-pid="${focused}"]`)?.focus({ preventScroll: true });
  }

  private scrub(e: PointerEvent): void {
    const x = e.offsetX - gutter;
    if (x >= -4 && e.button <= 0) this.app.seek(this.scale.event(x));
  }

  private wheel(e: WheelEvent): void {
    if (!e.ctrlKey && !e.metaKey) return; // plain wheeling scrolls the lanes
    e.preventDefault();
    this.zoom(e.deltaY < 0 ? 1.25 : 0.8);
  }

  /** setSlider puts the slider's thumb over the moment's line. */
  private setSlider(): void {
    const { at, records } = this.app;
    this.slider.style.marginLeft = `${gutter - thumb / 2}px`;
    this.slider.style.width = `${this.scale.width + thumb}px`;
    const share = String(at < 0 ? 0 : this.scale.x(at) / this.scale.width);
    if (this.slider.value !== share) this.slider.value = share;
    const words = at < 0 ? "no event" : `event ${at + 1} of ${records.length}, ${timeWords(records.time(at))}`;
    setAttribute(this.slider, "aria-valuetext", words);
  }

  private fromSlider(): number {
    return this.scale.event(Number(this.slider.value) * this.scale.width);
  }
}

/** Strokes knows where on the axis each process has faults: one stroke a pixel is enough. */
class Strokes {
  private scale: Scale | null = null;
  private seen = 0; // events looked at
  private places = new Map<Life, [faults: Set<number>, copies: Set<number>]>();

  /** gather looks at the events that the axis shows; those it knows already are passed over. */
  gather(app: App, scale: Scale): void {
    if (!this.scale?.same(scale)) {
      this.seen = Math.max(scale.event(0), 0);
      this.places = new Map();
    }
    this.scale = scale;
    const { records, history } = app;
    const lives = new Map<number, Life | undefined>(); // by pid, as the events go by
    for (const last = scale.event(scale.width); this.seen <= last && this.seen < history.length; this.seen++) {
      const kind = records.kind(this.seen);
      if (kind === "fork" || kind === "vfork") lives.delete(records.event(this.seen).aux);
      if (kind !== "fault") continue;
      const pid = records.pid(this.seen);
      if (!lives.has(pid)) lives.set(pid, history.life(pid, this.seen));
      const life = lives.get(pid);
      if (life) this.add(life, Math.round(scale.x(this.seen)), records.decision(this.seen) === "cow-copy");
    }
  }

  /** of is where a process's faults are, or those that copied. */
  of(l: Life, copies: boolean): Iterable<number> {
    return this.places.get(l)?.[copies ? 1 : 0] ?? [];
  }

  private add(l: Life, x: number, copied: boolean): void {
    let p = this.places.get(l);
    if (!p) this.places.set(l, (p = [new Set(), new Set()]));
    p[copied ? 1 : 0].add(x);
  }
}

/** depth is the number of a process's forebears. */
function depth(l: Life): number {
  let n = 0;
  for (let p = l.parent; p; p = p.parent) n++;
  return n;
}
