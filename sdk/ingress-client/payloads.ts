/** Values on their way to the server and back: the serde of the call or of the connection, then the codec. */
import { type Any, trust } from "../define/any.ts";
import type { JournalValueCodec } from "../define/journal-value-codec.ts";
import type { Serde } from "../define/serde.ts";

export class Payloads {
  readonly #serde: Serde<Any>;
  readonly #codec: JournalValueCodec | undefined;

  /** @param serde for values that do not say */
  constructor(serde: Serde<Any>, codec: JournalValueCodec | undefined) {
    this.#serde = serde;
    this.#codec = codec;
  }

  encode<T>(
    value: T,
    given: Serde<T> | undefined,
  ): { readonly body: Uint8Array; readonly contentType: string | undefined } {
    const serde = this.#serdeOf(given);
    const body = serde.serialize(value);
    return { body: this.#codec?.encode(body) ?? body, contentType: serde.contentType };
  }

  async decode<T>(bytes: Uint8Array, given: Serde<T> | undefined): Promise<T> {
    const plain = this.#codec === undefined ? bytes : await this.#codec.decode(bytes);
    return this.#serdeOf(given).deserialize(plain);
  }

  #serdeOf<T>(given: Serde<T> | undefined): Serde<T> {
    return given ?? trust(this.#serde);
  }
}
