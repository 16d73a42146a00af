/**
 * The peer broke the protocol: bytes that do not decode, a frame that may not come now, a value out of range.
 * `code` is the protocol's own number: 500 undecodable, 570 journal mismatch, 571 protocol violation, 573 unsupported feature.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
