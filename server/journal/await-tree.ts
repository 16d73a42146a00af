/**
 * What a suspended invocation waits for, as a tree (service protocol 8.6), and how each notification brings it on. Leaves that are
 * decided are pruned, so that the tree stored is what is still missing.
 */
import type {
  Future,
  NotificationId,
  NotificationResult,
  Suspension,
} from "../../sdk/protocol/messages.ts";

/**
 * How a part of the tree came out. `either`: only the SDK knows which of the two. `undecidable`: only the SDK knows whether
 * anything is decided, so the whole tree counts as decided and it is asked.
 */
export type Decided = "success" | "failure" | "either" | "undecidable";

const FIRST_COMPLETED = 1;
const ALL_COMPLETED = 2;
const FIRST_SUCCEEDED_OR_ALL_FAILED = 3;
const ALL_SUCCEEDED_OR_FIRST_FAILED = 4;

/** V5 and V6 list what is awaited: any of it is enough. */
export function futureOf({ completions, signals, namedSignals, awaitingOn }: Suspension): Future {
  if (awaitingOn !== undefined) return awaitingOn;
  return { completions, signals, namedSignals, nested: [], combinator: FIRST_COMPLETED };
}

/** Nodes on the longest way down; a tree without nested ones has 1. */
export function depthOf(future: Future): number {
  let depth = 0;
  let level: readonly Future[] = [future];
  while (level.length > 0) {
    depth += 1;
    level = level.flatMap((each) => each.nested);
  }
  return depth;
}

/** True when nothing at all is awaited: it would never be decided. */
export function isEmpty(future: Future): boolean {
  const { completions, signals, namedSignals, nested } = future;
  const leaves = completions.length + signals.length + namedSignals.length;
  return leaves === 0 && nested.every(isEmpty);
}

export function outcomeOfResult({ kind }: NotificationResult): Decided {
  return kind === "failure" ? "failure" : "success";
}

/** The tree after a notification: what is left of it, or how it came out. The same object when the notification is not awaited. */
export function advance(future: Future, id: NotificationId, outcome: Decided): Future | Decided {
  let node = withoutLeaf(future, id);
  if (node !== future) {
    const settled = settle(node, outcome);
    if (typeof settled === "string") return settled;
    node = settled;
  }
  // The same leaf may stand in several branches.
  for (const child of future.nested) {
    const next = advance(child, id, outcome);
    if (next === child) continue;
    const at = node.nested.indexOf(child);
    if (typeof next !== "string") {
      node = { ...node, nested: node.nested.with(at, next) };
      continue;
    }
    const settled = settle({ ...node, nested: node.nested.toSpliced(at, 1) }, next);
    if (typeof settled === "string") return settled;
    node = settled;
  }
  return node;
}

function withoutLeaf(future: Future, id: NotificationId): Future {
  switch (id.kind) {
    case "completion":
      return future.completions.includes(id.completionId)
        ? { ...future, completions: future.completions.filter((each) => each !== id.completionId) }
        : future;
    case "signal-index":
      return future.signals.includes(id.index)
        ? { ...future, signals: future.signals.filter((each) => each !== id.index) }
        : future;
    case "signal-name":
      return future.namedSignals.includes(id.name)
        ? { ...future, namedSignals: future.namedSignals.filter((each) => each !== id.name) }
        : future;
    default:
      return future;
  }
}

/** A child of this node came out; `left` is the node without it. */
function settle(left: Future, outcome: Decided): Future | Decided {
  if (outcome === "undecidable") return outcome;
  switch (left.combinator) {
    case FIRST_COMPLETED:
      return outcome;
    case ALL_COMPLETED:
      return isEmpty(left) ? "success" : left;
    case FIRST_SUCCEEDED_OR_ALL_FAILED:
      if (outcome === "either") return "undecidable";
      return outcome === "failure" && !isEmpty(left) ? left : outcome;
    case ALL_SUCCEEDED_OR_FIRST_FAILED:
      if (outcome === "either") return "undecidable";
      return outcome === "success" && !isEmpty(left) ? left : outcome;
    default:
      return "either";
  }
}
