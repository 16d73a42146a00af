/** Work that must not overlap, one after another: what reads the registry, decides, and changes it. */
export class Line {
  /** Settles when what is last in line is over. */
  #last: Promise<unknown> = Promise.resolve();

  async run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return await done;
  }
}
