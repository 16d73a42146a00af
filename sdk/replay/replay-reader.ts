/** Reads the replay: the entries of the journal that follow Start, commands and notifications apart, each in order. */
import { isCommandMessage, isNotificationMessage } from "../protocol/message-kind.ts";
import { MessageType, messageTypeName } from "../protocol/message-type.ts";
import type { InputCommand, Message, Start } from "../protocol/messages.ts";
import type { Notifications } from "./notifications.ts";
import { RecordedCommands } from "./recorded-commands.ts";

export interface Opening {
  readonly start: Start;
  readonly input: InputCommand;
}

export class ReplayReader {
  readonly start: Start;
  readonly recorded = new RecordedCommands();
  readonly #notifications: Notifications;
  #received = 0;

  constructor(start: Start, notifications: Notifications) {
    this.start = start;
    this.#notifications = notifications;
  }

  /** What is wrong with it, if it is no entry. */
  take(message: Message): string | undefined {
    if (isNotificationMessage(message)) this.#notifications.push(message);
    else if (isCommandMessage(message)) this.recorded.push(message, this.#received);
    else return `${messageTypeName(message.type)} came within the replay`;
    this.#received += 1;
    return undefined;
  }

  get isComplete(): boolean {
    return this.#received >= this.start.knownEntries;
  }

  /** How far it has come, in words. */
  get progress(): string {
    return `${this.#received} of ${this.start.knownEntries} known entries`;
  }

  /** Takes the first command, which must be Input. Once complete. */
  open(): Opening | undefined {
    const input = this.recorded.size > 0 ? this.recorded.take().command : undefined;
    return input?.type === MessageType.InputCommand ? { start: this.start, input } : undefined;
  }
}
