// Where the events come from: the page itself, or the server of `yolk run -view`.

import type { App } from "./app.ts";
import type { Names } from "./records.ts";
import { count } from "./words.ts";

/** What the page says of its trace. */
export interface About extends Names {
  title: string;
  live?: string; // where the events are fetched from
  end?: boolean; // the page opens at the last event, not at the first
}

/** A sentence for the reader about the trace as a whole; live says that more may come. */
export type Tell = (sentence: string, live?: boolean) => void;

/** about reads what the page says of its trace; null if it holds none. */
export function about(): About | null {
  const text = document.getElementById("about")?.textContent;
  try {
    return text ? (JSON.parse(text) as About) : null;
  } catch {
    return null; // cut off in the midst of it
  }
}

/** readPage plays the trace that the page holds. */
export async function readPage(app: App, tell: Tell): Promise<void> {
  const data = document.getElementById("trace")?.textContent?.trim() ?? "";
  const whole = await unpack(data, (chunk) => app.records.append(chunk));
  app.grew();
  const n = count(app.records.length);
  const ending = document.getElementById("ending")?.textContent;
  if (app.records.damage) tell(app.records.damage);
  else if (!whole || !ending || app.records.rest > 0) tell(`This page is cut off: ${n} events could be read, what followed is missing.`);
  else if (JSON.parse(ending)) tell(`The trace is not whole: ${JSON.parse(ending)}.`);
  else if (app.records.length === 0) tell("This page holds a trace without events.");
}

/** unpack passes on what the text holds, and reports whether it is whole. */
async function unpack(base64: string, take: (chunk: Uint8Array) => void): Promise<boolean> {
  try {
    const text = atob(base64.slice(0, base64.length - (base64.length % 4)));
    const packed = Uint8Array.from(text, (c) => c.charCodeAt(0));
    const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return base64.length % 4 === 0;
      take(value);
    }
  } catch {
    return false;
  }
}

/** follow plays the events that the server sends, until it ends. */
export async function follow(app: App, url: string, tell: Tell): Promise<void> {
  tell("Waiting for the first event.", true);
  try {
    const response = await fetch(url);
    if (!response.ok || !response.body) throw new Error(response.statusText);
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      app.records.append(value);
      app.grew();
      tell(app.records.damage, !app.records.damage);
    }
    if (!app.records.damage) tell("The machine has ended. What it told stays here.");
  } catch {
    tell("The connection to yolk is lost. What has arrived stays here; reload the page to try again.");
  }
}
