/** Another writer has taken over the history: this one acknowledges nothing more. */
export class FencedError extends Error {
  override readonly name = "FencedError";
  /** The number that was lost. */
  readonly seq: number;

  constructor(seq: number, owner: string) {
    super(
      `another server writes this replica now (${owner}): this one has stopped acknowledging and ends. ` +
        "What it acknowledged under durability bucket is in the replica",
    );
    this.seq = seq;
  }
}
