// What differs between two moments: the last two steps, or the marked one and this.

import type { App } from "./app.ts";
import { Change, changeNames, type PageChange, type SpaceChange } from "./diff.ts";
import { VirtualList, h, setText } from "./dom.ts";
import type { Tab } from "./inspector.ts";
import { hex } from "./records.ts";
import type { Space } from "./state.ts";
import { many } from "./words.ts";

type Line = { space: SpaceChange } | { space: SpaceChange; page: PageChange };

export class ChangeTab implements Tab {
  readonly name = "Changes";
  readonly el = h("div", { class: "panel changes" });
  private readonly summary = h("p", { class: "hint", id: "change-summary" });
  private readonly list: VirtualList;
  private lines: Line[] = [];
  private shown: SpaceChange[] | null = null;
  private chosen = -1;

  constructor(private readonly app: App) {
    this.list = new VirtualList("changes", "Changes", 26, (n) => this.row(n), (n) => this.pick(n));
    this.el.append(this.summary, this.list.el);
  }

  update(app: App): void {
    const changes = app.changes;
    if (changes !== this.shown) {
      this.shown = changes;
      this.chosen = -1;
      this.lines = changes.flatMap((space) => [{ space }, ...(space.before && space.after ? space.pages.map((page) => ({ space, page })) : [])]);
    }
    const from = Math.min(app.since, app.at);
    setText(this.summary, `What changed between ${from < 0 ? "the beginning" : `#${from}`} and #${Math.max(app.since, app.at)}. Press m to compare any two moments.`);
    this.list.update(this.lines, this.lines.length, this.chosen, false);
  }

  private row(n: number): HTMLElement {
    const l = this.lines[n];
    if (!("page" in l)) return h("div", { class: "change-head" }, title(l.space));
    const { va, change, from, to } = l.page;
    const frames = change === Change.Appeared ? hex(to) : change === Change.Went || from === to ? hex(from) : `${hex(from)} → ${hex(to)}`;
    return h("div", { class: "change-row", "data-va": hex(va), "data-change": changeNames[change] },
      h("span", { class: `change c${change}` }, changeNames[change]), h("code", {}, hex(va)), h("code", { class: "frame" }, frames));
  }

  private pick(n: number): void {
    const l = this.lines[n];
    this.chosen = n;
    if (l && "page" in l && l.space.after) this.app.choose({ space: l.space.after.id, va: l.page.va });
    else this.app.changed();
  }
}

function title(c: SpaceChange): string {
  const whose = (s: Space) => s.pids.map((p) => `PID ${p}`).join(", ") || "nobody";
  if (!c.before) return `${whose(c.after!)}: a new address space, root ${hex(c.after!.root)}, ${many(c.after!.resident, "page")}`;
  if (!c.after) return `The address space with root ${hex(c.before.root)} went, with ${many(c.before.resident, "page")}`;
  return `${whose(c.after)}: ${many(c.pages.length, "page")}`;
}
