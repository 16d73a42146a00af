/** Codecs for the values of the journal. */

/**
 * Changes the bytes of every value before they leave the process, and back when they come in: to encrypt or compress them, so
 * that the server stores what only the services can read. It covers input and output of handlers, results of steps, state,
 * awakeables, promises, signals, and the parameters and results of calls. Names, keys, headers and failures stay as they are.
 * Clients outside need the same codec.
 */
export type JournalValueCodec = {
  /** After serialization. Empty bytes are values too. What it throws fails the attempt. */
  encode(buf: Uint8Array): Uint8Array;
  /** Before deserialization. What it rejects with fails the attempt, which is tried again. */
  decode(buf: Uint8Array): Promise<Uint8Array>;
};
