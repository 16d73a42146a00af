/** What is thrown in a simulation where nobody catches it: by an event, or in a promise that nobody awaits. */

export class Defects {
  readonly found: string[] = [];

  get isFree(): boolean {
    return this.found.length === 0;
  }

  /** Runs a simulation, which looks at `isFree` from time to time. */
  async watch(run: () => Promise<void>): Promise<void> {
    process.on("unhandledRejection", this.#note);
    try {
      await run();
    } catch (error) {
      this.#note(error);
    } finally {
      process.off("unhandledRejection", this.#note);
    }
  }

  readonly #note = (error: unknown): void => {
    this.found.push(String(error));
  };
}
