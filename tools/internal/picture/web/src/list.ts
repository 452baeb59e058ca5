// The events that are listed, one sentence each, and the choice of what is listed.

import type { App, Part } from "./app.ts";
import { VirtualList, h, setText } from "./dom.ts";
import { sentence } from "./sentence.ts";
import { speech } from "./speech.ts";
import { classes } from "./steps.ts";
import { hue } from "./theme.ts";
import { count } from "./words.ts";

export class EventList implements Part {
  readonly el: HTMLElement;
  private readonly list: VirtualList;
  private readonly count = h("span", { class: "count" });
  private readonly only = h("select", { id: "only", "aria-label": "Whose events are listed" });
  private offered = "";

  constructor(private readonly app: App) {
    this.list = new VirtualList("events", "Events", 66, (n) => this.row(n), (n) => app.seek(app.steps.event(n)));
    this.only.addEventListener("change", () => app.filter({ pid: Number(this.only.value) }));
    this.el = h("section", { class: "events", "aria-label": "Events" },
      h("header", {}, h("h2", {}, "Events "), this.count, this.only), this.filters(), this.list.el);
  }

  update(app: App): void {
    const n = app.steps.length;
    setText(this.count, `${count(n)} of ${count(app.records.length)}`);
    this.offer();
    this.list.update(app.steps, n, app.steps.rank(app.at) - 1, true);
  }

  /** offer lists the processes to choose from. */
  private offer(): void {
    const pids = [...new Set(this.app.history.lives.map((l) => l.pid))];
    if (this.offered === String(pids)) return;
    this.offered = String(pids);
    const chosen = this.only.value;
    this.only.replaceChildren(h("option", { value: 0 }, "all processes"), ...pids.map((p) => h("option", { value: p }, `PID ${p}`)));
    this.only.value = chosen || "0";
  }

  private filters(): HTMLElement {
    const boxes = Object.keys(classes).map((name) => {
      const box = h("input", { type: "checkbox", name, checked: this.app.steps.filter.classes.has(name) });
      box.addEventListener("change", () => {
        const chosen = new Set(this.app.steps.filter.classes);
        if (box.checked) chosen.add(name);
        else chosen.delete(name);
        this.app.filter({ classes: chosen });
      });
      return h("label", { class: "chip" }, box, name);
    });
    return h("fieldset", { class: "filters" }, h("legend", { class: "unseen" }, "Classes of events that are listed and stepped through"), ...boxes);
  }

  private row(n: number): HTMLElement {
    const { records, history } = this.app;
    const i = this.app.steps.event(n);
    const kind = records.kind(i);
    const what = kind === "fault" ? records.decision(i) : kind;
    const pid = records.pid(i);
    return h("div", { class: `event on-${kind} on-${what}`, "data-event": i },
      h("div", { class: "what" }, h("i", { class: "dot", style: `--hue:${hue(pid)}` }), h("span", {}, what.replaceAll("-", " ")), h("small", {}, `#${i}`)),
      h("p", {}, ...speech(sentence(history, i))));
  }
}
