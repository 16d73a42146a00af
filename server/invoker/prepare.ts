/** From an effect that asks for an attempt to all that the attempt needs, or to why it cannot begin now. */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { errorFields, type Log } from "../base/log.ts";
import { StorageError } from "../base/storage-error.ts";
import type { Entry } from "../journal/summary.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import type { Observer } from "../processor/observer.ts";
import type { Door } from "../processor/ports.ts";
import type { AttemptOptions } from "./attempt.ts";
import { type PlanDefaults, planAttempt } from "./attempt-plan.ts";
import { type AttemptSubject, logFailure } from "./attempt-report.ts";
import { attemptRequest, replayOf } from "./attempt-request.ts";
import { internalFailure } from "./failures.ts";
import type { RequestIdentity } from "./request-identity.ts";
import { StepWatch } from "./step-watch.ts";
import type { ExchangeRequest } from "./transport.ts";
import type { WaitingStart } from "./waiting-starts.ts";

export interface Prepared {
  readonly kind: "prepared";
  readonly options: AttemptOptions;
  readonly request: ExchangeRequest;
}

/** The deployment is full, or cannot be reached and is being probed. */
export interface Obstructed {
  readonly kind: "full" | "unreachable";
  readonly deploymentId: string;
}

export interface PreparerOptions {
  readonly door: Pick<Door, "submit" | "read" | "isDurable">;
  readonly log: Log;
  readonly observer: Observer;
  readonly defaults: PlanDefaults;
  readonly eagerStateBytesMax: number;
  readonly identity: RequestIdentity | null;
  /** What keeps an attempt from beginning on this deployment now. */
  readonly obstacle: (deploymentId: string) => Obstructed["kind"] | null;
  readonly nowMs: () => number;
}

export class Preparer {
  readonly #options: PreparerOptions;

  constructor(options: PreparerOptions) {
    this.#options = options;
  }

  /**
   * Null when there is nothing to begin: the invocation has moved on, or has been told why not. A defect in what is stored of
   * one invocation fails its attempt, not the process.
   */
  prepare(start: WaitingStart): Prepared | Obstructed | null {
    const { door, log } = this.#options;
    try {
      return door.read((reader) => this.#prepareIn(reader, start));
    } catch (error) {
      if (error instanceof StorageError) throw error;
      const { seq, epoch } = start;
      log.error("attempt-not-started", { seq, epoch, ...errorFields(error) });
      const attempt = { seq, epoch, deploymentId: "", protocolVersion: 0 };
      door.submit({ type: "fail", attempt, ...internalFailure(error) });
      return null;
    }
  }

  #prepareIn(reader: Reader, start: WaitingStart): Prepared | Obstructed | null {
    const { door, log, defaults, eagerStateBytesMax, identity, obstacle, nowMs } = this.#options;
    const planned = planAttempt(reader, start, defaults);
    if (planned.kind === "stale") return null;
    if (planned.kind !== "ready") {
      door.submit(planned.input);
      if (planned.kind === "refused") {
        logFailure(log, subjectOf(planned.invocation), null, planned.input.failure);
      }
      return null;
    }
    const { invocation, plan } = planned;
    const { deploymentId } = plan.attempt;
    const kind = obstacle(deploymentId);
    if (kind !== null) return { kind, deploymentId };
    const { knownEntries } = start;
    const subject = subjectOf(invocation);
    const replay = replayOf(reader, start.seq, knownEntries);
    const request = attemptRequest(reader, invocation, plan, replay, {
      debugId: subject.invocationId,
      nowMs: nowMs(),
      eager: { bytesMax: eagerStateBytesMax, isDurable: door.isDurable },
      identity,
    });
    const steps = this.#watch(subject, replay);
    const openingBytes = request.body.length;
    return {
      kind: "prepared",
      request,
      options: { subject, plan, knownEntries, openingBytes, steps },
    };
  }

  #watch(subject: AttemptSubject, replay: readonly Entry[]): StepWatch | null {
    const { observer, nowMs } = this.#options;
    return observer.isTracing ? new StepWatch(subject, observer, nowMs, replay) : null;
  }
}

function subjectOf({ id, target, epoch, trace }: Invocation): AttemptSubject {
  return { invocationId: invocationIdToString(id), target, epoch, trace };
}
