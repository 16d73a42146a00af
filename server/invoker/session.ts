/**
 * One attempt's stream without I/O: bytes of the endpoint become inputs, stored notifications become bytes.
 *
 * S1 Nothing is submitted after the message that ends the attempt, be it the endpoint's or our own finding.
 * S2 What is submitted has been decoded whole: bytes that do not decode are never journaled.
 * S3 Entries are forwarded in journal order, and none that was replayed.
 */
import { decodeMessage, encodeMessage } from "../../sdk/protocol/codec.ts";
import { encodeFrame, type Frame, FrameDecoder } from "../../sdk/protocol/frame.ts";
import {
  isCommand,
  isKnownMessageType,
  isNotification,
  MessageType,
  messageTypeName,
} from "../../sdk/protocol/message-type.ts";
import type { Command, Message, Suspension } from "../../sdk/protocol/messages.ts";
import { ProtocolError } from "../../sdk/protocol/protocol-error.ts";
import type { AttemptRef } from "../machine/input.ts";
import type { Door } from "../processor/ports.ts";
import {
  cutShort,
  type Failing,
  handlerError,
  internalFailure,
  messageTooLarge,
  violation,
} from "./failures.ts";

/** The set is held against every notification that comes; no handler waits for so many at once. */
const AWAITED_MAX = 10_000;

/** The code with which a frame decoder refuses a length. */
const TOO_LARGE = 413;

export class Session {
  readonly #attempt: AttemptRef;
  readonly #door: Pick<Door, "submit">;
  readonly #decoder: FrameDecoder;
  readonly #knownEntries: number;
  #nextIndex: number;
  #isOver = false;

  /** `knownEntries`: how much of the journal the endpoint was given to replay. */
  constructor(
    attempt: AttemptRef,
    door: Pick<Door, "submit">,
    knownEntries: number,
    messageBytesMax: number,
  ) {
    this.#attempt = attempt;
    this.#door = door;
    this.#decoder = new FrameDecoder(messageBytesMax);
    this.#knownEntries = knownEntries;
    this.#nextIndex = knownEntries;
  }

  /** The attempt has ended: nothing it says counts any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Takes bytes of the response; returns how many whole frames they completed. */
  receive(chunk: Uint8Array): number {
    if (this.#isOver) return 0;
    let frames = 0;
    try {
      this.#decoder.push(chunk);
      while (!this.#isOver) {
        const frame = this.#decoder.next();
        if (frame === undefined) break;
        frames += 1;
        this.#take(frame);
      }
    } catch (error) {
      this.fail(failingOf(error));
    }
    return frames;
  }

  /** The response is complete. */
  receiveEnd(): void {
    this.fail(cutShort(this.#decoder.pendingBytes));
  }

  /** Ends the attempt as failed, unless it is over already. */
  fail(failing: Failing): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#door.submit({ type: "fail", attempt: this.#attempt, ...failing });
  }

  /** Ends the attempt without a word: whoever calls knows that nobody waits for one. */
  abandon(): void {
    this.#isOver = true;
  }

  /** The bytes that tell the endpoint of a stored entry; undefined when it has been told. */
  forward(index: number, messageType: number, body: Uint8Array): Uint8Array | undefined {
    if (index < this.#nextIndex) return undefined;
    this.#nextIndex = index + 1;
    return encodeFrame(messageType, body);
  }

  /** The bytes that tell the endpoint that its command is durable. */
  acknowledge(commandIndex: number): Uint8Array {
    return encodeMessage({ type: MessageType.CommandAck, commandIndex });
  }

  #take(frame: Frame): void {
    const misplaced = misplacedReason(frame.type);
    if (misplaced !== null) return this.fail(violation(misplaced));
    const message = decodeMessage(frame.type, frame.body);
    if (isCommandMessage(message)) {
      const { body, ackRequested } = frame;
      const attempt = this.#attempt;
      this.#door.submit({ type: "append-command", attempt, command: message, body, ackRequested });
      return undefined;
    }
    return this.#takeControl(message);
  }

  #takeControl(message: Message): void {
    const attempt = this.#attempt;
    switch (message.type) {
      case MessageType.ProposeRunCompletion: {
        const { resultCompletionId: completionId, result } = message;
        return this.#door.submit({ type: "propose-run", attempt, completionId, result });
      }
      case MessageType.Suspension:
        return this.#suspend(message);
      case MessageType.End:
        this.#isOver = true;
        return this.#door.submit({ type: "end", attempt });
      case MessageType.Error:
        return this.fail(handlerError(message));
      default:
        return this.fail(violation(`the endpoint may not send ${messageTypeName(message.type)}`));
    }
  }

  #suspend(suspension: Suspension): void {
    const { completions, signals, namedSignals } = suspension;
    const awaited = completions.length + signals.length + namedSignals.length;
    if (awaited > AWAITED_MAX) {
      return this.fail(violation(`the endpoint awaits ${awaited} results at once`));
    }
    if (awaited === 0) {
      // A V7 await tree decodes, but is not what was agreed.
      return this.fail(violation("the endpoint suspended without naming what it waits for"));
    }
    this.#isOver = true;
    const attempt = this.#attempt;
    const knownEntries = this.#knownEntries;
    return this.#door.submit({ type: "suspend", attempt, suspension, knownEntries });
  }
}

/** Why a frame of this type may not come from an endpoint (service protocol 10.2); null when it may. */
function misplacedReason(type: number): string | null {
  const name = messageTypeName(type);
  if (!isKnownMessageType(type)) return `the endpoint sent a message of unknown type ${name}`;
  if (isNotification(type))
    return `the endpoint sent ${name}, a notification: only the server does`;
  switch (type) {
    case MessageType.Start:
    case MessageType.CommandAck:
    case MessageType.ProposeRunCompletionAck:
    case MessageType.InputCommand:
      return `the endpoint sent ${name}, which only the server sends`;
    case MessageType.AwaitingOn:
      return `the endpoint sent ${name}, which belongs to a later protocol version than was agreed`;
    default:
      return null;
  }
}

function isCommandMessage(message: Message): message is Command {
  return isCommand(message.type);
}

function failingOf(error: unknown): Failing {
  if (!(error instanceof ProtocolError)) return internalFailure(error);
  if (error.code === TOO_LARGE) {
    return messageTooLarge(`${error.message}; raise --max-message-size or send less at once`);
  }
  return violation(`the endpoint sent bytes that do not decode: ${error.message}`);
}
