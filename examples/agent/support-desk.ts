/**
 * The shop's side: its orders, and a file with a line for every execution of a tool that changes something. The key of a step tells
 * a repetition: it leaves a line too, but nothing happens, and it is answered as the first time.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";

export interface DeskEntry {
  readonly kind: "refund" | "mail";
  readonly order: string;
  /** The idempotency key of the step. */
  readonly key: string;
  /** What the step was answered. */
  readonly result: string;
}

const ORDERS: ReadonlyMap<string, string> = new Map([
  ["1042", "a lamp for 49.00 EUR, ordered by ada@example.org, arrived broken"],
  ["1043", "two books for 31.50 EUR, ordered by grace@example.org"],
]);

export class SupportDesk {
  readonly #file: string;

  /** @param file where the lines go; it need not exist */
  constructor(file: string) {
    this.#file = file;
  }

  describe(order: string): string {
    return ORDERS.get(order) ?? "no such order";
  }

  refund(order: string, key: string): string {
    return this.#once({ kind: "refund", order, key, result: `reference ${key.slice(-8)}` });
  }

  write(order: string, text: string, key: string): string {
    return this.#once({ kind: "mail", order, key, result: `sent: ${text}` });
  }

  /** A line for every execution, in their order. */
  entries(): DeskEntry[] {
    if (!existsSync(this.#file)) return [];
    const lines = readFileSync(this.#file, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line): DeskEntry => JSON.parse(line));
  }

  #once(entry: DeskEntry): string {
    const first = this.entries().find(({ key }) => key === entry.key) ?? entry;
    appendFileSync(this.#file, `${JSON.stringify(first)}\n`);
    return first.result;
  }
}
