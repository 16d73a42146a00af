/** An await tree as operators see it; pure. */
import { awakeableIdToString } from "../../sdk/protocol/ids.ts";
import { CANCEL_SIGNAL, FIRST_USER_SIGNAL, type Future } from "../../sdk/protocol/messages.ts";
import type { View } from "./view.ts";

const COMBINATORS = {
  0: "unknown",
  1: "first-completed",
  2: "all-completed",
  3: "first-succeeded-or-all-failed",
  4: "all-succeeded-or-first-failed",
} as const;

/** So much is shown of a long list, and so deep. */
const SHOWN_MAX = 100;
const DEPTH_MAX = 20;

/** `id` is the invocation that waits. */
export function futureView(id: Uint8Array, future: Future, depth = 1): View {
  const { completions, signals, namedSignals, nested, combinator } = future;
  const isCut = depth >= DEPTH_MAX && nested.length > 0;
  return {
    combinator: COMBINATORS[combinator],
    completions: unlessEmpty(completions),
    signals: unlessEmpty(signals.map((index) => signalText(id, index))),
    named_signals: unlessEmpty(namedSignals),
    nested: isCut
      ? undefined
      : unlessEmpty(nested.slice(0, SHOWN_MAX).map((each) => futureView(id, each, depth + 1))),
    truncated: isCut || undefined,
  };
}

/** Awakeables are signals of the handler's own; the lower ones are the protocol's. */
function signalText(id: Uint8Array, index: number): string {
  if (index >= FIRST_USER_SIGNAL) return awakeableIdToString(id, index);
  return index === CANCEL_SIGNAL ? "cancellation" : `signal ${index}`;
}

function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list.slice(0, SHOWN_MAX);
}
