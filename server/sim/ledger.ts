/** What the outside world saw: every execution of a step, in order. It survives every crash, as a payment provider would. */
export interface Execution {
  readonly step: string;
  /** Unlike any other execution; it is also the result of the step, so the journal says which execution it recorded. */
  readonly number: number;
}

export class Ledger {
  readonly #executions: Execution[] = [];

  /** Executes a step that is known to the world by this name, and returns the number of this execution. */
  execute(step: string): number {
    const number = this.#executions.length + 1;
    this.#executions.push({ step, number });
    return number;
  }

  /** The number of the last execution of a step; undefined when it never ran. */
  last(step: string): number | undefined {
    return this.#executions.findLast((execution) => execution.step === step)?.number;
  }

  /** Whether this was an execution of that step. */
  has(step: string, number: number): boolean {
    return this.#executions[number - 1]?.step === step;
  }

  get size(): number {
    return this.#executions.length;
  }

  /** How many executions were repetitions of a step: allowed for those that were not recorded. */
  get repeated(): number {
    return this.size - new Set(this.#executions.map((execution) => execution.step)).size;
  }
}
