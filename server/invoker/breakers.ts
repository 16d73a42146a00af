/**
 * Keeps attempts from piling up against deployments that cannot be reached: after some failures in a row to get any response,
 * one attempt at a time tries, until one gets a response. The others are held here.
 *
 * B1 What is held counts against no other bound, so that a dead deployment does not hold up the rest.
 * B2 While something is held, a probe is in flight or a timer is armed: it is let go in the end.
 */
import type { Log } from "../base/log.ts";
import type { After } from "./sweep.ts";
import type { WaitingStart } from "./waiting-starts.ts";

/** Below this, failing attempts look after themselves: they back off one by one. */
const FAILURES_MAX = 10;
const PROBE_DELAY_MS_MIN = 100;
const PROBE_DELAY_MS_MAX = 2000;
/** Held for each deployment; the rest is derived from state again once it answers. */
const HELD_MAX = 1000;

export interface BreakersOptions {
  readonly after: After;
  readonly log: Log;
  /** This one may try again. */
  readonly onRelease: (start: WaitingStart) => void;
  /** Some were not kept, and those who were have been let go. */
  readonly onDropped: () => void;
}

interface Breaker {
  failures: number;
  probeDelayMs: number;
  /** The attempt that finds out whether the deployment can be reached. */
  probe: object | null;
  /** Calls the timer off; null when none is armed. */
  cancel: (() => void) | null;
  /** By seq, in the order in which they came. */
  readonly held: Map<number, WaitingStart>;
  hasDropped: boolean;
}

export class Breakers {
  readonly #options: BreakersOptions;
  /** Only deployments whose last attempts got no response. */
  readonly #byDeployment = new Map<string, Breaker>();

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  /** Starts that are held back. */
  get held(): number {
    let count = 0;
    for (const { held } of this.#byDeployment.values()) count += held.size;
    return count;
  }

  /** Whether an attempt may begin on this deployment now. */
  admits(deploymentId: string): boolean {
    const breaker = this.#byDeployment.get(deploymentId);
    if (breaker === undefined || breaker.failures < FAILURES_MAX) return true;
    return breaker.probe === null && breaker.cancel === null;
  }

  /** An attempt that was admitted has begun. */
  began(deploymentId: string, attempt: object): void {
    const breaker = this.#byDeployment.get(deploymentId);
    if (breaker !== undefined && breaker.failures >= FAILURES_MAX) breaker.probe = attempt;
  }

  /** Keeps a start that was not admitted; a later one of the same invocation replaces it. */
  hold(deploymentId: string, { seq, epoch, knownEntries }: WaitingStart): void {
    const breaker = this.#byDeployment.get(deploymentId);
    if (breaker === undefined) return;
    if (breaker.held.size < HELD_MAX || breaker.held.has(seq)) {
      breaker.held.set(seq, { seq, epoch, knownEntries });
    } else breaker.hasDropped = true;
  }

  /** The deployment for which this invocation is held. */
  holding(seq: number): string | undefined {
    for (const [deploymentId, { held }] of this.#byDeployment) {
      if (held.has(seq)) return deploymentId;
    }
    return undefined;
  }

  /** More of the journal of a held one is durable now. */
  raise(seq: number, epoch: number, knownEntries: number): void {
    for (const { held } of this.#byDeployment.values()) {
      const start = held.get(seq);
      if (start?.epoch !== epoch) continue;
      start.knownEntries = Math.max(start.knownEntries, knownEntries);
    }
  }

  /** An attempt ended without a response. */
  unreachable(deploymentId: string, attempt: object): void {
    let breaker = this.#byDeployment.get(deploymentId);
    if (breaker === undefined) {
      breaker = newBreaker();
      this.#byDeployment.set(deploymentId, breaker);
    }
    breaker.failures += 1;
    if (breaker.failures === FAILURES_MAX) {
      this.#options.log.warn("deployment-unreachable", { deployment: deploymentId });
      this.#probeLater(breaker);
    } else if (breaker.probe === attempt) {
      breaker.probeDelayMs = Math.min(2 * breaker.probeDelayMs, PROBE_DELAY_MS_MAX);
      this.#probeLater(breaker);
    }
  }

  /** An attempt got a response: all may try again. */
  answered(deploymentId: string): void {
    const breaker = this.#byDeployment.get(deploymentId);
    if (breaker === undefined) return;
    this.#byDeployment.delete(deploymentId);
    breaker.cancel?.();
    if (breaker.failures >= FAILURES_MAX) {
      this.#options.log.info("deployment-reachable", { deployment: deploymentId });
    }
    for (const start of breaker.held.values()) this.#options.onRelease(start);
    if (breaker.hasDropped) this.#options.onDropped();
  }

  /** The attempt is gone, whatever became of it. */
  released(deploymentId: string, attempt: object): void {
    const breaker = this.#byDeployment.get(deploymentId);
    if (breaker?.probe !== attempt) return;
    breaker.probe = null;
    if (breaker.cancel === null) this.#probeLater(breaker);
  }

  stop(): void {
    for (const breaker of this.#byDeployment.values()) breaker.cancel?.();
    this.#byDeployment.clear();
  }

  #probeLater(breaker: Breaker): void {
    breaker.cancel?.();
    breaker.cancel = this.#options.after(breaker.probeDelayMs, () => {
      breaker.cancel = null;
      this.#probe(breaker);
    });
  }

  /** Lets them go until one tries: some have moved on, or run elsewhere now. */
  #probe(breaker: Breaker): void {
    for (const start of breaker.held.values()) {
      if (breaker.probe !== null || breaker.cancel !== null) return;
      breaker.held.delete(start.seq);
      this.#options.onRelease(start);
    }
    if (breaker.held.size > 0 || !breaker.hasDropped) return;
    breaker.hasDropped = false;
    this.#options.onDropped();
  }
}

function newBreaker(): Breaker {
  return {
    failures: 0,
    probeDelayMs: PROBE_DELAY_MS_MIN,
    probe: null,
    cancel: null,
    held: new Map(),
    hasDropped: false,
  };
}
