// A little help with the document.

type Child = Node | string | null | undefined | false;

/** h makes an element; attributes whose value is false or null are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number | boolean | null | ((e: never) => void)> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") el.addEventListener(name, value as EventListener);
    else if (value !== null && value !== false) el.setAttribute(name, value === true ? "" : String(value));
  }
  el.append(...children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false));
  return el;
}

/** setText changes an element's text if it is not that already. */
export function setText(el: Element, text: string): void {
  if (el.textContent !== text) el.textContent = text;
}

/** setAttribute changes an attribute if it is not that already; null removes it. */
export function setAttribute(el: Element, name: string, value: string | null): void {
  if (value === null) el.removeAttribute(name);
  else if (el.getAttribute(name) !== value) el.setAttribute(name, value);
}

/** The most pixels of height that every browser scrolls. */
const maxHeight = 15_000_000;

/** size follows the size of an element, so that nobody has to ask for it, which would lay the page out anew. */
export function size(el: Element, changed: () => void): { width: number; height: number } {
  const now = { width: 0, height: 0 };
  new ResizeObserver(() => {
    now.width = el.clientWidth;
    now.height = el.clientHeight;
    changed();
  }).observe(el);
  return now;
}

/**
 * A VirtualList is a list of which only the rows in sight are in the document.
 * All rows have the same height.  It is a listbox to assistive technology: the
 * list has the focus, and aria-activedescendant names the chosen row.
 */
export class VirtualList {
  readonly el: HTMLElement;
  private readonly inner = h("div", { class: "rows" });
  private readonly size: { height: number };
  private readonly made = new Map<number, HTMLElement>(); // the rows in the document
  private content: unknown;
  private count = 0;
  private chosen = -1;

  /**
   * render makes the row n; pick is called when the user chooses one.  role is
   * the rows': option or treeitem.
   */
  constructor(
    readonly id: string,
    label: string,
    private readonly rowHeight: number,
    private readonly render: (n: number) => HTMLElement,
    private readonly pick: (n: number, clicked: boolean) => void,
    private readonly role: "option" | "treeitem" = "option",
  ) {
    this.el = h("div", { id, class: "list", role: role === "option" ? "listbox" : "tree", tabindex: 0, "aria-label": label }, this.inner);
    this.size = size(this.el, () => this.draw());
    this.el.addEventListener("scroll", () => this.draw());
    this.el.addEventListener("click", (e) => {
      const row = (e.target as Element).closest<HTMLElement>("[data-row]");
      if (row) this.pick(Number(row.dataset.row), true);
    });
    this.el.addEventListener("keydown", (e) => this.key(e));
  }

  /**
   * update says how many rows there are and which is chosen (-1: none).  Rows
   * that were made are kept while content is the same object.
   */
  update(content: unknown, count: number, chosen: number, follow: boolean): void {
    const moved = chosen !== this.chosen;
    if (content !== this.content) this.forget();
    this.content = content;
    if (count !== this.count) {
      this.count = count;
      this.inner.style.height = `${this.height}px`;
      if (this.squeeze !== 1) this.forget();
    }
    this.chosen = chosen;
    if (follow && moved && chosen >= 0) this.reveal(chosen);
    this.draw();
  }

  /** reveal scrolls until row n is in sight. */
  reveal(n: number): void {
    const top = n * this.rowHeight * this.squeeze;
    const view = this.size.height;
    const margin = Math.min(2 * this.rowHeight, view / 4);
    if (top < this.el.scrollTop + margin) this.el.scrollTop = top - view / 3;
    else if (top + this.rowHeight > this.el.scrollTop + view - margin) this.el.scrollTop = top - (2 * view) / 3;
  }

  private get height(): number {
    return Math.min(this.count * this.rowHeight, maxHeight);
  }

  /** squeeze is how many pixels of scrolling stand for one of the list. */
  private get squeeze(): number {
    return this.count === 0 ? 1 : this.height / (this.count * this.rowHeight);
  }

  private forget(): void {
    for (const el of this.made.values()) el.remove();
    this.made.clear();
  }

  /** draw makes the rows that have come into sight and removes those that have left it. */
  private draw(): void {
    const scrollTop = this.el.scrollTop;
    const first = Math.max(0, Math.floor(scrollTop / this.squeeze / this.rowHeight) - 2);
    const last = Math.min(this.count, first + Math.ceil(this.size.height / this.rowHeight) + 4);
    for (const [n, el] of this.made) {
      if (n >= first && n < last) continue;
      el.remove();
      this.made.delete(n);
    }
    for (let n = first; n < last; n++) this.place(n, scrollTop);
    setAttribute(this.el, "aria-activedescendant", this.chosen >= first && this.chosen < last ? `${this.id}-${this.chosen}` : null);
  }

  /** place puts the row n where it belongs. */
  private place(n: number, scrollTop: number): void {
    let el = this.made.get(n);
    if (!el) {
      el = this.row(n);
      this.made.set(n, el);
      this.inner.insertBefore(el, this.made.get(n + 1) ?? null);
    }
    const top = this.squeeze === 1 ? n * this.rowHeight : scrollTop + n * this.rowHeight - scrollTop / this.squeeze;
    const transform = `translateY(${top}px)`;
    if (el.style.transform !== transform) el.style.transform = transform;
    setAttribute(el, "aria-selected", String(n === this.chosen));
    setAttribute(el, "aria-setsize", String(this.count));
  }

  private row(n: number): HTMLElement {
    const el = this.render(n);
    el.id = `${this.id}-${n}`;
    el.dataset.row = String(n);
    el.style.height = `${this.rowHeight}px`;
    el.setAttribute("role", this.role);
    el.setAttribute("aria-posinset", String(n + 1));
    return el;
  }

  private key(e: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.size.height / this.rowHeight) - 1);
    const moves: Record<string, number> = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page };
    const by = moves[e.key];
    if (by === undefined || this.count === 0 || e.altKey || e.ctrlKey || e.metaKey) return;
    e.preventDefault();
    this.pick(Math.min(Math.max(this.chosen + by, 0), this.count - 1), false);
  }
}
