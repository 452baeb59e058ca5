// The page that is looked at: where the address leads, what its entry says, who
// else has its frame.

import type { App } from "./app.ts";
import { h } from "./dom.ts";
import type { Tab } from "./inspector.ts";
import { unused } from "./card.ts";
import { lookNames, mappers, type Page } from "./look.ts";
import { decode, indexAt, levelNames, present, span, type Entry } from "./paging.ts";
import { hex, hex64 } from "./records.ts";
import { Holds, type Space, type State } from "./state.ts";
import { hue, lookColors } from "./theme.ts";
import { many, protectionWords } from "./words.ts";

const holdsWords: Record<Holds, string> = {
  [Holds.Unknown]: "holds something that the trace does not tell",
  [Holds.Anonymous]: "holds memory of processes",
  [Holds.File]: "belongs to the page cache: it holds a page of a file",
  [Holds.Zero]: "is the shared zero page",
};

/** The most mappers that are listed. */
const listed = 40;

export class PageTab implements Tab {
  readonly name = "Page";
  readonly el = h("div", { class: "panel", tabindex: 0 });
  private readonly words = h("p", { class: "unseen", id: "page-words", role: "status" });
  private shown = "";

  constructor() {
    document.body.append(this.words);
  }

  update(app: App): void {
    const at = app.page;
    const key = `${app.at} ${at?.space.id} ${at?.page.va} ${app.chosen !== null} ${app.hover !== null}`;
    if (key === this.shown) return;
    this.shown = key;
    if (!at) {
      this.el.replaceChildren(h("p", { class: "hint" }, "Point at a page, or give the map the focus and use the arrow keys."));
      return;
    }
    const { space, page } = at;
    const s = app.state;
    this.el.replaceChildren(
      this.head(app, space, page), walk(space, page.va), bits(page.entry, space.told), frame(app, s, page));
    this.words.textContent = app.hover ? `${hex(page.va)}: ${lookNames[page.look]}${page.frame ? `, frame ${hex(page.frame)}, ${many(s.mapped(page.frame), "mapping")}` : ""}` : "";
  }

  private head(app: App, space: Space, page: Page): HTMLElement {
    const r = space.region(page.va);
    const name = r ? `${protectionWords(r.flags)} ${app.history.text(r.made)}` : "no region told";
    const held = app.chosen !== null && app.hover === null;
    return h("header", { class: "page-head" },
      h("h3", {}, h("code", { id: "page-va" }, hex(page.va)),
        held && h("button", { type: "button", class: "held", title: "Let go of this page (Escape)", click: () => app.choose(null) }, "held ✕")),
      h("p", {}, h("i", { class: `swatch ${lookColors[page.look]}`, style: `--look:var(--${lookColors[page.look]})` }), h("b", { id: "page-look" }, lookNames[page.look]),
        ` · ${space.pids.map((p) => `PID ${p}`).join(", ") || unused(app.state, space)} · ${name}`));
  }
}

/** walk shows how the processor splits the address, and the tables that it leads through. */
function walk(space: Space, va: number): HTMLElement {
  const rows = [4, 3, 2, 1].map((level) => {
    const table = space.tables.find((t) => t.level === level && t.va <= va && va < t.va + span(level + 1));
    return h("tr", {}, h("th", { scope: "row" }, levelNames[level]), h("td", {}, h("code", {}, table ? hex(table.frame) : "–")),
      h("td", {}, `[${indexAt(va, level)}]`));
  });
  return h("table", { class: "walk" }, h("caption", {}, "The walk to it"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "table"), h("th", { scope: "col" }, "in frame"), h("th", { scope: "col" }, "entry"))), h("tbody", {}, ...rows));
}

/** bits shows an entry bit by bit; told says whether the trace told it. */
function bits(e: Entry, told: boolean): HTMLElement {
  const cells = decode(e).map((b) => h("li", { class: b.on ? "on" : "off", title: `bit ${b.at}: ${b.means}` }, h("b", {}, b.name), h("small", {}, b.on ? "1" : "0")));
  return h("div", { class: "bits" }, h("h4", {}, "Its entry ", h("code", { id: "page-entry" }, hex64(e.low, e.high))), h("ul", { "aria-label": "The bits of the entry" }, ...cells),
    h("small", { class: "hint" }, told ? "A and D as the kernel last wrote them: the processor sets them without a trace."
      : "Concluded from the faults, since the trace has no events of the class entry."));
}

/** frame shows the frame and who maps it. */
function frame(app: App, s: State, page: Page): HTMLElement {
  if (!present(page.entry)) return h("p", { class: "hint" }, "No frame is behind it. Whether an access will get one is up to the region.");
  const n = s.mapped(page.frame);
  const all = s.holds(page.frame) === Holds.Zero ? [] : mappers(s, page.frame);
  const rows = all.slice(0, listed).map((m) => h("li", {},
    h("button", { type: "button", click: () => app.choose({ space: m.space.id, va: m.va }) },
      ...m.space.pids.flatMap((p) => [h("i", { class: "dot", style: `--hue:${hue(p)}` }), `PID ${p} `]), h("code", {}, hex(m.va)), m.marked && h("em", {}, "COW"))));
  return h("div", { class: "frame-facts" },
    h("h4", {}, "Frame ", h("code", { id: "page-frame" }, hex(page.frame))),
    h("p", {}, "It ", holdsWords[s.holds(page.frame)], ". ", h("b", { id: "page-mapped" }, many(n, "entry points", "entries point")), " at it."),
    h("ul", { class: "mappers", id: "mappers" }, ...rows, all.length > listed && h("li", {}, `and ${all.length - listed} more`)));
}
