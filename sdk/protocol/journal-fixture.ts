/** A journal as a file: what `holdfast journal export` writes and what `replay` of `@holdfast/sdk/testing` reads. */

/** Rises when older readers would misunderstand the file. */
export const JOURNAL_FIXTURE_FORMAT = 1;

/** One entry: a command or a notification. */
export interface FixtureEntry {
  /** The message type of the service protocol. */
  readonly type: number;
  /** What `type` is called; for people. */
  readonly message: string;
  /** When it was stored, RFC 3339; for people. */
  readonly at: string;
  /** The message as it was stored, in base64. It holds what the handler read and wrote. */
  readonly body: string;
}

/** The journal of one invocation. */
export interface JournalFixture {
  readonly format: number;
  /** `inv_1…` */
  readonly invocation: string;
  readonly service: string;
  readonly handler: string;
  /** Of an object or a workflow; null for a plain service. */
  readonly key: string | null;
  /** What the invocation was doing when the journal was taken, such as `completed` or `suspended`. */
  readonly status: string;
  /** Of the service protocol; null while nothing was stored but the input. */
  readonly protocolVersion: number | null;
  /** The SDK that wrote it, as it calls itself; null where that is not known. */
  readonly sdk: string | null;
  /** In order. The first one is the input. */
  readonly entries: readonly FixtureEntry[];
}
