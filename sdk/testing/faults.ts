/** The faults a test has asked for, and whether they have happened. */
import { RetryableError } from "../define/errors.ts";

/** Where a fault may happen. Default: anywhere. */
export interface FaultScope {
  /** The name of a service. */
  readonly service?: string;
  /** The name of a handler. */
  readonly handler?: string;
}

export interface FailOptions extends FaultScope {
  /** What the step throws. Default: an error that is tried again. */
  readonly error?: Error;
}

type Kind = "fail" | "crash-after" | "crash-during";

interface Fault {
  readonly kind: Kind;
  /** By its name, or by its number among the steps of an invocation, from 1. */
  readonly step: string | number;
  readonly scope: FaultScope;
  readonly error: Error | undefined;
  /** How the test asked for it. */
  readonly text: string;
  left: number;
  hasHappened: boolean;
}

export interface StepPlace {
  readonly service: string;
  readonly handler: string;
  readonly name: string;
  /** Its number among the steps of the invocation, from 1; undefined where it is not known. */
  readonly ordinal?: number | undefined;
}

export class Faults {
  readonly #faults: Fault[] = [];

  failTimes(step: string, times: number, { error, ...scope }: FailOptions): void {
    const text = times === 1 ? `failOnce("${step}")` : `failTimes("${step}", ${times})`;
    this.#add("fail", step, times, scope, text, error);
  }

  crashAfter(step: string | number, scope: FaultScope): void {
    this.#add("crash-after", step, 1, scope, `crashAfter(${JSON.stringify(step)})`);
  }

  crashDuring(step: string | number, scope: FaultScope): void {
    this.#add("crash-during", step, 1, scope, `crashDuring(${JSON.stringify(step)})`);
  }

  /** The error that the step is to throw, if it is to fail. */
  failureOf(place: StepPlace): Error | undefined {
    const fault = this.#take(place, ["fail"]);
    return fault && (fault.error ?? new RetryableError(`injected by ${fault.text}`));
  }

  /** What is to happen to the attempt whose step has just been executed. */
  crashOf(place: StepPlace): { readonly isRecorded: boolean; readonly text: string } | undefined {
    const fault = this.#take(place, ["crash-after", "crash-during"]);
    return fault && { isRecorded: fault.kind === "crash-after", text: fault.text };
  }

  /** Those by the name of a step that never came: most likely the name is misspelt. */
  get unused(): readonly string[] {
    return this.#faults
      .filter(({ hasHappened, step }) => !hasHappened && typeof step === "string")
      .map(({ text }) => text);
  }

  #add(
    kind: Kind,
    step: string | number,
    left: number,
    scope: FaultScope,
    text: string,
    error?: Error,
  ): void {
    if (left < 1 || !Number.isInteger(left)) {
      throw new RangeError(`a fault happens a whole number of times, at least once, not ${left}`);
    }
    this.#faults.push({ kind, step, scope, error, text, left, hasHappened: false });
  }

  #take(place: StepPlace, kinds: readonly Kind[]): Fault | undefined {
    const fault = this.#faults.find(
      (each) => each.left > 0 && kinds.includes(each.kind) && isAt(each, place),
    );
    if (fault === undefined) return undefined;
    fault.left -= 1;
    fault.hasHappened = true;
    return fault;
  }
}

function isAt({ step, scope }: Fault, { service, handler, name, ordinal }: StepPlace): boolean {
  if (scope.service !== undefined && scope.service !== service) return false;
  if (scope.handler !== undefined && scope.handler !== handler) return false;
  return typeof step === "string" ? step === name : step === ordinal;
}
