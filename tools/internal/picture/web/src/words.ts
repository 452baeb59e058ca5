// Numbers in words: what a sentence needs to speak of errors, signals and the like.

import type { Names } from "./records.ts";

export const errorName = (names: Names, n: number): string => names.errors[n] || `error ${n}`;
export const signalName = (names: Names, n: number): string => names.signals[n] || `signal ${n}`;
export const callName = (names: Names, n: number): string => names.calls[n] || `system call ${n}`;

/** statusWords says how a process ended (wait(2)). */
export function statusWords(names: Names, status: number): string {
  const signal = status & 0x7f;
  return signal ? `was ended by ${signalName(names, signal)}` : `exited with status ${(status >> 8) & 0xff}`;
}

/** accessWords says what a fault's error code tells of the access (SDM 3A §4.7). */
export function accessWords(code: number): string {
  if (code & 16) return "fetched an instruction from";
  return code & 2 ? "wrote to" : "read";
}

/** protectionWords is a region's protection as ls and /proc/PID/maps write it. */
export function protectionWords(flags: number): string {
  return (flags & 1 ? "r" : "-") + (flags & 2 ? "w" : "-") + (flags & 4 ? "x" : "-") + (flags & 8 ? "s" : "p");
}

const grouped = new Intl.NumberFormat("en");

/** count writes a number with a comma after each third digit. */
export const count = (n: number): string => grouped.format(n);

/** many writes a number and its noun. */
export function many(n: number, noun: string, plural = noun + "s"): string {
  return `${count(n)} ${n === 1 ? noun : plural}`;
}

/** sizeWords writes a number of bytes. */
export function sizeWords(bytes: number): string {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20]] as const) {
    if (bytes >= size) return `${+(bytes / size).toFixed(1)} ${unit}`;
  }
  return `${+(bytes / 1024).toFixed(1)} KiB`;
}

/** timeWords writes nanoseconds since boot as seconds. */
export function timeWords(ns: number): string {
  return `${(ns / 1e9).toFixed(6)} s`;
}
