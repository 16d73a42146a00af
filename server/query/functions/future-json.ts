/** What is awaited, as clients read it: `{"FirstCompleted":[{"Single":{"CompletionId":1}}]}`. */
import type { Future } from "../../../sdk/protocol/messages.ts";
import { parseJson } from "./parse-json.ts";
import type { SqlArgument } from "./sql-argument.ts";

const COMBINATORS = [
  "Unknown",
  "FirstCompleted",
  "AllCompleted",
  "FirstSucceededOrAllFailed",
  "AllSucceededOrFirstFailed",
] as const;

const single = (name: string) => (value: number | string) => ({ Single: { [name]: value } });

export function futureJson(future: Future): unknown {
  const parts = [
    ...future.completions.map(single("CompletionId")),
    ...future.signals.map(single("SignalIndex")),
    ...future.namedSignals.map(single("SignalName")),
    ...future.nested.map(futureJson),
  ];
  return { [COMBINATORS[future.combinator]]: parts };
}

/** The column `awaiting` as that JSON. */
export function futureText(awaiting: SqlArgument): string | null {
  return typeof awaiting === "string"
    ? JSON.stringify(futureJson(parseJson<Future>(awaiting)))
    : null;
}

/** All completions in the tree, as a JSON array, each once. */
export function awaitedCompletions(awaiting: SqlArgument): string | null {
  return leaves(awaiting, (future) => future.completions);
}

/** All signals by index in the tree, as a JSON array, each once. */
export function awaitedSignals(awaiting: SqlArgument): string | null {
  return leaves(awaiting, (future) => future.signals);
}

function leaves(awaiting: SqlArgument, own: (future: Future) => readonly number[]): string | null {
  if (typeof awaiting !== "string") return null;
  const found = new Set<number>();
  const visit = (future: Future): void => {
    for (const leaf of own(future)) found.add(leaf);
    future.nested.forEach(visit);
  };
  visit(parseJson<Future>(awaiting));
  return JSON.stringify([...found].toSorted((a, b) => a - b));
}
