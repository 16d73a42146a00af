/**
 * Why an invocation does not go on: what it waits for and since when, and what that waits for in its turn, down to the end of
 * the chain or to a cycle. Pure over a reader and the attempts in flight.
 */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { Future } from "../../sdk/protocol/messages.ts";
import { type Invocation, targetText } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import type { LiveAttempts } from "../processor/ports.ts";
import type { Budget } from "./awaited-commands.ts";
import type { Cause, Link } from "./cause.ts";
import { futureView } from "./future-view.ts";
import { causesOf } from "./status-causes.ts";
import { rfc3339Nanos } from "../base/rfc3339.ts";
import type { View } from "./view.ts";
import { clauseOf, sinceMsOf } from "./why-sentence.ts";

/** Bounds on one answer, which is made while nothing else happens. */
const LEVELS_MAX = 8;
const ENTRIES_MAX = 10_000;
const BYTES_MAX = 64 * 1024 * 1024;
const INVOCATIONS_MAX = 50;

/** Attempts as operators see them. */
export interface AdminAttempts extends LiveAttempts {
  /** No attempt begins: this is a restored state of the past. */
  readonly isHeld?: boolean;
}

export interface WhyOptions {
  readonly reader: Reader;
  readonly live: AdminAttempts;
  /** How many invocations deep it is followed. */
  readonly levels?: number;
}

/** The answer about one invocation, and about those behind it. */
export function whyView(options: WhyOptions, invocation: Invocation): View {
  const walk = new Walk(options);
  const { view, clause } = walk.explain(invocation, []);
  const { cycles } = walk;
  return {
    ...view,
    explanation: `it ${clause}${cycleText(cycles)}`,
    cycles: cycles.length === 0 ? undefined : cycles,
  };
}

function cycleText(cycles: readonly Cycle[]): string {
  if (cycles.some(({ is_deadlock: isDeadlock }) => isDeadlock)) {
    return ". This is a deadlock: cancel or kill one of them";
  }
  if (cycles.some(({ is_certain: isCertain }) => isCertain === false)) {
    return ". This may be a deadlock: it is known when all of them have said what they await, or are suspended";
  }
  return "";
}

interface Explained {
  readonly view: View;
  /** What stands behind "it" or "which". */
  readonly clause: string;
}

/** An invocation that was looked into, and how it waits for the next one. */
interface Hop {
  readonly invocation: Invocation;
  readonly by: Link["by"];
  readonly isNeeded: boolean;
  readonly isCertain: boolean;
}

interface Cycle {
  /** Nothing but a kill or a cancellation ends it; otherwise something else may. */
  readonly is_deadlock: boolean;
  /** False: whether one of them waits for the next is not known yet. */
  readonly is_certain: false | undefined;
  readonly invocations: readonly View[];
}

class Walk {
  readonly cycles: Cycle[] = [];
  readonly #options: WhyOptions;
  readonly #budget: Budget = {
    entries: ENTRIES_MAX,
    bytes: BYTES_MAX,
    invocations: INVOCATIONS_MAX,
  };

  constructor(options: WhyOptions) {
    this.#options = options;
  }

  explain(invocation: Invocation, path: readonly Hop[]): Explained {
    const { reader, live } = this.#options;
    const attempt = live.of(invocation.seq);
    const unreachable = live.unreachable(invocation.seq);
    const obstacles = { unreachable, isHeld: live.isHeld === true };
    const causes = causesOf({ reader, invocation, budget: this.#budget }, attempt, obstacles);
    const sinceMs = sinceMsOf(reader, invocation, attempt);
    const shown = causes.map((each) => this.#causeView(invocation, dated(each, sinceMs), path));
    const first = shown.find(({ behind }) => behind !== null)?.behind ?? null;
    const awaiting = awaitedBy(invocation, attempt?.awaitingOn ?? null);
    const clause = clauseOf(reader, invocation, causes, attempt);
    const view = {
      id: invocationIdToString(invocation.id),
      target: targetText(invocation.target),
      status: invocation.state.status,
      since: rfc3339Nanos(sinceMs),
      causes: shown.map(({ view: each }) => each),
      await_tree: awaiting === null ? undefined : futureView(invocation.id, awaiting),
    };
    return { view, clause: first === null ? clause : `${clause}, which ${first.clause}` };
  }

  #causeView(
    invocation: Invocation,
    { kind, phrase, sinceMs, isNeeded, isCertain, fields, behind: link }: Cause,
    path: readonly Hop[],
  ): { readonly view: View; readonly behind: Explained | null } {
    const hop = link === null ? null : { invocation, by: link.by, isNeeded, isCertain };
    const behind =
      link?.invocation === undefined || hop === null
        ? null
        : this.#follow(link.invocation, [...path, hop]);
    const view = {
      kind,
      explanation: phrase,
      since: sinceMs === null ? undefined : rfc3339Nanos(sinceMs),
      ...fields,
      is_certain: isCertain ? undefined : false,
      why: behind === null ? undefined : { ...behind.view, explanation: `it ${behind.clause}` },
    };
    return { view, behind };
  }

  /** Null where the bounds of an answer are reached. */
  #follow(invocation: Invocation, path: readonly Hop[]): Explained | null {
    const at = path.findIndex((hop) => hop.invocation.seq === invocation.seq);
    if (at >= 0) {
      const cycle = cycleOf(path.slice(at));
      this.cycles.push(cycle);
      const clause = "stands in this chain already";
      return { view: { ...nameView(invocation), in_cycle: true }, clause };
    }
    if (path.length > (this.#options.levels ?? LEVELS_MAX)) return null;
    if (this.#budget.invocations === 0) return null;
    this.#budget.invocations -= 1;
    return this.explain(invocation, path);
  }
}

function cycleOf(hops: readonly Hop[]): Cycle {
  return {
    is_deadlock: hops.every(({ isNeeded }) => isNeeded),
    is_certain: hops.every(({ isCertain }) => isCertain) ? undefined : false,
    invocations: hops.map(({ invocation, by }) => ({ ...nameView(invocation), waits_by: by })),
  };
}

/** Nothing in a journal tells when a signal was first awaited: not after the invocation came to where it is. */
function dated(cause: Cause, sinceMs: number): Cause {
  const isSignal = ["awakeable", "signal", "message"].includes(cause.kind);
  return isSignal && cause.sinceMs === null ? { ...cause, sinceMs } : cause;
}

function nameView({ id, target, state }: Invocation): View {
  return { id: invocationIdToString(id), target: targetText(target), status: state.status };
}

function awaitedBy({ state }: Invocation, live: Future | null): Future | null {
  if (state.status === "suspended") return state.awaiting;
  return state.status === "running" ? live : null;
}
