/** JSON in a column: the type of the column says what it is the text of. */
declare const value: unique symbol;
export type Json<T> = string & { readonly [value]?: T };

export function toJson<T>(of: T): Json<T> {
  return JSON.stringify(of);
}

export function fromJson<T>(text: Json<T>): T {
  return JSON.parse(text);
}
