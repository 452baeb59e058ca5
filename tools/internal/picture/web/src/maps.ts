// The address spaces side by side: those that the moment is about, and those that
// the reader has pinned.

import type { App, Part } from "./app.ts";
import { Card } from "./card.ts";
import { h, size } from "./dom.ts";
import { Look, lookNames, mappers } from "./look.ts";
import { present } from "./paging.ts";
import { Holds, chunkPages, type Space, type State } from "./state.ts";
import { fit, lookColors, type Theme } from "./theme.ts";

/** How many address spaces are shown besides the pinned ones. */
const atOnce = 4;

/** The least and the greatest distance of two pages on a map, in pixels. */
const pitches = [8, 14];

/** Space on a card besides its map, in pixels. */
const border = 26;
const gap = 12;

/** What a card's head, which stays in sight, hides of its map. */
const cardHead = 80;

export class Maps implements Part {
  readonly el: HTMLElement;
  private readonly grid = h("div", { class: "cards" });
  private readonly lines = h("canvas", { class: "lines", "aria-hidden": "true" });
  private readonly none = h("p", { class: "none" }, "No address space exists at this moment.");
  private readonly scroll: HTMLElement;
  private readonly view: { width: number };
  private readonly cards = new Map<number, Card>();
  private revealed = ""; // the moment and the page that were scrolled to

  constructor(private readonly app: App, private readonly theme: Theme) {
    this.scroll = h("div", { class: "maps-scroll" }, this.grid, this.none);
    this.el = h("section", { class: "maps", "aria-label": "Address spaces" }, legend(), this.scroll, this.lines);
    this.scroll.addEventListener("scroll", () => app.changed());
    this.view = size(this.grid, () => app.changed());
  }

  update(app: App): void {
    const s = app.at < 0 ? null : app.state;
    const shown = s ? this.choose(s) : [];
    this.none.hidden = shown.length > 0;
    this.arrange(shown);
    if (!s) return;
    const page = app.page;
    const frames = this.frames(s);
    const changes = new Map(app.changes.map((c) => [(c.after ?? c.before)!.id, c.before ? c.pages : []])); // in a new space all is new
    const pitch = this.pitch(shown.length);
    for (const space of shown) {
      this.cards.get(space.id)!.update(s, space, pitch, {
        changes: changes.get(space.id) ?? [], frames, va: page?.space.id === space.id ? page.page.va : -1,
      });
    }
    if (!app.hover) this.reveal();
    this.drawLines(s, frames);
  }

  /**
   * frames are those whose pages light up: that of the page that is looked at,
   * and at a copy the one that was copied, which others keep.  The zero page is
   * everybody's, and lighting it up would tell nothing.
   */
  private frames(s: State): number[] {
    const { app } = this;
    const page = app.page?.page;
    const frames = page && present(page.entry) ? [page.frame] : [];
    const e = app.records.event(app.at);
    if (e.decision === "cow-copy" && !app.hover && !app.chosen) frames.push(e.old);
    return frames.filter((f) => s.holds(f) !== Holds.Zero);
  }

  /** reveal scrolls to the page that is looked at, when it is another than before. */
  private reveal(): void {
    const spot = this.app.spot;
    const key = `${this.app.at} ${spot?.space} ${spot?.va}`;
    if (!spot || key === this.revealed) return;
    this.revealed = key;
    const at = this.cards.get(spot.space)?.center(spot.va);
    if (!at) return;
    const box = this.scroll.getBoundingClientRect();
    if (at.y < box.top + cardHead || at.y > box.bottom - 30) this.scroll.scrollTop += at.y - (box.top + cardHead + box.bottom) / 2;
  }

  /**
   * choose picks the spaces to show, in the order in which they were made; but
   * init, which mostly waits, comes last.
   */
  private choose(s: State): Space[] {
    const { app } = this;
    const e = app.records.event(app.at);
    const ofPid = (pid: number) => s.process(pid).space;
    const pinned = [...app.pinned].map(ofPid);
    const wanted = [
      ...pinned, ...this.steady(s), app.chosen?.space, app.eventSpot?.space,
      ofPid(e.pid), e.kind === "fork" || e.kind === "vfork" ? ofPid(e.aux) : 0, ofPid(s.process(e.pid).parent),
      ...[...s.spaces.keys()].reverse(),
    ];
    const there = new Set(wanted.flatMap((id) => s.spaces.get(id ?? 0) ?? []));
    const last = (space: Space) => Number(space.pids.includes(1));
    return [...there].slice(0, pinned.length + atOnce).sort((a, b) => last(a) - last(b) || a.id - b.id);
  }

  /**
   * steady are the spaces that stay while the picture plays: those that are
   * shown, unless something is born or changes its program.  Where many processes
   * run by turns, cards that came and went with them could not be read.
   */
  private steady(s: State): Iterable<number> {
    const kind = this.app.records.kind(this.app.at);
    const born = kind === "fork" || kind === "vfork" || kind === "exec";
    return this.app.playing && !born ? [...this.cards.keys()].filter((id) => s.spaces.has(id)) : [];
  }

  /** arrange gives each space its card; those of spaces that are not shown any more serve others. */
  private arrange(shown: Space[]): void {
    const free: Card[] = [];
    for (const [id, card] of this.cards) {
      if (shown.some((space) => space.id === id)) continue;
      this.cards.delete(id);
      free.push(card);
    }
    const wanted = shown.map((space) => {
      const card = this.cards.get(space.id) ?? free.pop() ?? new Card(this.app, this.theme, space);
      this.cards.set(space.id, card);
      return card.el;
    });
    const is = [...this.grid.children];
    if (is.length !== wanted.length || wanted.some((el, i) => el !== is[i])) this.grid.replaceChildren(...wanted);
  }

  /** pitch is how large the pages are so that as many cards as can stand side by side. */
  private pitch(cards: number): number {
    const { width } = this.view;
    const [least, most] = pitches;
    const side = Math.max(1, Math.min(cards, Math.floor((width + gap) / (chunkPages * least + border + gap))));
    const room = (width - (side - 1) * gap) / side - border;
    return Math.min(Math.max(Math.floor(room / chunkPages), least), most);
  }

  /** drawLines leads from the page that is looked at to all others with its frame. */
  private drawLines(s: State, frames: number[]): void {
    const box = this.el.getBoundingClientRect();
    const ctx = fit(this.lines, box.width, box.height);
    ctx.clearRect(0, 0, box.width, box.height);
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, this.scroll.offsetTop, box.width, box.height);
    ctx.clip();
    const spot = this.app.spot;
    const from = spot && this.cards.get(spot.space)?.center(spot.va);
    if (from) {
      const ends = frames.flatMap((f) => mappers(s, f)).map((m) => this.cards.get(m.space.id)?.center(m.va));
      for (const to of ends) if (to) this.drawLine(ctx, from.x - box.left, from.y - box.top, to.x - box.left, to.y - box.top);
    }
    ctx.restore();
  }

  private drawLine(ctx: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
    if (x1 === x2 && y1 === y2) return;
    ctx.strokeStyle = this.theme.color("ink");
    ctx.lineWidth = 1.5;
    ctx.setLineDash([5, 4]);
    ctx.beginPath();
    ctx.moveTo(x1, y1);
    ctx.quadraticCurveTo((x1 + x2) / 2, (y1 + y2) / 2 - Math.min(60, Math.abs(x2 - x1) / 4), x2, y2);
    ctx.stroke();
  }
}

/** legend says what the colours mean. */
function legend(): HTMLElement {
  const looks = [Look.Private, Look.Shared, Look.Last, Look.File, Look.Zero, Look.Common, Look.Absent];
  return h("ul", { class: "legend", "aria-label": "What the colours mean" },
    ...looks.map((l) => h("li", {}, h("i", { class: `swatch ${lookColors[l]}`, style: `--look:var(--${lookColors[l]})` }), lookNames[l])),
    h("li", {}, h("i", { class: "swatch half" }), "borrowed by vfork"),
    h("li", {}, h("i", { class: "swatch ring" }), "changed in this step"));
}
