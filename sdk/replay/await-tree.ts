/**
 * What a handler awaits as the tree that travels (protocol section 8.6, from V7), so that the server can tell what decides
 * it. Whatever the tree cannot say exactly is said so that the server asks too early rather than too late.
 */
import { CANCEL_SIGNAL } from "../protocol/messages.ts";
import type { Future, NotificationId } from "../protocol/messages.ts";

/** How the children of a node decide it, as the protocol numbers it. */
export const Combinator = {
  /** Any child, but only the SDK knows what that makes of the node. */
  UNKNOWN: 0,
  FIRST_COMPLETED: 1,
  ALL_COMPLETED: 2,
  FIRST_SUCCEEDED_OR_ALL_FAILED: 3,
  ALL_SUCCEEDED_OR_FIRST_FAILED: 4,
} as const;

export type Combinator = Future["combinator"];

/** A node under construction; a plain object, for it is what is sent. */
export interface TreeNode extends Future {
  readonly completions: number[];
  readonly signals: number[];
  readonly namedSignals: string[];
  readonly nested: TreeNode[];
  combinator: Combinator;
}

/** What can add to a tree what its outcome still depends on. */
interface Described {
  /** @param depth of the node, 1 for the root */
  describe(node: TreeNode, depth: number): void;
}

const treeNode = (combinator: Combinator): TreeNode => ({
  completions: [],
  signals: [],
  namedSignals: [],
  nested: [],
  combinator,
});

/** Adds a child with children of its own. */
export function nest(parent: TreeNode, combinator: Combinator): TreeNode {
  const child = treeNode(combinator);
  parent.nested.push(child);
  return child;
}

export function addLeaf(node: TreeNode, id: NotificationId): void {
  if (id.kind === "completion") node.completions.push(id.completionId);
  else if (id.kind === "signal-index") node.signals.push(id.index);
  else node.namedSignals.push(id.name);
}

/**
 * The whole tree; undefined when nothing could ever decide it.
 *
 * @param cancellable the signal that cancels the invocation ends the await as well
 */
export function awaitTree(awaited: Described, cancellable: boolean): Future | undefined {
  const root = treeNode(Combinator.FIRST_COMPLETED);
  if (cancellable) root.signals.push(CANCEL_SIGNAL);
  awaited.describe(root, 1);
  if (isEmpty(root)) return undefined;
  if (root.nested.length > 0 && hasRepeats(root)) blurRaces(root.nested);
  const [only, ...others] = root.nested;
  const isWrapped = only === undefined || others.length > 0 || hasLeaves(root);
  return isWrapped ? root : only;
}

/** Some leaf stands in more than one place. */
function hasRepeats(root: Future): boolean {
  const seen = new Set<number | string>();
  let leaves = 0;
  const visit = ({ completions, signals, namedSignals, nested }: Future): void => {
    for (const id of completions) seen.add(id);
    for (const index of signals) seen.add(-index);
    for (const name of namedSignals) seen.add(name);
    leaves += completions.length + signals.length + namedSignals.length;
    nested.forEach(visit);
  };
  visit(root);
  return seen.size < leaves;
}

/**
 * A result that decides several children of a race at once makes the first of them win. The tree does not keep the order of
 * its leaves among its nodes, so that the server must not conclude how such a race came out.
 */
function blurRaces(nodes: readonly TreeNode[]): void {
  for (const node of nodes) {
    if (node.combinator === Combinator.FIRST_COMPLETED) node.combinator = Combinator.UNKNOWN;
    blurRaces(node.nested);
  }
}

const hasLeaves = ({ completions, signals, namedSignals }: Future): boolean =>
  completions.length + signals.length + namedSignals.length > 0;

const isEmpty = (node: Future): boolean => !hasLeaves(node) && node.nested.every(isEmpty);
