/** A timer of the event loop; what it returns takes it back. */
export function afterTimeout(delayMs: number, fn: () => void): () => void {
  const timer = setTimeout(fn, delayMs);
  return () => clearTimeout(timer);
}
