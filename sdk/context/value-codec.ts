/**
 * The journal value codec of an endpoint, applied to whole messages: to those that come in before anything else sees them, so
 * that a recorded command is compared by its value and not by its bytes, which need not be the same twice; and to those that
 * go out when they are encoded.
 */
import type { JournalValueCodec } from "../define/journal-value-codec.ts";
import { outsideHandler } from "./handler-scope.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Message, NotificationResult, StateEntry } from "../protocol/messages.ts";

type Convert = (value: Uint8Array) => Uint8Array;
type Result = NotificationResult | { readonly kind: "value"; readonly value: Uint8Array };

export class ValueCodec {
  readonly #provider: () => Promise<JournalValueCodec>;
  #made: Promise<void> | undefined;
  #codec: JournalValueCodec | undefined;

  /** @param provider asked once; again after it failed */
  constructor(provider: () => Promise<JournalValueCodec>) {
    this.#provider = provider;
  }

  encode(message: Message): Message {
    const codec = this.#codec;
    // No message goes out with a value before one has come in.
    if (codec === undefined) return message;
    // A codec may draw random numbers to encrypt; the handler does not.
    return outsideHandler(() => convert(message, (value) => codec.encode(value)));
  }

  async decode(message: Message): Promise<Message> {
    const values: Uint8Array[] = [];
    convert(message, (value) => {
      values.push(value);
      return value;
    });
    const codec = this.#codec ?? (await this.#ready());
    if (values.length === 0) return message;
    const decoded = await Promise.all(values.map((value) => codec.decode(value)));
    let taken = 0;
    return convert(message, (value) => {
      taken += 1;
      return decoded[taken - 1] ?? value;
    });
  }

  async #ready(): Promise<JournalValueCodec> {
    this.#made ??= this.#make();
    await this.#made;
    if (this.#codec === undefined) throw new TypeError("there is no journal value codec");
    return this.#codec;
  }

  async #make(): Promise<void> {
    try {
      this.#codec = await this.#provider();
    } catch (error) {
      this.#made = undefined;
      throw error;
    }
  }
}

/** The message with each of its values converted, in a fixed order. */
function convert(message: Message, by: Convert): Message {
  switch (message.type) {
    case MessageType.Start:
      return message.state.length === 0
        ? message
        : { ...message, state: message.state.map((entry) => convertEntry(entry, by)) };
    case MessageType.InputCommand:
    case MessageType.SetStateCommand:
      return { ...message, value: by(message.value) };
    case MessageType.CallCommand:
    case MessageType.OneWayCallCommand:
      return { ...message, parameter: by(message.parameter) };
    case MessageType.CompletePromiseCommand:
      return { ...message, completion: convertResult(message.completion, by) };
    case MessageType.ProposeRunCompletion:
    case MessageType.OutputCommand:
    case MessageType.CompleteAwakeableCommand:
      return { ...message, result: convertResult(message.result, by) };
    case MessageType.GetEagerStateCommand:
      return { ...message, result: convertResult(message.result, by) };
    case MessageType.SendSignalCommand:
      return { ...message, result: convertResult(message.result, by) };
    default:
      return "id" in message && "result" in message
        ? { ...message, result: convertResult(message.result, by) }
        : message;
  }
}

function convertEntry({ key, value }: StateEntry, by: Convert): StateEntry {
  return { key, value: by(value) };
}

function convertResult<R extends Result>(result: R, by: Convert): R {
  return result.kind === "value" ? { ...result, value: by(result.value) } : result;
}
