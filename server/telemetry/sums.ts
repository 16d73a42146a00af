/**
 * Counters whose hot path is an addition to a number: what they sum up is handed to the registry when it is scraped, so that no
 * label object is made for each call.
 */
import { Counter, type Registry } from "prom-client";

export interface Sum {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

export interface CounterFacts {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
}

/** Registers a counter that shows `sums()` at each scrape. A sum may only grow; one that is zero is not shown. */
export function registerSums(
  registry: Registry,
  facts: CounterFacts,
  sums: () => Iterable<Sum>,
): void {
  const counter: Counter = new Counter({
    ...facts,
    labelNames: [...(facts.labelNames ?? [])],
    registers: [registry],
    collect: () => {
      counter.reset();
      for (const { labels, value } of sums()) if (value > 0) counter.inc({ ...labels }, value);
    },
  });
}

/** A counter without labels. */
export function registerSum(registry: Registry, facts: CounterFacts): Sum {
  const sum: Sum = { labels: {}, value: 0 };
  registerSums(registry, facts, () => [sum]);
  return sum;
}
