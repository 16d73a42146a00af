/** A migration, imported as text by the bundler. */
declare module "*.sql" {
  const text: string;
  export default text;
}
