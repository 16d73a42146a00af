/** Frames on their way out, collected into as few writes as possible. */
import type { Sink } from "./host.ts";

/** Above it, copying frames together costs more than a write of their own. */
const JOINED_BYTES_MAX = 64 * 1024;

export class Output {
  readonly #sink: Sink;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  #full = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** The sink has more than it can pass on. */
  get isFull(): boolean {
    return this.#full;
  }

  onDrained(): void {
    this.#full = false;
  }

  add(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#bytes += frame.length;
  }

  flush(): void {
    for (const bytes of this.#take()) this.#full = !this.#sink.write(bytes);
  }

  /** The last frames together with the end, which saves the transport a packet. */
  end(): void {
    const chunks = this.#take();
    const last = chunks.pop();
    for (const bytes of chunks) this.#sink.write(bytes);
    this.#sink.end(last);
  }

  #take(): Uint8Array[] {
    const frames = this.#frames;
    const total = this.#bytes;
    this.#frames = [];
    this.#bytes = 0;
    if (frames.length <= 1 || total > JOINED_BYTES_MAX) return frames;
    const joined = new Uint8Array(total);
    let at = 0;
    for (const frame of frames) {
      joined.set(frame, at);
      at += frame.length;
    }
    return [joined];
  }
}
