// The inspector: the page that is looked at, the page tables, the frames, the
// changes.  Each is a tab.

import type { App, Part } from "./app.ts";
import { h } from "./dom.ts";

/** A tab of the inspector. */
export interface Tab extends Part {
  readonly name: string;
  readonly el: HTMLElement;
}

export class Inspector implements Part {
  readonly el: HTMLElement;
  private readonly buttons: HTMLButtonElement[];
  private open = 0;

  constructor(private readonly app: App, private readonly tabs: Tab[]) {
    this.buttons = tabs.map((t, i) => h("button", { type: "button", role: "tab", id: `tab-${t.name}`, "aria-controls": `panel-${t.name}`, click: () => this.show(i) }, t.name));
    const row = h("div", { role: "tablist", "aria-label": "Inspector", keydown: (e: KeyboardEvent) => this.key(e) }, ...this.buttons);
    tabs.forEach((t) => {
      t.el.id = `panel-${t.name}`;
      t.el.setAttribute("role", "tabpanel");
      t.el.setAttribute("aria-labelledby", `tab-${t.name}`);
    });
    this.el = h("section", { class: "inspector", "aria-label": "Inspector" }, row, ...tabs.map((t) => t.el));
    this.show(0);
  }

  /** show opens a tab. */
  show(i: number): void {
    this.open = i;
    this.tabs.forEach((t, k) => {
      t.el.hidden = k !== i;
      this.buttons[k].setAttribute("aria-selected", String(k === i));
      this.buttons[k].tabIndex = k === i ? 0 : -1;
    });
    this.app.changed();
  }

  update(app: App): void {
    this.tabs[this.open].update(app);
  }

  private key(e: KeyboardEvent): void {
    const by = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    e.preventDefault();
    this.show((this.open + by + this.tabs.length) % this.tabs.length);
    this.buttons[this.open].focus();
  }
}
