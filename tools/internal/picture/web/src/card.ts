// The card of one address space: who runs on it, and a map of its pages.

import type { App } from "./app.ts";
import type { PageChange } from "./diff.ts";
import { h, setAttribute, setText } from "./dom.ts";
import { Geometry, type Block, type Row } from "./geometry.ts";
import { Look, counts, lender, lookNames, lookOf, pageAt } from "./look.ts";
import { bit } from "./paging.ts";
import { hex } from "./records.ts";
import { type Space, type State } from "./state.ts";
import { fit, hue, lookColors, type Theme } from "./theme.ts";
import { many, protectionWords, sizeWords } from "./words.ts";

/** What a card marks besides the pages themselves. */
export interface Marks {
  changes: readonly PageChange[];
  frames: readonly number[]; // whose pages light up
  va: number; // the page that is looked at, here; -1 if it is elsewhere
}

/** How many changed pages are ringed; more would hide what they are. */
const ringed = 24;

export class Card {
  readonly el: HTMLElement;
  geometry: Geometry;
  private readonly title = h("h3");
  private readonly facts = h("p", { class: "facts" });
  private readonly bar = h("div", { class: "bar", role: "img" });
  private readonly canvas = h("canvas");
  private readonly map: HTMLElement;
  private readonly cursor = h("div", { class: "cursor", hidden: true });
  private space: Space;
  private said = ""; // in the title
  private counted = ""; // in the bar

  constructor(private readonly app: App, private readonly theme: Theme, space: Space) {
    this.space = space;
    this.geometry = new Geometry(space, new Set(), 10);
    this.map = h("div", {
      class: "map", tabindex: 0, role: "application", "aria-roledescription": "map of pages", "aria-describedby": "page-words",
    }, this.canvas, this.cursor);
    this.el = h("article", { class: "card" }, h("header", {}, this.title, this.facts, this.bar), this.map);
    this.map.addEventListener("pointermove", (e) => app.point(this.spotAt(e)));
    this.map.addEventListener("pointerleave", () => app.point(null));
    this.map.addEventListener("click", (e) => app.choose(this.spotAt(e)));
    this.map.addEventListener("keydown", (e) => this.key(e));
    this.map.addEventListener("blur", () => app.point(null));
  }

  /** update draws the space as it is in s. */
  update(s: State, space: Space, pitch: number, marks: Marks): void {
    this.space = space;
    this.geometry = new Geometry(space, this.app.history.rows(space.id), pitch);
    this.writeHeader(s);
    const ctx = fit(this.canvas, this.geometry.width, this.geometry.height);
    ctx.clearRect(0, 0, this.geometry.width, this.geometry.height);
    const borrowed = lender(s, space) !== undefined;
    ctx.font = this.theme.headFont;
    ctx.fillStyle = this.theme.color("muted");
    for (const b of this.geometry.blocks) this.paintHead(ctx, b);
    for (const b of this.geometry.blocks) {
      for (const r of b.rows) this.paintRow(ctx, s, b, r);
      if (borrowed) for (const r of b.rows) this.paintBorrowed(ctx, r);
    }
    for (const c of marks.changes) this.paintChange(ctx, c, marks.changes.length > ringed);
    for (const f of marks.frames) this.paintFrame(ctx, f);
    this.placeCursor(marks.va);
  }

  /** center is the middle of a page on the screen, if it is on the map. */
  center(va: number): { x: number; y: number } | null {
    const at = this.geometry.place(va);
    if (!at) return null;
    const box = this.canvas.getBoundingClientRect();
    return { x: box.left + at.x + this.geometry.pitch / 2, y: box.top + at.y + this.geometry.pitch / 2 };
  }

  private writeHeader(s: State): void {
    const { space, app } = this;
    const asleep = lender(s, space);
    setAttribute(this.el, "data-root", hex(space.root));
    setAttribute(this.el, "data-pids", space.pids.join(" "));
    this.el.classList.toggle("borrowed", asleep !== undefined);
    this.el.classList.toggle("unused", space.pids.length === 0);
    const who = space.pids.map((pid) => ({
      pid, name: app.history.name(pid, app.at).split("/").at(-1), state: pid === asleep?.pid ? "asleep" : asleep ? "borrows it" : "",
    }));
    const said = JSON.stringify(who) + unused(s, space);
    if (said !== this.said) {
      this.title.replaceChildren(...who.map(({ pid, name, state }) => h("span", { class: "who", "data-pid": pid },
        h("i", { class: "dot", style: `--hue:${hue(pid)}` }), h("b", {}, `PID ${pid}`), ` ${name}`, state && h("em", {}, state))));
      if (who.length === 0) this.title.append(h("span", { class: "who" }, unused(s, space)));
    }
    this.said = said;
    setText(this.facts, `root ${hex(space.root)} · ${many(space.resident, "page")} present · ${many(space.tables.length, "table")}`);
    const n = counts(s, space);
    const some = [Look.Private, Look.Shared, Look.Last, Look.File, Look.Zero, Look.Common].filter((l) => n[l] > 0);
    if (String(n) !== this.counted) {
      this.bar.replaceChildren(...some.map((l) => h("i", { style: `flex:${n[l]};background:var(--${lookColors[l]})`, title: `${many(n[l], "page")}: ${lookNames[l]}` })));
    }
    this.counted = String(n);
    const words = some.map((l) => `${n[l]} ${lookNames[l]}`).join(", ");
    setAttribute(this.bar, "aria-label", words || "no page is present");
    setAttribute(this.map, "aria-label", `Address space of ${space.pids.map((p) => `PID ${p}`).join(" and ") || unused(s, space)}: ${words || "no page is present"}`);
  }

  /** paintHead writes what a region is, above its rows. */
  private paintHead(ctx: CanvasRenderingContext2D, b: Block): void {
    const { region } = b;
    const name = (region.made >= 0 && this.app.history.text(region.made)) || (region.flags & 64 ? "[heap]" : region.flags & 16 ? "[stack]" : "");
    const left = `${hex(region.start)} ${b.told ? protectionWords(region.flags) : "(region not told)"}`;
    const right = `${name} ${sizeWords(region.end - region.start)}`;
    const room = Math.floor(this.geometry.width / this.theme.letter) - left.length - 2;
    ctx.textAlign = "left";
    ctx.fillText(left, 0, b.y + 12);
    ctx.textAlign = "right";
    ctx.fillText(right.length <= room ? right : `…${right.slice(right.length - room + 1)}`, this.geometry.width - 1, b.y + 12);
  }

  private paintRow(ctx: CanvasRenderingContext2D, s: State, b: Block, r: Row): void {
    const p = this.geometry.pitch;
    const size = p - 1;
    ctx.fillStyle = this.theme.look(Look.Absent);
    for (let i = r.first; i <= r.last; i++) ctx.fillRect(i * p, r.y, size, size);
    const chunk = this.space.chunks.get(r.key);
    if (!chunk) return;
    for (let i = r.first; i <= r.last; i++) {
      const low = chunk.low(i);
      if (!(low & bit.present)) continue;
      const look = lookOf(s, low, chunk.frame(i), b.region.flags);
      ctx.fillStyle = this.theme.look(look);
      ctx.fillRect(i * p, r.y, size, size);
      if (look === Look.Last) { // the mark without a sharer: hollow
        ctx.fillStyle = this.theme.color("surface");
        ctx.fillRect(i * p + 2, r.y + 2, size - 4, size - 4);
      } else if (low & bit.cow && look !== Look.Zero) this.paintCorner(ctx, i * p, r.y, size);
    }
  }

  /** paintCorner marks an entry that is marked copy-on-write, so that colour is not all that tells. */
  private paintCorner(ctx: CanvasRenderingContext2D, x: number, y: number, size: number): void {
    ctx.fillStyle = this.theme.color("notch");
    ctx.beginPath();
    ctx.moveTo(x + size, y);
    ctx.lineTo(x + size, y + size / 2);
    ctx.lineTo(x + size / 2, y);
    ctx.fill();
  }

  /** paintBorrowed paints over one half of each page of a space that a vfork child borrows. */
  private paintBorrowed(ctx: CanvasRenderingContext2D, r: Row): void {
    const p = this.geometry.pitch;
    const chunk = this.space.chunks.get(r.key);
    ctx.fillStyle = this.theme.color("borrowed");
    ctx.beginPath();
    for (let i = r.first; i <= r.last; i++) {
      if (!chunk || !(chunk.low(i) & bit.present)) continue;
      const [right, bottom] = [i * p + p - 1, r.y + p - 1];
      ctx.moveTo(right, r.y);
      ctx.lineTo(right, bottom);
      ctx.lineTo(i * p, bottom);
    }
    ctx.fill();
  }

  /** paintChange marks a page that changed: with a ring, or where there are many, with a dot. */
  private paintChange(ctx: CanvasRenderingContext2D, c: PageChange, many: boolean): void {
    const at = this.geometry.place(c.va);
    if (!at) return;
    const p = this.geometry.pitch;
    if (many) {
      ctx.fillStyle = this.theme.color("surface");
      ctx.fillRect(at.x + (p - 1) / 2 - 1, at.y + (p - 1) / 2 - 1, 2.5, 2.5);
      return;
    }
    ctx.strokeStyle = this.theme.change(c.change);
    ctx.lineWidth = 2;
    ctx.strokeRect(at.x - 0.5, at.y - 0.5, p, p);
  }

  /** paintFrame lights up the pages that map a frame. */
  private paintFrame(ctx: CanvasRenderingContext2D, frame: number): void {
    const p = this.geometry.pitch;
    this.space.pages((va, chunk, i) => {
      const at = chunk.frame(i) === frame ? this.geometry.place(va) : null;
      if (!at) return;
      ctx.strokeStyle = this.theme.color("surface");
      ctx.lineWidth = 4;
      ctx.strokeRect(at.x - 1.5, at.y - 1.5, p + 2, p + 2);
      ctx.strokeStyle = this.theme.color("ink");
      ctx.lineWidth = 2;
      ctx.strokeRect(at.x - 1.5, at.y - 1.5, p + 2, p + 2);
    });
  }

  private placeCursor(va: number): void {
    const at = va >= 0 ? this.geometry.place(va) : null;
    this.cursor.hidden = !at;
    if (!at) return;
    const size = this.geometry.pitch - 1;
    this.cursor.style.cssText = `left:${at.x}px;top:${at.y}px;width:${size}px;height:${size}px`;
    setAttribute(this.cursor, "data-va", hex(va));
    setAttribute(this.cursor, "data-look", lookNames[pageAt(this.app.state, this.space, va).look]);
  }

  private spotAt(e: MouseEvent) {
    const box = this.canvas.getBoundingClientRect();
    const va = this.geometry.hit(e.clientX - box.left, e.clientY - box.top);
    return va === null ? null : { space: this.space.id, va };
  }

  /** key moves the cursor from page to page. */
  private key(e: KeyboardEvent): void {
    const moves: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const spot = this.app.spot;
    const va = spot?.space === this.space.id ? spot.va : -1;
    if (e.key in moves && !e.ctrlKey && !e.metaKey && !e.altKey && !e.shiftKey) {
      this.app.point({ space: this.space.id, va: this.geometry.step(va, ...moves[e.key]) });
    } else if (e.key === "Enter" && va >= 0) {
      this.app.choose({ space: this.space.id, va });
    } else if (e.key === "Escape") {
      this.app.hover = null;
      this.app.choose(null);
    } else return;
    e.preventDefault();
  }
}

/** unused says why nobody runs on a space. */
export function unused(s: State, space: Space): string {
  return s.building.get(space.maker) === space.id ? `PID ${space.maker} is building it` : "left behind, being emptied";
}
