/** What a suspending endpoint waits for, checked before anything is kept of it (service protocol 7.3 and 8.6). Pure. */
import type { Future, Suspension } from "../../sdk/protocol/messages.ts";
import { isEmpty } from "../journal/await-tree.ts";

/** Leaves and nodes: the tree is held against every notification that comes; no handler waits for so many at once. */
const AWAITED_MAX = 10_000;

/** From here on suspensions carry a tree, before that three lists. */
export const TREE_VERSION = 7;

/** Why nobody can wait for this; null when it is sound. */
export function awaitProblem(future: Future): string | null {
  const awaited = sizeOf(future);
  if (awaited > AWAITED_MAX) return `the endpoint awaits ${awaited} results at once`;
  return isEmpty(future) ? "the endpoint does not name what it waits for" : null;
}

/** The suspension with nothing but what belongs to this version; a text says why there is none. */
export function soundSuspension(suspension: Suspension, version: number): Suspension | string {
  const { type, completions, signals, namedSignals, awaitingOn } = suspension;
  if (version >= TREE_VERSION) {
    if (awaitingOn === undefined) {
      return "the endpoint suspended with lists of what it waits for, which belong to an earlier protocol version than was agreed";
    }
    const none = { completions: [], signals: [], namedSignals: [] };
    return awaitProblem(awaitingOn) ?? { type, ...none, awaitingOn };
  }
  const lists = { completions, signals, namedSignals };
  return awaitProblem({ ...lists, nested: [], combinator: 1 }) ?? { type, ...lists };
}

function sizeOf(future: Future): number {
  let size = 0;
  const left = [future];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    size += 1 + node.completions.length + node.signals.length + node.namedSignals.length;
    left.push(...node.nested);
  }
  return size - 1;
}
