/** A program of its own, as text: what the module behind the question mark makes with everything it imports. */
declare module "*?bundle" {
  const source: string;
  export default source;
}
