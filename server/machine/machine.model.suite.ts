/** The naive model that the machine is held against: it knows nothing of storage or effects. */
import type { InvocationStatus } from "./invocation.ts";

export const MAX_ATTEMPTS = 3;

/** Even numbers run a plain service, odd ones an exclusive handler: 1 and 3 of one key, 5 of another. */
export const NUMBERS = 6;
export const keyOf = (number: number): string | null =>
  number % 2 === 0 ? null : number === 5 ? "b" : "a";
export const targetOf = (number: number) => {
  const key = keyOf(number);
  return key === null ? { service: "S", handler: "h", key } : { service: "O", handler: "x", key };
};

/** One invocation as the model sees it. */
export interface Naive {
  readonly number: number;
  status: InvocationStatus;
  isPausing: boolean;
  journal: string[];
  /** Completions and signals in the journal, in order, with their place. */
  heard: { key: string; index: number }[];
  awaits: string[];
  openRuns: number[];
  sleeps: { id: number; dueMs: number }[];
  failures: number;
  /** How often it was asked to run. */
  starts: number;
  /** Journal length when the current attempt was asked for. */
  known: number;
  startAtMs: number;
  nextId: number;
  hasOutput: boolean;
}

export class Model {
  readonly all = new Map<number, Naive>();
  /** Of each key: who holds it, then who waits for it, first come first served; a text is a state that is to replace the old one. */
  readonly wanted = new Map<string, (Naive | string)[]>([
    ["a", []],
    ["b", []],
  ]);
  readonly states = new Map<string, string>();

  invoke(number: number, startAtMs: number, nowMs: number): void {
    if (this.all.has(number)) return;
    const later = startAtMs > nowMs;
    const made: Naive = {
      number,
      isPausing: false,
      status: "scheduled",
      journal: ["InputCommand"],
      heard: [],
      awaits: [],
      openRuns: [],
      sleeps: [],
      failures: 0,
      starts: 0,
      known: 1,
      startAtMs,
      nextId: 1,
      hasOutput: false,
    };
    this.all.set(number, made);
    if (!later) this.begin(made);
  }

  begin(it: Naive): void {
    const wanted = this.wantedBy(it);
    wanted?.push(it);
    if (wanted === undefined || wanted[0] === it) this.run(it);
    else it.status = "queued";
  }

  wantedBy({ number }: Naive): (Naive | string)[] | undefined {
    return this.wanted.get(keyOf(number) ?? "");
  }

  /** It is over: its key, or its place, goes to the next. */
  complete(it: Naive): void {
    const wanted = this.wantedBy(it);
    const wasFirst = wanted?.[0] === it;
    it.status = "completed";
    it.isPausing = false;
    if (wanted === undefined || !wanted.includes(it)) return;
    wanted.splice(wanted.indexOf(it), 1);
    if (!wasFirst) return;
    while (typeof wanted[0] === "string") {
      this.states.set(keyOf(it.number) ?? "", wanted.shift() as string);
    }
    const [next] = wanted;
    if (next !== undefined && typeof next !== "string") this.run(next);
  }

  mutate(key: string, state: string): void {
    const wanted = this.wanted.get(key) ?? [];
    if (wanted.length === 0) this.states.set(key, state);
    else wanted.push(state);
  }

  run(it: Naive): void {
    it.status = "running";
    it.isPausing = false;
    it.starts += 1;
    it.known = it.journal.length;
  }

  hear(it: Naive, entry: string, key: string): void {
    if (it.status === "completed") return;
    it.heard.push({ key, index: it.journal.length });
    it.journal.push(entry);
    if (it.status === "suspended" && it.awaits.includes(key)) this.run(it);
  }

  cancel(it: Naive): void {
    const { status } = it;
    if (status === "completed") return;
    if (status === "scheduled" || status === "queued") {
      it.journal.push("OutputCommand");
      this.complete(it);
      return;
    }
    it.isPausing = false;
    this.hear(it, "Signal", "#1");
    if (status !== "paused" && status !== "backing-off") return;
    it.failures = 0;
    this.run(it);
  }

  suspend(it: Naive, awaits: string[]): void {
    it.failures = 0;
    if (it.isPausing) {
      it.status = "paused";
      return;
    }
    it.status = "suspended";
    it.awaits = awaits;
    const news = it.heard.filter((each) => each.index >= it.known);
    if (news.some((each) => awaits.includes(each.key))) this.run(it);
  }

  fail(it: Naive): void {
    if (it.isPausing) {
      it.status = "paused";
      return;
    }
    it.failures += 1;
    it.status = it.failures < MAX_ATTEMPTS ? "backing-off" : "paused";
  }
}
