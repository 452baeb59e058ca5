// The page tables of an address space: a tree of four levels that opens down to
// single entries.

import type { App } from "./app.ts";
import { unused } from "./card.ts";
import { VirtualList, h } from "./dom.ts";
import type { Tab } from "./inspector.ts";
import { bit, decode, indexAt, levelNames, pageSize, span } from "./paging.ts";
import { hex } from "./records.ts";
import type { Space, State, Table } from "./state.ts";

/** A line of the tree: a table, or an entry of a PT. */
interface Line {
  depth: number;
  table?: Table;
  count: number; // entries that are present
  va: number;
  open: boolean;
}

export class TableTab implements Tab {
  readonly name = "Tables";
  readonly el = h("div", { class: "panel tables" });
  private readonly open = new Set<number>(); // frames of the tables that are open
  private readonly closed = new Set<number>();
  private readonly who = h("p", { class: "hint" });
  private readonly list: VirtualList;
  private lines: Line[] = [];
  private chosen = 0;
  private space: Space | undefined;

  constructor(private readonly app: App) {
    this.list = new VirtualList("tree", "Page tables", 24, (n) => this.row(n), (n, clicked) => this.pick(n, clicked), "treeitem");
    this.list.el.addEventListener("keydown", (e) => this.key(e));
    this.el.append(this.who, this.list.el);
  }

  update(app: App): void {
    const s = app.state;
    const at = app.page;
    this.space = at?.space ?? s.spaces.get(s.process(app.at < 0 ? 0 : app.records.pid(app.at)).space) ?? [...s.spaces.values()].at(-1);
    if (!this.space) {
      this.who.textContent = "No address space exists at this moment.";
      this.lines = [];
    } else {
      this.who.textContent = `Address space of ${this.space.pids.map((p) => `PID ${p}`).join(" and ") || unused(s, this.space)}. Enter or a click opens a table.`;
      this.lines = this.flatten(this.space, at?.page.va ?? -1);
    }
    const looked = at ? this.lines.findIndex((l) => !l.table && l.va === at.page.va) : -1;
    if (looked >= 0) this.chosen = looked;
    this.chosen = Math.min(this.chosen, this.lines.length - 1);
    this.list.update(this.lines, this.lines.length, this.chosen, true);
  }

  /** flatten lists what is open of the tree; the way to va is. */
  private flatten(space: Space, va: number): Line[] {
    const lines: Line[] = [];
    const sorted = [...space.tables].sort((a, b) => a.va - b.va || b.level - a.level);
    const visit = (t: Table): void => {
      const end = t.va + span(t.level + 1);
      const below = sorted.filter((x) => x.level === t.level - 1 && x.va >= t.va && x.va < end);
      const onWay = t.va <= va && va < end;
      const open = this.open.has(t.frame) || ((t.level > 2 || onWay) && !this.closed.has(t.frame));
      const pages = t.level === 1 ? pagesIn(space, t.va, end) : [];
      lines.push({ depth: 4 - t.level, table: t, count: t.level === 1 ? pages.length : below.length, va: t.va, open });
      if (!open) return;
      below.forEach(visit);
      for (const page of pages) lines.push({ depth: 4, count: 0, va: page, open: false });
    };
    const root = sorted.find((t) => t.level === 4);
    if (root) visit(root);
    return lines;
  }

  private row(n: number): HTMLElement {
    const l = this.lines[n];
    const el = h("div", { class: "node", "aria-level": l.depth + 1, style: `--depth:${l.depth}` });
    if (l.table) this.fillTable(el, l, l.table);
    else this.fillEntry(el, l);
    return el;
  }

  private fillTable(el: HTMLElement, l: Line, t: Table): void {
    el.setAttribute("aria-expanded", String(l.open));
    const place = t.level === 4 ? "CR3" : `[${indexAt(t.va, t.level + 1)}]`;
    el.append(h("span", { class: "twist" }, l.open ? "▾" : "▸"), h("span", { class: "index" }, place), h("b", {}, levelNames[t.level]), h("code", { class: "frame" }, hex(t.frame)),
      h("small", {}, `${hex(t.va)} · ${l.count} used`));
  }

  private fillEntry(el: HTMLElement, l: Line): void {
    const e = this.space!.entry(l.va);
    const frame = (e.high & 0xfffff) * 2 ** 20 + (e.low >>> 12);
    const s: State = this.app.state;
    el.title = hex(l.va);
    el.append(h("span", { class: "index" }, `[${indexAt(l.va, 1)}]`), h("code", { class: "frame" }, hex(frame)),
      ...decode(e).map((b) => h("span", { class: `flag ${b.on ? "on" : "off"} ${b.name}`, title: `${b.name}: ${b.means}` }, b.name)),
      h("small", {}, `×${s.mapped(frame)}`), h("small", { class: "unseen" }, hex(l.va)));
  }

  /** pick looks at the page of an entry; a click opens or closes a table. */
  private pick(n: number, clicked: boolean): void {
    const l = this.lines[n];
    if (!l) return;
    if (clicked && l.table) this.toggle(l);
    this.chosen = n;
    if (!l.table && this.space) this.app.choose({ space: this.space.id, va: l.va });
    this.app.changed();
  }

  private toggle(l: Line): void {
    const frame = l.table!.frame;
    if (l.open) {
      this.open.delete(frame);
      this.closed.add(frame);
    } else {
      this.open.add(frame);
      this.closed.delete(frame);
    }
  }

  private key(e: KeyboardEvent): void {
    const l = this.lines[this.chosen];
    const wanted = e.key === "ArrowRight" ? true : e.key === "ArrowLeft" ? false : e.key === "Enter" ? !l?.open : null;
    if (wanted === null || !l) return;
    e.preventDefault();
    if (l.table && l.open !== wanted) this.toggle(l);
    this.app.changed();
  }
}

/** pagesIn lists the pages that are present in [start, end). */
function pagesIn(space: Space, start: number, end: number): number[] {
  const pages = [];
  for (let va = start; va < end; va += pageSize) if (space.entry(va).low & bit.present) pages.push(va);
  return pages;
}
